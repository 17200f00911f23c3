"""The vector index of segments."""

from __future__ import annotations

from pathlib import Path

from pipeline.index.memory import MemoryIndex
from pipeline.index.milvus.index import MilvusIndex
from pipeline.index.milvus.lite.folder import discard
from pipeline.index.milvus.lite.read_only import is_writable
from pipeline.index.protocol import Filter, Hit, LabelFilter, MomentIndex, Owner
from pipeline.index.settings import Indexing

__all__ = [
    "Filter",
    "Hit",
    "Indexing",
    "LabelFilter",
    "MemoryIndex",
    "MilvusIndex",
    "MomentIndex",
    "Owner",
    "discard",
    "is_writable",
    "open_index",
]


def open_index(settings: Indexing, *, folder: Path | None, owner: Owner, dimension: int | None = None) -> MomentIndex:
    """Open the index that the settings name.

    Args:
        settings: The kind and location of the index.
        folder: Folder of Milvus Lite if `settings.uri` is None.
        owner: The owner of the index.
        dimension: Length of a vector; None if unknown.

    Raises:
        ConfigError: Milvus Lite does not support `index.kind`.
        IndexLockedError: Another process has opened the index.
        FingerprintMismatchError: The index has vectors of another encoder.
        MomentIndexError: The index cannot be opened.
    """
    if settings.backend == "memory":
        return MemoryIndex(dimension)
    return MilvusIndex(settings, owner, dimension, folder=folder)
