"""The live rows of the collections of an engine: consistent views that are made again after each write."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from operator import is_
from typing import Any
from weakref import WeakKeyDictionary

from milvus_lite.constants import DEFAULT_PARTITION
from milvus_lite.engine.collection import Collection
from milvus_lite.storage.segment import Segment

from pipeline.index.milvus.lite.live_rows import LiveRows, Replaced, live_rows, replaced_rows
from pipeline.index.milvus.lite.segment_rows import SegmentRows

__all__ = ["LiveViews"]


class LiveViews:
    """The live rows of all collections of an engine, each made at the first question after a write.

    The caller ensures that no write is in progress. Segments may be merged meanwhile.
    """

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._views: WeakKeyDictionary[Collection, _View] = WeakKeyDictionary()

    def of(self, collection: Collection) -> LiveRows:
        """Return the live rows of a collection.

        Raises:
            ForeignRowsError: A segment has content that momentseek does not write.
        """
        with self._changing:
            view = self._views.get(collection)
            if view is not None and view.is_current(collection):
                if not collection._maintenance_lock.acquire(blocking=False):
                    # Segments are being merged, which takes seconds; the former ones have the same rows.
                    return view.rows
            else:
                collection._maintenance_lock.acquire()
            try:
                if view is None or not view.is_latest(collection):
                    self._views[collection] = view = _view(collection, view)
                return view.rows
            finally:
                collection._maintenance_lock.release()


@dataclass(frozen=True)
class _View:
    """The live rows of a collection, and the state that they are of.

    Attributes:
        version: The number of the next row. Each write changes it.
        memtable: Milvus Lite's buffer of rows that are not in a segment yet.
        segments: The segments without the buffer.
        of_segments: The rows of each segment and of the buffer, by the segment's `id`.
        replaced: By the `id` of two segments, the rows in them that the other one replaces.
        rows: The live rows.
    """

    version: int
    memtable: Any
    segments: tuple[Segment, ...]
    of_segments: Mapping[int, SegmentRows]
    replaced: Mapping[tuple[int, int], Replaced]
    rows: LiveRows

    def is_current(self, collection: Collection) -> bool:
        """Whether nothing was written since. A merge of segments does not count: the rows stay the same."""
        return bool(self.version == collection._next_seq and self.memtable is collection._memtable)

    def is_latest(self, collection: Collection) -> bool:
        """Whether nothing was written or merged since."""
        segments = collection._segment_cache.values()
        is_same = len(segments) == len(self.segments) and all(map(is_, segments, self.segments))
        return is_same and self.is_current(collection)


def _view(collection: Collection, former: _View | None) -> _View:
    """Make the view of a collection; what the former one knows of a segment is kept."""
    memtable, segments = collection._memtable, tuple(collection._segment_cache.values())
    known = former.of_segments if former is not None else {}
    sources = [segment for segment in (*segments, _buffered(collection)) if segment.num_rows]
    of_segments = {id(segment): known.get(id(segment)) or SegmentRows(segment) for segment in sources}
    pairs = former.replaced if former is not None else {}
    replaced: dict[tuple[int, int], Replaced] = {}
    for number, one in enumerate(sources):
        for other in sources[:number]:
            pair = id(one), id(other)
            replaced[pair] = pairs.get(pair) or replaced_rows(one, other)
    deleted = dict(collection._delta_index.snapshot)
    for key, (sequence, _) in memtable.delete_index_snapshot().items():
        deleted[key] = max(sequence, deleted.get(key, -1))
    rows = live_rows(of_segments, replaced, deleted)
    return _View(collection._next_seq, memtable, segments, of_segments, replaced, rows)


def _buffered(collection: Collection) -> Segment:
    """Return the rows that are not in a segment yet as one; there are few, since momentseek flushes each write."""
    keys, sequences, vectors, _, table = collection._memtable.to_search_snapshot("embedding", include_table=True)
    return Segment("", DEFAULT_PARTITION, "key", "embedding", keys, sequences, vectors, table)
