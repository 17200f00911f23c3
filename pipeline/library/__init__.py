"""The public class `Library`, and the modules that implement it.

`Library` is imported on first use, so that a module of this package can be imported alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.library.library import Library

__all__ = ["Library"]


def __getattr__(name: str) -> object:
    if name != "Library":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pipeline.library.library import Library

    return Library
