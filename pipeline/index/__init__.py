"""The vector index of segments."""

from __future__ import annotations

from pathlib import Path

from pipeline.index.memory import MemoryIndex
from pipeline.index.milvus import MilvusIndex
from pipeline.index.protocol import Filter, Hit, MomentIndex
from pipeline.index.settings import Indexing

__all__ = ["Filter", "Hit", "Indexing", "MemoryIndex", "MilvusIndex", "MomentIndex", "open_index"]


def open_index(
    settings: Indexing,
    *,
    folder: Path | None,
    encoder_fingerprint: str,
    encoder_description: str = "",
    dimension: int | None = None,
) -> MomentIndex:
    """Open the index that the settings name.

    Args:
        settings: Which, and where.
        folder: For Milvus Lite where `settings.uri` is None.
        encoder_fingerprint: Whose vectors it holds.
        encoder_description: The encoder for people.
        dimension: Length of a vector, where it is known.

    Raises:
        IndexLockedError: Another process holds it.
        FingerprintMismatchError: It holds another encoder's vectors.
        MomentIndexError: It cannot be opened.
    """
    if settings.backend == "memory":
        return MemoryIndex(dimension)
    return MilvusIndex(settings, encoder_fingerprint, dimension, folder=folder, encoder_description=encoder_description)
