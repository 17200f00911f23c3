"""The server of a library: a page for people, an HTTP API for programs, and tools for agents.

FastAPI is an optional package: `create_app` is imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.serve.settings import ServeSettings

if TYPE_CHECKING:
    from pipeline.serve.app import create_app

__all__ = ["ServeSettings", "create_app"]


def __getattr__(name: str) -> object:
    if name != "create_app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pipeline.serve.app import create_app

    return create_app
