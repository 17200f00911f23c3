"""Verify the index of a library: compare its rows with those that the stored frame embeddings make."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.errors import StoreError
from pipeline.index.protocol import MomentIndex
from pipeline.index.quoted_text import shown
from pipeline.segment.row_recipe import RowRecipe
from pipeline.store import ParquetStore
from pipeline.store.checksum import FileState
from pipeline.types import IndexedSegment, SegmentLabels, VideoRecord

__all__ = ["Comparison", "OnVideo", "VideoDifference", "batches", "compare", "row_difference", "rows_by_video"]

OnVideo = Callable[[int, int], None]
"""Called with the number of videos done and their total."""

_VIDEOS_A_READ = 32
_VECTOR_TOLERANCE = 1e-5
_SECONDS_TOLERANCE = 1e-6


@dataclass(frozen=True)
class VideoDifference:
    """The differences between the index and the store for one video.

    Attributes:
        video_id: The video.
        names: Where it was seen; empty where the store does not know it.
        missing: Keys of rows that the index should have.
        extra: Keys of rows that it should not have.
        different: Keys of rows whose times, metadata, labels or vector differ, and how.
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
    """The result of a comparison of index and store.

    Attributes:
        videos: Videos of the store.
        segments: Rows that they should have.
        differences: Where the index or a file is not as it should be.
        without_checksum: Files that were written by a version that kept no checksums.
    """

    videos: int
    segments: int
    differences: tuple[VideoDifference, ...]
    without_checksum: int = 0


def compare(
    index: MomentIndex, store: ParquetStore, recipe: RowRecipe, *, on_video: OnVideo | None = None
) -> Comparison:
    """Compare every file with its checksum, and every row of the index with the file; neither is changed.

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
        VideoDifference(video_id, (), problem=str(error))
        for video_id, error in broken.items()
        if video_id not in changed
    ]
    segments, done = 0, 0
    for batch in batches(records):
        found = rows_by_video(index, batch)
        for record in batch:
            try:
                rows = recipe.rows(store.read(record.video_id), record.metadata)
            except StoreError as error:
                differences.append(VideoDifference(record.video_id, record.names, problem=str(error)))
                continue
            segments += len(rows)
            differences.append(_difference(record, {row.key: row for row in rows}, found[record.video_id]))
        done += len(batch)
        if on_video is not None:
            on_video(done, len(records))
    differences += [
        VideoDifference(video_id, _names_in(store, video_id), file="changed") for video_id in sorted(changed)
    ]
    for video_id in sorted(in_index - states.keys()):
        differences.append(VideoDifference(video_id, (), extra=tuple(sorted(index.keys_of(video_id))), file="missing"))
    without = sum(state == "no checksum" for state in states.values())
    return Comparison(len(states), segments, tuple(filter(None, differences)), without)


def _file_state(store: ParquetStore, video_id: str) -> FileState | None:
    """Whether a file has its checksum; None where it cannot be opened, which the survey of the store reports."""
    with suppress(StoreError):
        return store.file_state(video_id)
    return None


def _names_in(store: ParquetStore, video_id: str) -> tuple[str, ...]:
    """A video's names as far as a changed file can be read."""
    with suppress(StoreError):
        record = store.record(video_id)
        return () if record is None else record.names
    return ()


def _difference(
    record: VideoRecord, ours: Mapping[str, IndexedSegment], theirs: Mapping[str, IndexedSegment]
) -> VideoDifference:
    unlike = {key: row_difference(ours[key], theirs[key]) for key in sorted(ours.keys() & theirs.keys())}
    return VideoDifference(
        record.video_id,
        record.names,
        missing=tuple(sorted(ours.keys() - theirs.keys())),
        extra=tuple(sorted(theirs.keys() - ours.keys())),
        different={key: how for key, how in unlike.items() if how},
    )


def row_difference(ours: IndexedSegment, theirs: IndexedSegment) -> str:
    """Describe how a row of the index differs from what it should be; empty if it does not."""
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
    if ours.labels != theirs.labels:
        found.append(f"{_labels_text(theirs.labels)} instead of {_labels_text(ours.labels)}")
    if ours.vector.shape != theirs.vector.shape:
        found.append(f"a vector of {len(theirs.vector)} numbers instead of {len(ours.vector)}")
    else:
        off = float(np.max(np.abs(ours.vector - theirs.vector)))
        if off > _VECTOR_TOLERANCE:
            found.append(f"vector off by {off:.2g}")
    return "; ".join(found)


def _labels_text(labels: SegmentLabels | None) -> str:
    """Describe the labels of a row, as "labels car, person (all of it) of the label set 0a1b2c"."""
    if labels is None:
        return "no labels"
    names = [f"{name} (all of it)" if name in labels.whole else name for name in labels.some]
    return f"labels {shown(', '.join(names) or 'none')} of the label set {shown(labels.label_set)}"


def rows_by_video(index: MomentIndex, records: Sequence[VideoRecord]) -> dict[str, dict[str, IndexedSegment]]:
    """Read the rows that the index holds of some videos.

    Returns:
        By video id, the rows by their keys; an empty mapping for a video without rows.

    Raises:
        MomentIndexError: The index cannot be read.
    """
    found: dict[str, dict[str, IndexedSegment]] = {record.video_id: {} for record in records}
    for row in index.rows_of([*found]):
        found[row.segment.video_id][row.key] = row
    return found


def batches(records: Sequence[VideoRecord]) -> Iterator[Sequence[VideoRecord]]:
    """Split records into batches of which the rows fit in memory."""
    for first in range(0, len(records), _VIDEOS_A_READ):
        yield records[first : first + _VIDEOS_A_READ]
