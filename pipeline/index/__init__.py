"""The vector index of segments."""

from __future__ import annotations

from pathlib import Path

from pipeline.index.memory import MemoryIndex
from pipeline.index.milvus.connection import lite_folder
from pipeline.index.milvus.index import MilvusIndex
from pipeline.index.milvus.lite.folder import discard
from pipeline.index.milvus.lite.read_only import is_writable
from pipeline.index.milvus.lite_index import LiteIndex
from pipeline.index.protocol import Filter, Hit, LabelFilter, MomentIndex, Owner
from pipeline.index.settings import Auto, Flat, Indexing

__all__ = [
    "Filter",
    "Hit",
    "Indexing",
    "LabelFilter",
    "MemoryIndex",
    "MilvusIndex",
    "MomentIndex",
    "Owner",
    "completely_open",
    "discard",
    "is_writable",
    "open_index",
]


def open_index(
    settings: Indexing,
    *,
    folder: Path | None,
    owner: Owner,
    dimension: int | None = None,
    is_searched: bool = False,
) -> MomentIndex:
    """Open the index that the settings name.

    Args:
        settings: The kind and location of the index.
        folder: Folder of Milvus Lite if `settings.uri` is None.
        owner: The owner of the index.
        dimension: Length of a vector; None if unknown.
        is_searched: Whether the index is only searched for now. Milvus Lite is then started only if it is needed.

    Raises:
        ConfigError: Milvus Lite does not support `index.kind`.
        IndexLockedError: Another process has opened the index, and does not share it.
        FingerprintMismatchError: The index has vectors of another encoder.
        MomentIndexError: The index cannot be opened.
    """
    if settings.backend == "memory":
        return MemoryIndex(dimension)
    place = lite_folder(settings, folder)
    if is_searched and place is not None and isinstance(settings.kind, Auto | Flat):
        return LiteIndex(settings, owner, place)
    return MilvusIndex(settings, owner, dimension, folder=folder)


def completely_open(index: MomentIndex) -> MomentIndex:
    """Return an index for reading and writing: that of Milvus Lite if it was opened for searches only.

    Raises:
        MomentIndexError: It cannot be opened.
    """
    return index.milvus() if isinstance(index, LiteIndex) else index
