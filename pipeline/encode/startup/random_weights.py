"""Skips the random initialisation of networks whose weights are not used, or are then all read from a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["without_random_weights"]

# Functions that change neither the shape nor the type of a tensor, by their names.
_IN_PLACE = frozenset({"fill_", "triu_", "zero_"})
_PRODUCTS = frozenset({"__mul__", "__rmul__", "mul"})


@contextmanager
def without_random_weights() -> Iterator[None]:
    """Leave weights uninitialised that torch would fill with random numbers, in this thread.

    The initialisation of a ViT-B/32 takes longer than reading its weights. Use this only for networks whose weights are
    not used, or are then all read from a file: open_clip loads a checkpoint strictly, so a missing weight is an error.

    `torch.randn` returns zeros. Of tensors on the device "meta", which have no data, products and some other functions
    are skipped as well, since torch imports SymPy for them, which takes half a second.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    skipped = {
        torch.Tensor.normal_,
        torch.Tensor.uniform_,
        torch.nn.init.kaiming_normal_,
        torch.nn.init.kaiming_uniform_,
        torch.nn.init.normal_,
        torch.nn.init.trunc_normal_,
        torch.nn.init.uniform_,
        torch.nn.init.xavier_normal_,
        torch.nn.init.xavier_uniform_,
    }

    class Unfilled(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            given = kwargs or {}
            if function in skipped:
                return args[0] if args else given["tensor"]
            if function is torch.randn:
                return torch.zeros(*args, **{name: value for name, value in given.items() if name != "generator"})
            if args and isinstance(args[0], torch.Tensor) and args[0].is_meta and _keeps_form(function, args):
                return args[0]
            return function(*args, **given)

    with Unfilled():
        yield


def _keeps_form(function: Any, args: Any) -> bool:
    """Whether the result of a function of a tensor without data is like the tensor itself."""
    name = getattr(function, "__name__", "")
    return name in _IN_PLACE or (name in _PRODUCTS and isinstance(args[1], int | float))
