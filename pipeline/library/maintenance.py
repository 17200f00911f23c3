"""Rebuild, complete or prune the index of a library from its store."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pipeline.errors import MomentIndexError, StoreError
from pipeline.index.protocol import MomentIndex, Replacement
from pipeline.library.verification import OnVideo, batches, row_difference, rows_by_video
from pipeline.segment.row_recipe import RowRecipe
from pipeline.store import ParquetStore, erase, traces
from pipeline.store.loading import Loaded, load_videos
from pipeline.types import IndexedSegment, Scalar, VideoRecord

__all__ = ["OnVideo", "Rebuilt", "Removed", "fill", "rebuild", "remove"]

_log = logging.getLogger(__name__)

_ROWS_PER_WRITE = 5000


@dataclass(frozen=True)
class Rebuilt:
    """The result of a rebuild: the rows written to the index, and the time it took."""

    videos: int
    segments: int
    elapsed_seconds: float


@dataclass(frozen=True)
class Removed:
    """The receipt for a removed video, with the result of a check afterwards.

    Attributes:
        video_id: The video.
        names: All paths and URIs under which the video was indexed.
        segments: Number of index rows that were removed.
        frames: Number of frame embeddings that were removed.
        files: Number of library files that were removed.
        remaining_segments: Number of rows that the index still finds: 0.
        remaining_files: Number of files that still exist: 0.
    """

    video_id: str
    names: tuple[str, ...]
    segments: int
    frames: int
    files: int
    remaining_segments: int
    remaining_files: int


def rebuild(index: MomentIndex, store: ParquetStore, recipe: RowRecipe, *, on_video: OnVideo | None = None) -> Rebuilt:
    """Build a new index from the store next to the old one, which it then replaces in one step.

    Changes that other processes make to the store meanwhile are applied before and after that step. If the rebuild is
    interrupted, the old index stays in use.

    Raises:
        MomentIndexError: The index cannot be written, or another rebuild is under way.
        StoreError: Frame embeddings are broken.
        ConfigError: The segmentation needs cuts that a video lacks.
    """
    started = time.monotonic()
    work = _Rebuild(store, recipe)
    records = list(store.records())
    if not records:
        for video_id in index.videos():
            index.delete_video(video_id)
        return Rebuilt(0, 0, time.monotonic() - started)
    dimension = store.read(records[0].video_id).vectors.shape[1]
    with index.replacement(dimension) as fresh:
        work.fill(fresh, records, on_video)
        work.catch_up(fresh)
        fresh.take_over()
    work.catch_up(index)
    return Rebuilt(len(work.written), sum(work.written.values()), time.monotonic() - started)


def fill(
    index: MomentIndex,
    store: ParquetStore,
    recipe: RowRecipe,
    *,
    switch: Callable[[], None],
    on_video: OnVideo | None = None,
) -> Rebuilt:
    """Write the rows that an index at a new place lacks, and remove those that it should not have.

    Correct rows that are already there are kept, so that a run after an interruption continues.

    Args:
        index: The index at the new place; nobody searches it yet.
        store: The store of the frame embeddings.
        recipe: Makes the rows of the frame embeddings.
        switch: Called once all rows are written. Changes to the store until it returns are applied afterwards.
        on_video: Called with the number of videos done and their total.

    Raises:
        MomentIndexError: The index cannot be read or written.
        StoreError: Frame embeddings are broken.
        ConfigError: The segmentation needs cuts that a video lacks.
    """
    started = time.monotonic()
    work = _Rebuild(store, recipe)
    records = list(store.records())
    done = 0
    for batch in batches(records):
        work.complete(index, batch)
        done += len(batch)
        if on_video is not None:
            on_video(done, len(records))
    for video_id in set(index.videos()) - work.written.keys():
        index.delete_video(video_id)
    switch()
    work.catch_up(index)
    return Rebuilt(len(work.written), sum(work.written.values()), time.monotonic() - started)


class _Rebuild:
    """Records which videos were written to an index, with how many rows and with which metadata and label set."""

    def __init__(self, store: ParquetStore, recipe: RowRecipe) -> None:
        self._store = store
        self._recipe = recipe
        self._metadata: dict[str, Mapping[str, Scalar]] = {}
        self._label_sets: dict[str, str | None] = {}
        self.written: dict[str, int] = {}

    def fill(
        self, index: MomentIndex | Replacement, records: Sequence[VideoRecord], on_video: OnVideo | None = None
    ) -> None:
        pending: list[IndexedSegment] = []
        loaded = load_videos(self._store, [record.video_id for record in records], lambda _: True)
        for number, video in enumerate(loaded, 1):
            pending += self._rows(video)
            if len(pending) >= _ROWS_PER_WRITE or number == len(records):
                index.upsert(pending)
                pending = []
            if on_video is not None:
                on_video(number, len(records))

    def complete(self, index: MomentIndex, records: Sequence[VideoRecord]) -> None:
        """Write the rows of some videos that the index lacks, or that differ there."""
        in_index = rows_by_video(index, records)
        missing: list[IndexedSegment] = []
        loaded = load_videos(self._store, [record.video_id for record in records], lambda _: True)
        for record, video in zip(records, loaded, strict=True):
            expected = {row.key: row for row in self._rows(video)}
            present = in_index[record.video_id]
            if present.keys() - expected.keys():
                index.delete_video(record.video_id)
                present = {}
            missing += [row for key, row in expected.items() if key not in present or row_difference(row, present[key])]
        index.upsert(missing)

    def catch_up(self, index: MomentIndex | Replacement) -> None:
        """Apply the changes that were made to the store since it was read."""
        records = {record.video_id: record for record in self._store.records()}
        for video_id in self.written.keys() - records.keys():
            index.delete_video(video_id)
            del self.written[video_id], self._metadata[video_id], self._label_sets[video_id]
        labels = {} if self._recipe.labels is None else self._recipe.labels.label_sets()
        changed = [
            record
            for video_id, record in records.items()
            if self._metadata.get(video_id) != dict(record.metadata)
            or self._label_sets.get(video_id) != labels.get(video_id)
        ]
        if changed:
            _log.info("%d videos were written while the index was rebuilt", len(changed))
            self.fill(index, changed)

    def _rows(self, video: Loaded) -> list[IndexedSegment]:
        if isinstance(video, StoreError):
            raise video
        if video is None or video.frames is None:
            # The video was removed since the store was listed.
            return []
        record = video.record
        rows = self._recipe.rows(video.frames, record.metadata)
        self.written[record.video_id], self._metadata[record.video_id] = len(rows), dict(record.metadata)
        labels = rows[0].labels if rows else None
        self._label_sets[record.video_id] = None if labels is None else labels.label_set
        return rows


def remove(index: MomentIndex, store: ParquetStore, video_id: str, names: Sequence[str] = ()) -> Removed:
    """Remove a video from index and store, and check afterwards that nothing of it is left.

    After an interruption, call it again with the video's id. The index is cleared first, since rows without frames
    are useless.

    Raises:
        MomentIndexError: The index cannot be written, or rows of the video are still found.
        StoreError: A file cannot be removed, or still exists.
    """
    # A video whose file is broken can be removed, too.
    record = None
    with suppress(StoreError):
        record = store.record(video_id)
    segments = index.delete_video(video_id)
    files = erase(store.root_url, video_id)
    # A batch or a rebuild under way may have written rows since.
    segments += index.delete_video(video_id)
    remaining_keys, remaining_files = index.keys_of(video_id), traces(store.root_url, video_id)
    if remaining_keys:
        raise MomentIndexError(
            f"{video_id}: {len(remaining_keys)} rows are still in the index, written by another process; wait until it"
            f" ends, and remove the video again: momentseek remove {video_id}"
        )
    if remaining_files:
        raise StoreError(
            f"{video_id}: these files still exist: {', '.join(remaining_files)}; remove the video again when no batch"
            " runs"
        )
    known = tuple(record.names) if record is not None else tuple(names)
    frames = record.frame_count if record is not None else 0
    return Removed(video_id, known, segments, frames, len(files), len(remaining_keys), len(remaining_files))
