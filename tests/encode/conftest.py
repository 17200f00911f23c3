"""Tiny models of random weights: nothing here needs a network or more than a few megabytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from pipeline.encode import Encoding

TEXT = {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
VIT = {"layers": 1, "width": 32, "head_width": 16, "patch_size": 16}
PREPROCESS = {
    "squash": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "interpolation": "bicubic", "resize_mode": "squash"},
    "bilinear": {"interpolation": "bilinear", "resize_mode": "shortest"},
    "longest": {"interpolation": "bilinear", "resize_mode": "longest", "fill_color": 7},
}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "square": {"embed_dim": 24, "vision_cfg": {**VIT, "image_size": 64}, "text_cfg": TEXT},
    "oblong": {"embed_dim": 24, "vision_cfg": {**VIT, "image_size": [48, 96]}, "text_cfg": TEXT},
    # Like the demo model: a convolutional timm tower, an oblong squashed input, SigLIP's bias.
    "demo": {
        "model_cfg": {
            "embed_dim": 24,
            "init_logit_bias": -4.0,
            "vision_cfg": {
                "timm_model_name": "test_resnet",
                "timm_model_pretrained": False,
                "timm_pool": "avg",
                "timm_proj": "linear",
                "image_size": [54, 96],
            },
            "text_cfg": TEXT,
        },
        "preprocess_cfg": PREPROCESS["squash"],
    },
    # Knows few words, as the demo model does.
    "worded": {
        "model_cfg": {"embed_dim": 24, "vision_cfg": {**VIT, "image_size": 64}, "text_cfg": TEXT},
        "preprocess_cfg": PREPROCESS["squash"],
        "vocabulary": {"unknown": "unknown", "words": ["a", "red", "car", "two", "dogs", "along", "beach", "person"]},
    },
    "bilinear": {
        "model_cfg": {"embed_dim": 24, "vision_cfg": {**VIT, "image_size": [48, 96]}, "text_cfg": TEXT},
        "preprocess_cfg": PREPROCESS["bilinear"],
    },
    "longest": {
        "model_cfg": {"embed_dim": 24, "vision_cfg": {**VIT, "image_size": 64}, "text_cfg": TEXT},
        "preprocess_cfg": PREPROCESS["longest"],
    },
}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Encoding]:
    """Makes the settings of a tiny model: its architecture by name, any other setting by keyword."""
    folder = tmp_path_factory.mktemp("models")

    def settings(name: str, **others: Any) -> Encoding:
        architecture, checkpoint = folder / f"{name}.json", folder / f"{name}.safetensors"
        if not checkpoint.exists():
            architecture.write_text(json.dumps(ARCHITECTURES[name]))
            _save_random_weights(folder, name, checkpoint)
        paths = {"architecture": str(architecture), "checkpoint": str(checkpoint)}
        return Encoding.model_validate({"model": f"tiny-{name}", **paths, **others})

    return settings


def _save_random_weights(folder: Path, name: str, checkpoint: Path) -> None:
    """Half-precision weights, as the demo model's are; open_clip itself makes the network."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    config = ARCHITECTURES[name].get("model_cfg", ARCHITECTURES[name])
    registered = folder / f"reference-{name}.json"
    registered.write_text(json.dumps(config))
    open_clip.add_model_config(registered)
    torch.manual_seed(7)
    network = open_clip.create_model(registered.stem)
    save_file({key: value.half().contiguous() for key, value in network.state_dict().items()}, str(checkpoint))


@pytest.fixture(scope="session")
def own_transform(models: Callable[..., Encoding]) -> Callable[[str], Callable[[Image.Image], npt.NDArray[np.uint8]]]:
    """open_clip's own transform of a tiny model, without its normalisation: a picture in, uint8 (H, W, 3) out."""

    def make(name: str) -> Callable[[Image.Image], npt.NDArray[np.uint8]]:
        import open_clip
        from open_clip.transform import PreprocessCfg, image_transform_v2

        models(name)
        preferences = ARCHITECTURES[name].get("preprocess_cfg", {})
        network = open_clip.create_model(f"reference-{name}", force_preprocess_cfg=preferences)
        resize_and_crop = image_transform_v2(PreprocessCfg(**network.visual.preprocess_cfg), is_train=False).transforms
        steps = [step for step in resize_and_crop if type(step).__name__ not in ("MaybeToTensor", "Normalize")]
        assert len(steps) == len(resize_and_crop) - 2

        def apply(picture: Image.Image) -> npt.NDArray[np.uint8]:
            for step in steps:
                picture = step(picture)
            return np.asarray(picture)

        return apply

    return make
