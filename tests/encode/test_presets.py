"""The models of the bundled configurations, held against open_clip's own tables."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import pytest

from pipeline.config_files import bundled_names
from pipeline.encode import Encoding, OpenClipEncoder
from pipeline.encode.architecture import architecture_of
from pipeline.encode.preprocess import ClipPreprocessing
from pipeline.encode.prompts import PromptedTexts
from pipeline.encode.requirements import check_packages
from pipeline.errors import EncoderError
from pipeline.run_config import load_run_config

OPENAI = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
PLAIN, HALVES = ((0.0,) * 3, (1.0,) * 3), ((0.5,) * 3, (0.5,) * 3)


@dataclass(frozen=True)
class Preset:
    """What a model's makers trained it with, from their own repositories."""

    size: int
    dimension: int
    context: int
    resize: Any = "shortest"
    interpolation: Any = "bicubic"
    normalisation: Any = OPENAI


PRESETS = {
    "default": Preset(224, 512, 77),
    "large": Preset(224, 768, 77),
    "small": Preset(256, 512, 77, "shortest", "bilinear", PLAIN),
    "siglip2": Preset(256, 768, 64, "squash", "bicubic", HALVES),
    "pe-core": Preset(336, 1024, 32, "squash", "bilinear", HALVES),
}


def encoder_of(name: str) -> Encoding:
    return load_run_config(name).encoder


def network_of(name: str) -> Any:
    """The network without its weights."""
    import open_clip
    import torch

    with torch.device("meta"):
        return open_clip.create_model(architecture_of(encoder_of(name)).name, device="meta")


def test_every_bundled_model_is_listed_here() -> None:
    assert set(PRESETS) == set(bundled_names()) - {"demo"}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_differs_from_the_default_in_the_model_alone(name: str) -> None:
    assert load_run_config(name).model_copy(update={"encoder": Encoding()}) == load_run_config()
    assert set(encoder_of(name).model_dump(exclude_defaults=True)) <= {"model", "pretrained"}


@pytest.mark.parametrize("name", PRESETS)
def test_open_clip_knows_model_and_tag_and_prepares_pictures_so(name: str) -> None:
    known, preset = architecture_of(encoder_of(name)), PRESETS[name]
    size, ways = preset.size, {"resize_mode": preset.resize, "interpolation": preset.interpolation}
    assert known.preprocessing == ClipPreprocessing(image_height=size, image_width=size, **ways)
    assert (known.mean, known.std) == preset.normalisation
    assert known.dimension == preset.dimension


@pytest.mark.parametrize("name", PRESETS)
def test_the_network_is_that_of_its_table(name: str) -> None:
    import torch

    network, preset = network_of(name), PRESETS[name]
    assert (network.context_length, network.visual.image_size) == (preset.context, (preset.size, preset.size))
    with torch.inference_mode():
        tokens = torch.zeros((1, preset.context), dtype=torch.long, device="meta")
        assert network.encode_text(tokens).shape == (1, preset.dimension)


@pytest.mark.parametrize("name", ["small", "siglip2", "pe-core"])
def test_weights_of_ones_own_are_prepared_for_as_the_published_ones(name: str) -> None:
    given = encoder_of(name)
    bare = given.model_copy(update={"pretrained": None, "checkpoint": "mine.safetensors"})
    assert architecture_of(bare) == architecture_of(given)


def test_so_are_those_of_every_network_whose_published_weights_agree() -> None:
    import open_clip

    differ = set()
    for model in open_clip.list_models():
        bare = architecture_of(Encoding(model=model, pretrained=None, checkpoint="mine.safetensors"))
        tags = open_clip.list_pretrained_tags_by_model(model)
        published = [architecture_of(Encoding(model=model, pretrained=tag)) for tag in tags]
        prepared = [(each.preprocessing, each.mean, each.std) for each in published]
        if published and prepared != [(bare.preprocessing, bare.mean, bare.std)] * len(published):
            differ.add(model)
    assert differ == {"ViT-L-14", "ViT-H-14", "ViT-H-14-quickgelu"}


@pytest.mark.parametrize("model", ["ViT-B-32", "ViT-L-14"])
def test_where_published_weights_differ_ones_own_are_prepared_for_as_openais(model: str) -> None:
    bare = architecture_of(Encoding(model=model, pretrained=None, checkpoint="mine.safetensors"))
    assert ((bare.mean, bare.std), bare.quick_gelu) == (OPENAI, False)


def test_a_question_longer_than_pe_cores_context_is_found_out() -> None:
    import open_clip

    settings = encoder_of("pe-core")
    texts = PromptedTexts(settings, open_clip.get_tokenizer(settings.model), PRESETS["pe-core"].context)
    fits, too_long = " ".join(["dog"] * 30), " ".join(["dog"] * 31)
    assert texts.too_long([fits, too_long]) == (too_long,)


def test_a_missing_tokenizer_names_the_extra_before_anything_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(EncoderError, match=r"siglip|SigLIP2.* pip install 'momentseek\[siglip\]'"):
        OpenClipEncoder(encoder_of("siglip2")).open()


@pytest.mark.parametrize("name", sorted(set(PRESETS) - {"siglip2"}))
def test_other_presets_need_no_further_package(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    check_packages(encoder_of(name), encoder_of(name).model)
