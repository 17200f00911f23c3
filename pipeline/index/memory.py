"""An exact index in this process's memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from pipeline.index.greatest import greatest
from pipeline.index.protocol import Filter, Hit, LabelFilter
from pipeline.index.validation import check_query, check_rows
from pipeline.types import IndexedSegment

__all__ = ["MemoryIndex"]


class MemoryIndex:
    """An exact `MomentIndex` in memory; it is empty after `close`.

    It is the reference for testing other indexes, and fast up to about 100,000 segments.
    """

    def __init__(self, dimension: int | None = None) -> None:
        self._dimension = dimension
        self._rows: dict[str, IndexedSegment] = {}
        self._sorted: tuple[list[IndexedSegment], npt.NDArray[np.float64]] | None = None

    def __repr__(self) -> str:
        return f"MemoryIndex({len(self._rows)} rows)"

    def upsert(self, rows: Sequence[IndexedSegment]) -> None:
        """Write rows; a row with an existing key replaces the old one."""
        self._dimension = check_rows(rows, self._dimension)
        self._rows.update((row.key, row) for row in rows)
        self._sorted = None

    def search(self, vectors: npt.NDArray[np.float32], *, top: int, where: Filter | None = None) -> list[list[Hit]]:
        """Find the `top` nearest segments of each query vector, best first, ties by key."""
        check_query(vectors, top=top, where=where, dimension=self._dimension)
        rows, matrix = self._by_key()
        if where is not None and where != _ALL:
            # A set, since a filter may name a thousand videos.
            video_ids = frozenset(where.video_ids)
            passing = [number for number, row in enumerate(rows) if _passes(row, video_ids, where)]
            rows, matrix = [rows[number] for number in passing], matrix[passing]
        if not rows:
            return [[] for _ in vectors]
        # Scores of equal rows can differ in the last digit, by their position in the product, so they are rounded. Rows
        # are sorted by key, so a stable sort orders ties by key.
        scores = np.round(vectors.astype(np.float64) @ matrix.T, 12)
        return [
            [Hit(rows[number].key, rows[number].segment, float(of_query[number])) for number in greatest(of_query, top)]
            for of_query in scores
        ]

    def delete_video(self, video_id: str) -> int:
        """Remove all rows of a video and return their number."""
        keys = self.keys_of(video_id)
        for key in keys:
            del self._rows[key]
        self._sorted = None
        return len(keys)

    def keys_of(self, *video_ids: str) -> frozenset[str]:
        """Return the keys of all rows of these videos."""
        return frozenset(key for key, row in self._rows.items() if row.segment.video_id in video_ids)

    def videos(self) -> Counter[str]:
        """Count the rows of each video."""
        return Counter(row.segment.video_id for row in self._rows.values())

    def rows_of(self, video_ids: Sequence[str]) -> Iterator[IndexedSegment]:
        """Return all rows of some videos, ordered by key."""
        wanted = set(video_ids)
        return (row for _, row in sorted(self._rows.items()) if row.segment.video_id in wanted)

    def count(self) -> int:
        """Count the rows."""
        return len(self._rows)

    def video_count(self) -> int:
        """Count the videos that have a first segment."""
        return sum(row.segment.ordinal == 0 for row in self._rows.values())

    def replacement(self, dimension: int) -> _MemoryReplacement:
        """Make an empty index for vectors of this length, to be filled and then to replace this one."""
        return _MemoryReplacement(self, dimension)

    def _become(self, other: MemoryIndex) -> None:
        self._dimension, self._rows, self._sorted = other._dimension, other._rows, None

    def close(self) -> None:
        """Discard the rows."""
        self._rows.clear()
        self._sorted = None

    def __enter__(self) -> MemoryIndex:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _by_key(self) -> tuple[list[IndexedSegment], npt.NDArray[np.float64]]:
        if self._sorted is None:
            rows = [self._rows[key] for key in sorted(self._rows)]
            matrix = np.empty((len(rows), self._dimension or 0), np.float64)
            for number, row in enumerate(rows):
                matrix[number] = row.vector
            self._sorted = rows, matrix
        return self._sorted


class _MemoryReplacement(MemoryIndex):
    def __init__(self, before: MemoryIndex, dimension: int) -> None:
        super().__init__(dimension)
        self._before = before

    def take_over(self) -> None:
        self._before._become(self)

    def close(self) -> None:
        """Do nothing: after `take_over`, the other index owns the rows."""

    def __enter__(self) -> _MemoryReplacement:
        return self


_ALL = Filter()


def _passes(row: IndexedSegment, video_ids: frozenset[str], where: Filter) -> bool:
    if video_ids and row.segment.video_id not in video_ids:
        return False
    if where.labels is not None and not _passes_labels(row, where.labels):
        return False
    return all(name in row.metadata and row.metadata[name] == value for name, value in where.metadata.items())


def _passes_labels(row: IndexedSegment, where: LabelFilter) -> bool:
    labels = row.labels
    if labels is None or labels.label_set != where.label_set:
        return True
    return set(where.wanted) <= set(labels.some) and not set(where.unwanted) & set(labels.whole)
