"""Selection of the device and number format of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pipeline.errors import ConfigError
from pipeline.optional_packages import require

if TYPE_CHECKING:
    import torch

__all__ = ["select_device", "select_precision"]

Precision = Literal["fp32", "bf16", "fp16"]


def select_device(setting: str) -> torch.device:
    """Select a device by name; "auto" is the first GPU, or the CPU if there is none.

    Raises:
        ConfigError: This machine has no such device.
        MissingPackageError: torch is not installed.
    """
    require("running a model", "torch")
    import torch

    if setting == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(setting)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        cause = str(error).partition("\n")[0]
        raise ConfigError(
            f"encoder.device: {setting!r} cannot be used on this machine ({cause}); use auto or cpu"
        ) from error
    return torch.device("cuda:0") if str(device) == "cuda" else device


def select_precision(setting: Literal["auto", "fp32", "bf16", "fp16"], device: torch.device) -> Precision:
    """Select the number format; "auto" is bf16 if the hardware supports it, else fp32.

    On a processor with AMX, bf16 is five times as fast as fp32; without AMX or AVX512-BF16 it is slower.

    Raises:
        ConfigError: The setting is fp16 and the device is a processor.
    """
    if setting == "fp16" and device.type == "cpu":
        raise ConfigError("encoder.precision: fp16 needs a GPU; on a processor use auto, bf16 or fp32")
    if setting != "auto":
        return setting
    return "bf16" if _multiplies_in_bf16(device) else "fp32"


def _multiplies_in_bf16(device: torch.device) -> bool:
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))
    return False
