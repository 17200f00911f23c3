"""Interpolation of the weights of two checkpoints of one network (WiSE-FT: Wortsman et al. 2022, arXiv:2109.01903).

A fine-tuned model knows its own data better than the model that it was made from, and all else worse. The mean of both
models' weights often keeps most of the former and loses little of the latter.
"""

from __future__ import annotations

import pickle
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.encode.weights.checkpoint import check_weights_file
from pipeline.errors import ConfigError
from pipeline.parsing import shown

if TYPE_CHECKING:
    import torch

__all__ = ["interpolate_checkpoints"]

# torch's DistributedDataParallel puts this before each name.
_WRAPPED = "module."


def interpolate_checkpoints(first: str | Path, second: str | Path, alpha: float, target: str | Path) -> int:
    """Write `(1 - alpha) * first + alpha * second` as a checkpoint; tensors of integers are those of the second.

    Args:
        first: Checkpoint, .safetensors or .pt, of the model that was fine-tuned.
        second: Checkpoint of the fine-tuned model; one of open_clip's trainer, with the optimizer's state, is fine.
        alpha: Share of the second, 0 to 1.
        target: The .safetensors file that is written; one that is there is replaced.

    Returns:
        The number of tensors.

    Raises:
        ConfigError: `alpha` is out of range, a file is not a checkpoint or cannot be read or written, or the two are
            not of one network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    if not 0 <= alpha <= 1:
        raise ConfigError(f"alpha is {alpha}; it is the share of the second checkpoint, from 0 to 1")
    path = Path(target)
    if path.suffix != ".safetensors":
        raise ConfigError(f"{path}: the checkpoint that is written ends in .safetensors")
    one, two = _read(Path(first)), _read(Path(second))
    _check_same_network(one, two, str(first), str(second))
    mixed = {name: _mixed(one[name], two[name], alpha) for name in sorted(one)}
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        save_file(mixed, str(partial))
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"{path}: cannot be written: {error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return len(mixed)


def _read(path: Path) -> Mapping[str, torch.Tensor]:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        check_weights_file(path)
        if path.suffix == ".safetensors":
            tensors: dict[str, torch.Tensor] = load_file(str(path))
            return tensors
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError, SafetensorError) as error:
        cause = "it contains more than tensors, or is broken" if isinstance(error, pickle.UnpicklingError) else error
        raise ConfigError(f"{path}: cannot be read as a checkpoint: {cause}") from error
    found = found.get("state_dict", found) if isinstance(found, dict) else {}
    tensors = {
        str(name).removeprefix(_WRAPPED): value for name, value in found.items() if isinstance(value, torch.Tensor)
    }
    if not tensors:
        raise ConfigError(f"{path}: holds no weights of a network")
    return tensors


def _check_same_network(
    one: Mapping[str, torch.Tensor], two: Mapping[str, torch.Tensor], first: str, second: str
) -> None:
    for name in sorted(one.keys() ^ two.keys()):
        place, other = (first, second) if name in one else (second, first)
        raise ConfigError(f"{other} is not of the network of {place}: it has no tensor {shown(name)}")
    for name, tensor in one.items():
        if tensor.shape != two[name].shape:
            raise ConfigError(
                f"{second} is not of the network of {first}: its tensor {shown(name)} has the shape"
                f" {tuple(two[name].shape)}, not {tuple(tensor.shape)}"
            )


def _mixed(one: torch.Tensor, two: torch.Tensor, alpha: float) -> torch.Tensor:
    if not one.is_floating_point():
        return two.clone().contiguous()
    mixed = one.double() * (1 - alpha) + two.double() * alpha
    return mixed.to(one.dtype).contiguous()
