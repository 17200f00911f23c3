"""momentseek: search hours of video by describing the moment.

    from pipeline import Library

    with Library.open("my-library") as library:
        for report in library.index(["a.mp4", "b.mp4"]):
            ...
        for moment in library.search("a person in a hard hat"):
            ...

Importing this package loads nothing but itself; each name below is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.client.client import Client
    from pipeline.library import Library
    from pipeline.run_config import RunConfig, load_run_config
    from pipeline.types import Moment, Source, Status, VideoRecord, VideoReport

__all__ = [
    "Client",
    "Library",
    "Moment",
    "RunConfig",
    "Source",
    "Status",
    "VideoRecord",
    "VideoReport",
    "load_run_config",
]

_HOMES = {
    "Client": "pipeline.client.client",
    "Library": "pipeline.library",
    "Moment": "pipeline.types",
    "RunConfig": "pipeline.run_config",
    "Source": "pipeline.types",
    "Status": "pipeline.types",
    "VideoRecord": "pipeline.types",
    "VideoReport": "pipeline.types",
    "load_run_config": "pipeline.run_config",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
