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
        metadata: Required values of the video's metadata, by name.
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
    """The owner of an index: a library and its encoder; an index of another owner is rejected.

    Attributes:
        encoder_fingerprint: Fingerprint of the encoder that made the vectors.
        encoder_description: Readable name of the encoder.
        library_id: Id of the library; empty if unknown.
        library_place: Location of the library, for messages.
    """

    encoder_fingerprint: str
    encoder_description: str = ""
    library_id: str = ""
    library_place: str = ""


class Replacement(Protocol):
    """An index that is being built beside the active one.

    It is a context manager, which drops the replacement unless it took over.
    """

    def upsert(self, rows: Sequence[IndexedSegment]) -> None:
        """Write rows; a row with an existing key replaces the old one."""

    def delete_video(self, video_id: str) -> int:
        """Remove all rows of a video and return their number."""

    def take_over(self) -> None:
        """Become the active index in one step and drop the previous one; later writes go to this one."""

    def __enter__(self) -> Replacement: ...

    def __exit__(self, *exc: object) -> None: ...


class MomentIndex(Protocol):
    """An index with one vector per segment, which finds the nearest ones.

    It is a context manager, and closing it twice is harmless. Opening an index that was made for another encoder
    fingerprint or dimension raises FingerprintMismatchError. When `upsert` or `delete_video` returns, its changes are
    visible to the next search.
    """

    def upsert(self, rows: Sequence[IndexedSegment]) -> None:
        """Write rows; a row with an existing key replaces the old one.

        Raises:
            MomentIndexError: The index refused the rows; the message states why.
        """

    def search(self, vectors: npt.NDArray[np.float32], *, top: int, where: Filter | None = None) -> list[list[Hit]]:
        """Find the `top` nearest segments of each query vector, best first, ties by key.

        Args:
            vectors: float32 (Q, D) of unit length.
            top: Maximum number of hits per query vector, at least 1.
            where: Filter of the hits; None for no filter.

        Raises:
            QueryError: `top` is more than the index can return.
        """

    def delete_video(self, video_id: str) -> int:
        """Remove all rows of a video and return their number."""

    def keys_of(self, *video_ids: str) -> frozenset[str]:
        """Return the keys of all rows of these videos."""

    def videos(self) -> Mapping[str, int]:
        """Count the rows of each video."""

    def rows_of(self, video_ids: Sequence[str]) -> Iterable[IndexedSegment]:
        """Return all rows of some videos with their vectors, in any order."""

    def count(self) -> int:
        """Count the rows."""

    def video_count(self) -> int:
        """Count the videos that have rows. The index itself does this, without returning rows.

        A video is counted by its first segment, the one with ordinal 0.
        """

    def replacement(self, dimension: int) -> Replacement:
        """Create an empty index for vectors of this length, to be filled and then to replace this one.

        Raises:
            MomentIndexError: Another rebuild is in progress.
        """

    def close(self) -> None:
        """Close the index."""

    def __enter__(self) -> MomentIndex: ...

    def __exit__(self, *exc: object) -> None: ...
