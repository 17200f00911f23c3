"""Where a model runs and in which number format."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Literal

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    import torch

__all__ = ["chosen_device", "chosen_precision", "keep_freed_memory"]

Precision = Literal["fp32", "bf16", "fp16"]

# From glibc's malloc.h; 32 MiB is the highest threshold that it takes.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MOST_MMAP_THRESHOLD = 32 * 2**20
_MOST_TRIM_THRESHOLD = 2**31 - 1


def chosen_device(wanted: str) -> torch.device:
    """The device of that name; "auto" is the first GPU where there is one.

    Raises:
        ConfigError: There is no such device here.
    """
    import torch

    if wanted == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        cause = str(error).partition("\n")[0]
        raise ConfigError(f"encoder.device: {wanted!r} cannot be used here ({cause}); auto and cpu can") from error
    return torch.device("cuda:0") if str(device) == "cuda" else device


def chosen_precision(wanted: Literal["auto", "fp32", "bf16", "fp16"], device: torch.device) -> Precision:
    """The number format to compute in; "auto" is bf16 where the hardware multiplies in it, fp32 elsewhere.

    On a processor with AMX, bf16 is five times as fast as fp32; without AMX or AVX512-BF16 it is slower.

    Raises:
        ConfigError: fp16 is wanted on a processor.
    """
    if wanted == "fp16" and device.type == "cpu":
        raise ConfigError("encoder.precision: fp16 needs a GPU; on a processor use auto, bf16 or fp32")
    if wanted != "auto":
        return wanted
    return "bf16" if _multiplies_in_bf16(device) else "fp32"


def keep_freed_memory() -> bool:
    """Have glibc reuse what this process frees, instead of giving it back to the system; whether it could be told so.

    torch has no memory pool of its own on processors. A batch's activations are of some MiB each, which glibc maps anew
    every time, and the system then zeroes them page by page. Of what is freed, at most what was once in use is kept.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return all([mallopt(_M_MMAP_THRESHOLD, _MOST_MMAP_THRESHOLD), mallopt(_M_TRIM_THRESHOLD, _MOST_TRIM_THRESHOLD)])


def _multiplies_in_bf16(device: torch.device) -> bool:
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))
    return False
