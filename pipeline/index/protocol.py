"""Protocols of the vector index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipeline.types import IndexedSegment, Scalar, Segment

__all__ = ["Filter", "Hit", "LabelFilter", "MomentIndex", "Owner", "Replacement"]


@dataclass(frozen=True)
class LabelFilter:
    """A condition on the labels of rows, by one label set.

    A row that carries no labels, or those of another label set, always passes: nothing is known of it.

    Attributes:
        label_set: Fingerprint of the label set.
        wanted: Each of these labels is among those that the row carries.
        unwanted: None of these labels covers the whole segment.
    """

    label_set: str
    wanted: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Filter:
    """Conditions that hits must satisfy; an empty filter accepts everything.

    Attributes:
        video_ids: Only these videos; empty for all.
        metadata: Each named entry of the video's metadata equals this value.
        labels: Condition on the segment's labels; None for none.
    """

    video_ids: tuple[str, ...] = ()
    metadata: Mapping[str, Scalar] = field(default_factory=dict)
    labels: LabelFilter | None = None


@dataclass(frozen=True)
class Hit:
    """A segment that a search found, and its cosine with the query."""

    key: str
    segment: Segment
    score: float


@dataclass(frozen=True)
class Owner:
    """The owner of an index: the library and its fingerprints; another owner's index is refused.

    Attributes:
        encoder_fingerprint: Whose vectors it holds.
        encoder_description: The encoder for people.
        library_id: Which library's rows it holds; empty where that is not told.
        library_place: Where that library is, for people.
    """

    encoder_fingerprint: str
    encoder_description: str = ""
    library_id: str = ""
    library_place: str = ""


class Replacement(Protocol):
    """An index that is being built beside the active one.

    A context manager: it is dropped unless it took over.
    """

    def upsert(self, rows: Sequence[IndexedSegment]) -> None:
        """Write rows by their keys; a key that is there already is replaced."""

    def delete_video(self, video_id: str) -> int:
        """Remove all rows of a video and return how many there were."""

    def take_over(self) -> None:
        """Become the active index in one step and drop the former one; later writes go to this one."""

    def __enter__(self) -> Replacement: ...

    def __exit__(self, *exc: object) -> None: ...


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

        Raises:
            QueryError: More are wanted than the index can give.
        """

    def delete_video(self, video_id: str) -> int:
        """Remove all rows of a video and return how many there were."""

    def keys_of(self, *video_ids: str) -> frozenset[str]:
        """The keys of all rows of these videos."""

    def videos(self) -> Mapping[str, int]:
        """How many rows there are of each video."""

    def rows_of(self, video_ids: Sequence[str]) -> Iterable[IndexedSegment]:
        """All rows of some videos, vectors included, in no order."""

    def count(self) -> int:
        """How many rows there are."""

    def video_count(self) -> int:
        """How many videos have rows, counted by the index itself: no row is read.

        A video counts by its first segment, the one with ordinal 0.
        """

    def replacement(self, dimension: int) -> Replacement:
        """Create an empty index for vectors of that length, which is to take over from this one.

        Raises:
            MomentIndexError: Another one is being built.
        """

    def close(self) -> None:
        """Close the index."""

    def __enter__(self) -> MomentIndex: ...

    def __exit__(self, *exc: object) -> None: ...
