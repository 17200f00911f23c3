from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.encode import Encoding, OpenClipEncoder
from pipeline.encode.image_tower import pack_weights, packed_weights

TEXT = {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1}
VIT = {"layers": 2, "width": 64, "head_width": 16, "patch_size": 16, "image_size": 64}
TOWERS: dict[str, dict[str, Any]] = {
    "vit": {},
    "no_fusion": {"quick_gelu": True},
    "layer_scale": {"vision_cfg": {**VIT, "ls_init_value": 0.5}},
    "tanh_gelu": {"vision_cfg": {**VIT, "act_kwargs": {"approximate": "tanh"}}},
    "average_pool": {"vision_cfg": {**VIT, "pool_type": "avg"}},
    "attentional_pool": {
        "vision_cfg": {**VIT, "attentional_pool": True, "attn_pooler_heads": 4, "attn_pooler_queries": 5}
    },
    "custom_blocks": {"vision_cfg": {**VIT, "qk_norm": True}},
    # Its attention pool reads the weights of its linear layers instead of calling them.
    "resnet": {"vision_cfg": {"layers": [1, 1, 1, 1], "width": 16, "image_size": 64, "patch_size": None}},
    "timm": {"vision_cfg": {"timm_model_name": "test_vit", "timm_pool": "", "timm_proj": "linear", "image_size": 160}},
}


def _tower(name: str) -> tuple[nn.Module, int]:
    import open_clip

    description: dict[str, Any] = {"embed_dim": 32, "vision_cfg": VIT, "text_cfg": TEXT, **TOWERS[name]}
    torch.manual_seed(0)
    network = open_clip.CLIP(**description).eval().requires_grad_(requires_grad=False)
    return network.visual, description["vision_cfg"]["image_size"]


def _supported() -> bool:
    return packed_weights._is_supported()


@pytest.mark.parametrize("name", TOWERS)
@pytest.mark.parametrize("count", [1, 5])
def test_a_packed_tower_is_as_near_to_fp32_as_plain_bf16(name: str, count: int) -> None:
    exact, size = _tower(name)
    plain = copy.deepcopy(exact).to(torch.bfloat16)
    packed = copy.deepcopy(plain)
    assert pack_weights(packed) is _supported()
    pixels = torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        truth = exact(pixels)
        distances = [
            1 - float(torch.cosine_similarity(tower(pixels.bfloat16()).float(), truth).min())
            for tower in (plain, packed)
        ]
    assert distances[1] <= max(2 * distances[0], 1e-4)


@pytest.mark.skipif(not _supported(), reason="this processor does not multiply in bf16")
def test_every_linear_layer_of_a_vit_is_packed() -> None:
    tower = _tower("vit")[0].to(torch.bfloat16)
    pack_weights(tower)
    left = [name for name, module in tower.named_modules() if isinstance(module, nn.Linear | nn.MultiheadAttention)]
    assert left == []


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_other_number_formats_are_left_alone(dtype: torch.dtype) -> None:
    tower = _tower("vit")[0].to(dtype)
    kinds = [type(module) for module in tower.modules()]
    pack_weights(tower)
    assert [type(module) for module in tower.modules()] == kinds


def test_without_the_operators_the_tower_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    tower = _tower("vit")[0].to(torch.bfloat16)
    kinds = [type(module) for module in tower.modules()]
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert pack_weights(tower) is False
    assert [type(module) for module in tower.modules()] == kinds


@pytest.mark.skipif(not _supported(), reason="this processor does not multiply in bf16")
def test_packed_weights_can_be_read() -> None:
    layer = nn.Linear(48, 80).bfloat16()
    module = nn.Sequential(copy.deepcopy(layer))
    pack_weights(module)
    packed: Any = module[0]
    torch.testing.assert_close(packed.weight, layer.weight.detach(), rtol=0, atol=0)


def test_the_batch_changes_embeddings_by_rounding_alone(models: Callable[..., Encoding]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (9, 64, 64, 3), np.uint8)
    vectors = [
        OpenClipEncoder(models("square", precision="bf16", batch_size=size)).open().encode_images(images)
        for size in (1, 4, 32)
    ]
    for other in vectors[1:]:
        assert np.sum(vectors[0] * other, axis=1).min() > 0.9999
