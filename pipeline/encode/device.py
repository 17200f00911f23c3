"""Selection of the device and number format of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    import torch

__all__ = ["select_device", "select_precision"]

Precision = Literal["fp32", "bf16", "fp16"]


def select_device(wanted: str) -> torch.device:
    """Select a device by name; "auto" is the first GPU, or the CPU where there is none.

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


def select_precision(wanted: Literal["auto", "fp32", "bf16", "fp16"], device: torch.device) -> Precision:
    """Select the number format; "auto" is bf16 where the hardware supports it, fp32 elsewhere.

    On a processor with AMX, bf16 is five times as fast as fp32; without AMX or AVX512-BF16 it is slower.

    Raises:
        ConfigError: fp16 is wanted on a processor.
    """
    if wanted == "fp16" and device.type == "cpu":
        raise ConfigError("encoder.precision: fp16 needs a GPU; on a processor use auto, bf16 or fp32")
    if wanted != "auto":
        return wanted
    return "bf16" if _multiplies_in_bf16(device) else "fp32"


def _multiplies_in_bf16(device: torch.device) -> bool:
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))
    return False
