"""Imports open_clip without the packages that most models do not use, which take half of the time of its import.

These are torch's compiler (torch._dynamo, with SymPy) and timm. Neither changes an embedding.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import ModuleType
from typing import TypeVar

__all__ = ["import_open_clip", "without_compiler"]

_COMPILER, _COMPILER_UTILITIES, _TIMM = "torch._dynamo", "torch._dynamo.utils", "timm"
_IMPORTED = ("open_clip", "timm", "torchvision")

F = TypeVar("F")


def import_open_clip(*, with_timm: bool) -> None:
    """Import open_clip, and defer its optional packages until they are first used.

    Args:
        with_timm: Whether the model's image tower is one of timm's; open_clip does without timm otherwise.

    Raises:
        ModuleNotFoundError: torch or open_clip is not installed.
    """
    import torch  # noqa: F401 - before the placeholders, since torch itself refers to its compiler

    if "open_clip" not in sys.modules:
        before = set(sys.modules)
        try:
            with without_compiler(), nullcontext() if with_timm else _without_timm():
                import open_clip
        except Exception:  # noqa: BLE001 - an error that no placeholder caused is raised again by the second import
            for name in [name for name in sys.modules if name not in before and name.partition(".")[0] in _IMPORTED]:
                del sys.modules[name]
    import open_clip

    adapter = open_clip.timm_model
    if with_timm and adapter.timm is None:
        # Imported without timm for an earlier model. Its classes stay the same objects for the rest of open_clip,
        # whose functions find timm in the module that is executed again here.
        importlib.reload(adapter)


@contextmanager
def without_compiler() -> Iterator[None]:
    """Prevent that the block imports torch's compiler for functions that only mark others for it.

    torchvision takes a function of the compiler for its deterministic pooling of regions. timm, and torch for some
    operations, exclude functions from compilation. Nothing is compiled in the block.
    """
    if _COMPILER in sys.modules:
        yield
        return
    placeholders = {_COMPILER: ModuleType(_COMPILER), _COMPILER_UTILITIES: ModuleType(_COMPILER_UTILITIES)}
    vars(placeholders[_COMPILER])["disable"] = _unchanged
    vars(placeholders[_COMPILER_UTILITIES])["is_compile_supported"] = _is_compile_supported
    sys.modules.update(placeholders)
    try:
        yield
    finally:
        for name, placeholder in placeholders.items():
            if sys.modules.get(name) is placeholder:
                del sys.modules[name]


def _unchanged(function: F, *_options: object, **_more: object) -> F:
    return function


def _is_compile_supported(device_type: str) -> bool:
    from torch._dynamo.utils import is_compile_supported

    return bool(is_compile_supported(device_type))


@contextmanager
def _without_timm() -> Iterator[None]:
    """Let open_clip find no timm, which it imports if it is installed."""
    if _TIMM in sys.modules:
        yield
        return
    sys.modules[_TIMM] = None  # type: ignore[assignment]  # Python's own mark of an absent module
    try:
        yield
    finally:
        del sys.modules[_TIMM]
