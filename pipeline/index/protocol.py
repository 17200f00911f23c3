"""The seam between segments and what searches them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipeline.types import IndexedSegment, Scalar, Segment

__all__ = ["Filter", "Hit", "MomentIndex"]


@dataclass(frozen=True)
class Filter:
    """What a hit must satisfy; an empty filter lets everything pass.

    Attributes:
        video_ids: Only these videos; empty for all.
        metadata: Each named entry of the video's metadata equals this value.
    """

    video_ids: tuple[str, ...] = ()
    metadata: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True)
class Hit:
    """A segment that a search found, and its cosine with the query."""

    key: str
    segment: Segment
    score: float


class MomentIndex(Protocol):
    """Holds one vector a segment and finds the nearest. A context manager; closing it twice is harmless.

    Opening one that was made for another encoder's fingerprint or dimension raises FingerprintMismatchError. What an
    `upsert` or `delete_video` has returned from is seen by the next search.
    """

    def upsert(self, rows: Sequence[IndexedSegment]) -> None:
        """Write rows by their keys; a key that is there already is replaced.

        Raises:
            MomentIndexError: The index refused them; the message says why.
        """

    def search(self, vectors: npt.NDArray[np.float32], *, top: int, where: Filter | None = None) -> list[list[Hit]]:
        """The `top` nearest segments of each query vector, best first, ties by key.

        Args:
            vectors: float32 (Q, D) of unit length.
            top: How many a query, at least 1.
            where: What a hit must satisfy.
        """

    def delete_video(self, video_id: str) -> int:
        """Remove all rows of a video and return how many there were."""

    def keys_of(self, video_id: str) -> frozenset[str]:
        """The keys of all rows of a video."""

    def count(self) -> int:
        """How many rows there are."""

    def close(self) -> None:
        """Give the index back."""

    def __enter__(self) -> MomentIndex: ...

    def __exit__(self, *exc: object) -> None: ...
