from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from open_clip.transformer import LayerScale
from torch import nn

from pipeline.encode.text_tower.clip_graph import clip_graph, is_clip_tower
from pipeline.encode.text_tower.half_precision import with_half_weights
from pipeline.encode.text_tower.tower import onnx_session, run_tower

VISION = CLIPVisionCfg(layers=1, width=32, head_width=16, patch_size=16, image_size=32)
END = 299


def network(*, quick_gelu: bool = False, **text: Any) -> CLIP:
    """A text tower with random weights, none of which are zero or one, as biases and norms are at first."""
    torch.manual_seed(4)
    settings: dict[str, Any] = {
        "context_length": 16,
        "vocab_size": END + 1,
        "width": 48,
        "heads": 4,
        "layers": 3,
        **text,
    }
    made = CLIP(24, VISION, CLIPTextCfg(**settings), quick_gelu=quick_gelu).eval().requires_grad_(requires_grad=False)
    for weight in made.parameters():
        weight.add_(0.1 * torch.randn_like(weight))
    return made


def tokens(count: int, length: int) -> torch.Tensor:
    """Texts of all lengths, with their end and zeros after it, like those of CLIP's tokenizer."""
    rng = np.random.default_rng(count)
    found = rng.integers(1, END - 1, (count, length))
    for row, end in zip(found, rng.integers(1, length, count), strict=True):
        row[end], row[end + 1 :] = END, 0
    return torch.from_numpy(found)


TOWERS: dict[str, Callable[[], CLIP]] = {
    "gelu": network,
    "quick gelu": partial(network, quick_gelu=True),
    "one layer, one head": partial(network, layers=1, heads=1),
    "wide mlp, long context": partial(network, mlp_ratio=6.0, context_length=33),
}


@pytest.mark.parametrize("name", TOWERS)
def test_the_graph_embeds_as_torch_does(name: str) -> None:
    """A thousand texts, in batches of several sizes: the limits that an export has to meet."""
    tower = TOWERS[name]()
    assert is_clip_tower(tower)
    texts = tokens(1000, tower.context_length)
    expected = tower.encode_text(texts, normalize=True).numpy()
    single = onnx_session(clip_graph(tower).SerializeToString())
    half = onnx_session(with_half_weights(clip_graph(tower)).SerializeToString())
    for session, least in ((single, 0.999999), (half, 0.999)):
        parts = [run_tower(session, part) for part in np.split(texts.numpy(), [1, 3, 400])]
        assert np.sum(np.concatenate(parts) * expected, axis=1).min() > least


def _last_pooled(tower: CLIP) -> None:
    tower.text_pool_type = "last"


def _unmasked(tower: CLIP) -> None:
    tower.attn_mask = None


def _uncausal(tower: CLIP) -> None:
    tower.attn_mask = tower.attn_mask.clone()
    tower.attn_mask[2, 9] = 0.0


def _scaled(tower: CLIP) -> None:
    tower.transformer.resblocks[1].ls_2 = LayerScale(48, 0.1)


def _approximate(tower: CLIP) -> None:
    tower.transformer.resblocks[2].mlp.gelu = nn.GELU(approximate="tanh")


def _projected(tower: CLIP) -> None:
    del tower.text_projection
    tower.text_projection = nn.Linear(48, 24)


def _without_projection(tower: CLIP) -> None:
    tower.text_projection = None


def _hooked(tower: CLIP) -> None:
    tower.transformer.resblocks[0].mlp.c_fc = nn.Sequential(nn.Linear(48, 192))


@pytest.mark.parametrize(
    "change", [_last_pooled, _unmasked, _uncausal, _scaled, _approximate, _projected, _without_projection, _hooked]
)
def test_a_tower_with_other_parts_is_left_to_torchs_exporter(change: Callable[[CLIP], None]) -> None:
    tower = network()
    change(tower)
    assert not is_clip_tower(tower)


@pytest.mark.parametrize("end", [1, 2, 7, 15])
def test_only_tokens_up_to_the_end_of_the_longest_text_are_computed(end: int) -> None:
    """A text has the same embedding alone and beside texts of other lengths, whatever follows its end."""
    tower = network()
    session = onnx_session(clip_graph(tower).SerializeToString())
    texts = tokens(8, tower.context_length).numpy()
    texts[3, end], texts[3, end + 1 :] = END, 5
    texts[3, 1:end] = 7
    alone, beside = run_tower(session, texts[3:4]), run_tower(session, texts)[3:4]
    assert_allclose(alone, beside, atol=1e-6)
    assert_allclose(alone, tower.encode_text(torch.from_numpy(texts[3:4]), normalize=True), atol=1e-6)


def test_the_scale_of_a_norm_is_that_of_the_network() -> None:
    tower = network()
    tower.ln_final.eps = 0.5
    texts = tokens(5, tower.context_length)
    session = onnx_session(clip_graph(tower).SerializeToString())
    assert_allclose(run_tower(session, texts.numpy()), tower.encode_text(texts, normalize=True), atol=1e-5)
