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
        settings: Which, and where.
        folder: For Milvus Lite where `settings.uri` is None.
        owner: Whose it is.
        dimension: Length of a vector, where it is known.

    Raises:
        ConfigError: `index.kind` is not for Milvus Lite.
        IndexLockedError: Another process holds it.
        FingerprintMismatchError: It holds another encoder's vectors.
        MomentIndexError: It cannot be opened.
    """
    if settings.backend == "memory":
        return MemoryIndex(dimension)
    return MilvusIndex(settings, owner, dimension, folder=folder)
