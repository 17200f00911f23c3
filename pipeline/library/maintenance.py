"""The index held against the store it is made from: built anew, compared with it, and rid of a video."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.errors import MomentIndexError, StoreError
from pipeline.index.foreign_text import shown
from pipeline.index.protocol import MomentIndex, Replacement
from pipeline.segment.row_recipe import RowRecipe
from pipeline.store import ParquetStore, erase, traces
from pipeline.store.checksum import FileState
from pipeline.types import IndexedSegment, Scalar, VideoRecord

__all__ = ["Comparison", "Difference", "OnVideo", "Rebuilt", "Removed", "compare", "fill", "rebuild", "remove"]

_log = logging.getLogger(__name__)

OnVideo = Callable[[int, int], None]
"""Told how many videos are done, of how many."""

_ROWS_A_WRITE = 5000
_VIDEOS_A_READ = 32
_VECTOR_TOLERANCE = 1e-5
_SECONDS_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild put into the index, and how long it took."""

    videos: int
    segments: int
    elapsed_seconds: float


@dataclass(frozen=True)
class Difference:
    """Where the index is not what the store says of one video.

    Attributes:
        video_id: The video.
        names: Where it was seen; empty where the store does not know it.
        missing: Keys of rows that the index should have.
        extra: Keys of rows that it should not have.
        different: Keys of rows whose times, metadata or vector differ, and how.
        file: "changed" where the file of the frame embeddings has another checksum than it was written with, and the
            rows were not compared; "missing" where the index has rows of a video without such a file.
        problem: Why the video cannot be compared: its file is broken. Empty where it was.
    """

    video_id: str
    names: tuple[str, ...]
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    different: Mapping[str, str] | None = None
    file: Literal["changed", "missing"] | None = None
    problem: str = ""

    def __bool__(self) -> bool:
        return bool(self.missing or self.extra or self.different or self.file or self.problem)


@dataclass(frozen=True)
class Comparison:
    """What was compared.

    Attributes:
        videos: Videos of the store.
        segments: Rows that they should have.
        differences: Where the index or a file is not as it should be.
        without_checksum: Files that were written by a version that kept no checksums.
    """

    videos: int
    segments: int
    differences: tuple[Difference, ...]
    without_checksum: int = 0


@dataclass(frozen=True)
class Removed:
    """The receipt for a removed video; what remained of it was looked for afterwards.

    Attributes:
        video_id: The video.
        names: Every path or URI under which it was seen.
        segments: Rows of the index that were removed.
        frames: Frame embeddings that were removed.
        files: Files of the library that were removed.
        remaining_segments: Rows that the index still finds: 0.
        remaining_files: Files that are still there: 0.
    """

    video_id: str
    names: tuple[str, ...]
    segments: int
    frames: int
    files: int
    remaining_segments: int
    remaining_files: int


def rebuild(index: MomentIndex, store: ParquetStore, recipe: RowRecipe, *, on_video: OnVideo | None = None) -> Rebuilt:
    """Make the index anew of what the store has, beside the one that answers, which it then replaces in one step.

    What others write to the store meanwhile is caught up with, before and after that step. Where it ends early, the old
    index goes on answering.

    Raises:
        MomentIndexError: The index cannot be written, or another rebuild is under way.
        StoreError: Frame embeddings are broken.
        ConfigError: The segmentation needs cuts, and a video has none.
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

    Rows that are there and right are kept, so that one that was interrupted goes on when it is run again.

    Args:
        index: At the new place; nobody searches it yet.
        store: Where the frame embeddings are.
        recipe: How they become rows.
        switch: Called once all rows are written. What others write to the store until it returns is caught up with.
        on_video: Told how many videos are done, of how many.

    Raises:
        MomentIndexError: The index cannot be read or written.
        StoreError: Frame embeddings are broken.
        ConfigError: The segmentation needs cuts, and a video has none.
    """
    started = time.monotonic()
    work = _Rebuild(store, recipe)
    records = list(store.records())
    done = 0
    for some in _portions(records):
        work.complete(index, some)
        done += len(some)
        if on_video is not None:
            on_video(done, len(records))
    for video_id in set(index.videos()) - work.written.keys():
        index.delete_video(video_id)
    switch()
    work.catch_up(index)
    return Rebuilt(len(work.written), sum(work.written.values()), time.monotonic() - started)


class _Rebuild:
    """What was written so far: videos, their rows and the metadata that these carry."""

    def __init__(self, store: ParquetStore, recipe: RowRecipe) -> None:
        self._store = store
        self._recipe = recipe
        self._metadata: dict[str, Mapping[str, Scalar]] = {}
        self.written: dict[str, int] = {}

    def fill(
        self, index: MomentIndex | Replacement, records: Sequence[VideoRecord], on_video: OnVideo | None = None
    ) -> None:
        waiting: list[IndexedSegment] = []
        for number, record in enumerate(records, 1):
            waiting += self._rows(record)
            if len(waiting) >= _ROWS_A_WRITE or number == len(records):
                index.upsert(waiting)
                waiting = []
            if on_video is not None:
                on_video(number, len(records))

    def complete(self, index: MomentIndex, records: Sequence[VideoRecord]) -> None:
        """Write those rows of some videos that the index lacks or has otherwise."""
        kept: dict[str, dict[str, IndexedSegment]] = {record.video_id: {} for record in records}
        for row in index.rows_of([*kept]):
            kept[row.segment.video_id][row.key] = row
        missing: list[IndexedSegment] = []
        for record in records:
            rows = {row.key: row for row in self._rows(record)}
            theirs = kept[record.video_id]
            if theirs.keys() - rows.keys():
                index.delete_video(record.video_id)
                theirs = {}
            missing += [row for key, row in rows.items() if key not in theirs or _unlike(row, theirs[key])]
        index.upsert(missing)

    def catch_up(self, index: MomentIndex | Replacement) -> None:
        """Do what was done to the store since it was read."""
        records = {record.video_id: record for record in self._store.records()}
        for video_id in self.written.keys() - records.keys():
            index.delete_video(video_id)
            del self.written[video_id], self._metadata[video_id]
        changed = [r for r in records.values() if self._metadata.get(r.video_id) != dict(r.metadata)]
        if changed:
            _log.info("%d videos were written while the index was rebuilt", len(changed))
            self.fill(index, changed)

    def _rows(self, record: VideoRecord) -> list[IndexedSegment]:
        try:
            frames = self._store.read(record.video_id)
        except StoreError:
            if self._store.record(record.video_id) is not None:
                raise
            # It was removed since the store was listed.
            return []
        rows = self._recipe.rows(frames, record.metadata)
        self.written[record.video_id], self._metadata[record.video_id] = len(rows), dict(record.metadata)
        return rows


def compare(
    index: MomentIndex, store: ParquetStore, recipe: RowRecipe, *, on_video: OnVideo | None = None
) -> Comparison:
    """Hold every file against its checksum, and every row of the index against the file; neither is changed.

    Vectors may differ by 1e-5 in each number, times by a microsecond. Videos that are being indexed meanwhile can seem
    to miss rows.

    Raises:
        MomentIndexError: The index cannot be read.
        StoreError: The store cannot be listed. A video whose file is broken is a difference with a problem.
        ConfigError: The segmentation needs cuts, and a video has none.
    """
    in_index = set(index.videos())
    states = {video_id: _file_state(store, video_id) for video_id in store.video_ids()}
    changed = {video_id for video_id, state in states.items() if state == "changed"}
    records, broken = store.survey()
    records = [record for record in records if record.video_id not in changed]
    differences = [
        Difference(video_id, (), problem=str(error)) for video_id, error in broken.items() if video_id not in changed
    ]
    segments, done = 0, 0
    for some in _portions(records):
        kept: dict[str, dict[str, IndexedSegment]] = {record.video_id: {} for record in some}
        for row in index.rows_of([*kept]):
            kept[row.segment.video_id][row.key] = row
        for record in some:
            try:
                rows = recipe.rows(store.read(record.video_id), record.metadata)
            except StoreError as error:
                differences.append(Difference(record.video_id, record.names, problem=str(error)))
                continue
            segments += len(rows)
            differences.append(_difference(record, {row.key: row for row in rows}, kept[record.video_id]))
        done += len(some)
        if on_video is not None:
            on_video(done, len(records))
    differences += [Difference(video_id, _names_in(store, video_id), file="changed") for video_id in sorted(changed)]
    for video_id in sorted(in_index - states.keys()):
        differences.append(Difference(video_id, (), extra=tuple(sorted(index.keys_of(video_id))), file="missing"))
    without = sum(state == "no checksum" for state in states.values())
    return Comparison(len(states), segments, tuple(filter(None, differences)), without)


def _file_state(store: ParquetStore, video_id: str) -> FileState | None:
    """Whether a file has its checksum; None where it cannot be opened, which the survey of the store reports."""
    with suppress(StoreError):
        return store.file_state(video_id)
    return None


def remove(index: MomentIndex, store: ParquetStore, video_id: str, names: Sequence[str] = ()) -> Removed:
    """Take a video out of the index and the store, and look afterwards whether anything of it is left.

    Ended early, it can be run again by the video's id. The index goes first: a row without its frames is of no use.

    Raises:
        MomentIndexError: The index cannot be written, or rows of the video are still found.
        StoreError: A file cannot be removed, or is still there.
    """
    # One whose file is broken can be removed, too.
    record = None
    with suppress(StoreError):
        record = store.record(video_id)
    segments = index.delete_video(video_id)
    files = erase(store.root_url, video_id)
    # A batch or a rebuild that was under way may have written rows since.
    segments += index.delete_video(video_id)
    left, still = index.keys_of(video_id), traces(store.root_url, video_id)
    if left:
        raise MomentIndexError(
            f"{video_id}: {len(left)} rows are still in the index; another process writes them. Wait for it to end and"
            f" remove the video again: momentseek remove {video_id}"
        )
    if still:
        raise StoreError(f"{video_id}: still there: {', '.join(still)}; remove the video again when no batch runs")
    known = tuple(record.names) if record is not None else tuple(names)
    frames = record.frame_count if record is not None else 0
    return Removed(video_id, known, segments, frames, len(files), len(left), len(still))


def _names_in(store: ParquetStore, video_id: str) -> tuple[str, ...]:
    """A video's names as far as a changed file can be read."""
    with suppress(StoreError):
        record = store.record(video_id)
        return () if record is None else record.names
    return ()


def _difference(
    record: VideoRecord, ours: Mapping[str, IndexedSegment], theirs: Mapping[str, IndexedSegment]
) -> Difference:
    unlike = {key: _unlike(ours[key], theirs[key]) for key in sorted(ours.keys() & theirs.keys())}
    return Difference(
        record.video_id,
        record.names,
        missing=tuple(sorted(ours.keys() - theirs.keys())),
        extra=tuple(sorted(theirs.keys() - ours.keys())),
        different={key: how for key, how in unlike.items() if how},
    )


def _unlike(ours: IndexedSegment, theirs: IndexedSegment) -> str:
    """How a row of the index differs from what it should be; empty where it doesn't."""
    found = []
    mine, other = ours.segment, theirs.segment
    gap = max(abs(mine.start_seconds - other.start_seconds), abs(mine.end_seconds - other.end_seconds))
    if gap > _SECONDS_TOLERANCE or mine.ordinal != other.ordinal:
        found.append(
            f"times {other.start_seconds:.3f}-{other.end_seconds:.3f} s instead of"
            f" {mine.start_seconds:.3f}-{mine.end_seconds:.3f} s"
        )
    if dict(ours.metadata) != dict(theirs.metadata):
        found.append(f"metadata {shown(dict(theirs.metadata))} instead of {shown(dict(ours.metadata))}")
    if ours.vector.shape != theirs.vector.shape:
        found.append(f"a vector of {len(theirs.vector)} numbers instead of {len(ours.vector)}")
    else:
        off = float(np.max(np.abs(ours.vector - theirs.vector)))
        if off > _VECTOR_TOLERANCE:
            found.append(f"vector off by {off:.2g}")
    return "; ".join(found)


def _portions(records: Sequence[VideoRecord]) -> Iterator[Sequence[VideoRecord]]:
    for first in range(0, len(records), _VIDEOS_A_READ):
        yield records[first : first + _VIDEOS_A_READ]
