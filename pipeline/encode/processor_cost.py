"""Estimates how long a processor takes to encode an image, before torch or the model are loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.encode.architecture import architecture_of
from pipeline.encode.model_tables import model_tables
from pipeline.encode.settings import Encoding
from pipeline.errors import ConfigError

__all__ = ["processor_seconds_per_image"]

_FLOPS_BF16 = 400e9
"""Operations a second of one processor in bfloat16: ViT-B/32 runs at 320e9 on an AMD EPYC (AVX512-BF16) and at 480e9
on an Intel Xeon (AMX). See docs/design/scale.md."""
_FLOPS_FP32 = 94e9
"""The same in single precision, on the AMD EPYC (benchmarks/results/encode.json)."""
_FLOP_OF_OTHERS = 8.8e9
"""Operations per image of a tower that is not a vision transformer of open_clip's own: those of ViT-B/32."""
_BF16_FLAGS = frozenset({"amx_bf16", "avx512_bf16"})
_CPU_FILE = Path("/proc/cpuinfo")
_GPU_DEVICE = Path("/dev/nvidia0")
_FLAGS = re.compile(r"^flags\s*:(.*)$", re.MULTILINE)


def processor_seconds_per_image(settings: Encoding) -> float:
    """Estimate the processor seconds for one image; 0 if a GPU encodes, which leaves the processors to the decoders.

    The estimate is the number of operations of the image tower over the speed of the two machines that the constants
    name. Another processor may take a fraction or a multiple of it.
    """
    if settings.device != "cpu" and (settings.device != "auto" or _GPU_DEVICE.exists()):
        return 0.0
    is_bf16 = settings.precision == "bf16" or (settings.precision == "auto" and _has_bf16())
    return _flop_per_image(settings) / (_FLOPS_BF16 if is_bf16 else _FLOPS_FP32)


def _has_bf16() -> bool:
    """Whether the processor multiplies matrices in bfloat16; False if that is unknown."""
    try:
        found = _FLAGS.search(_CPU_FILE.read_text(errors="replace"))
    except OSError:
        return False
    return found is not None and not _BF16_FLAGS.isdisjoint(found[1].split())


def _flop_per_image(settings: Encoding) -> float:
    try:
        architecture = architecture_of(settings)
        network = architecture.network or model_tables().get_model_config(architecture.name)
        return _flop_of_transformer((network or {})["vision_cfg"])
    except (ConfigError, KeyError, TypeError, ValueError, ArithmeticError):
        # An unusable model is reported when it is opened.
        return _FLOP_OF_OTHERS


def _flop_of_transformer(vision: Mapping[str, Any]) -> float:
    """Count the operations of a vision transformer.

    Raises:
        KeyError, TypeError: The tower is of another kind.
    """
    if "timm_model_name" in vision:
        raise KeyError("timm_model_name")
    size, patch = vision.get("image_size", 224), int(vision["patch_size"])
    height, width = (size, size) if isinstance(size, int) else (int(side) for side in size)
    patches = (height // patch) * (width // patch)
    channels, layers = int(vision.get("width", 768)), int(vision.get("layers", 12))
    tokens = patches + 1
    # Four square products of attention, and two of the hidden layer, which is `mlp_ratio` times as wide.
    weights = (4 + 2 * float(vision.get("mlp_ratio", 4.0))) * channels**2
    block = 2 * weights * tokens + 4 * tokens**2 * channels
    return layers * block + 2 * 3 * patch**2 * channels * patches
