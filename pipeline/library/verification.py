"""Verify the index of a library: compare its rows with the rows made from the stored frame embeddings."""

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

_VIDEOS_PER_READ = 32
_VECTOR_TOLERANCE = 1e-5
_SECONDS_TOLERANCE = 1e-6


@dataclass(frozen=True)
class VideoDifference:
    """The differences between the index and the store for one video.

    Attributes:
        video_id: The video.
        names: The video's paths and URIs; empty if the store does not know the video.
        missing: Keys of rows that the index lacks.
        extra: Keys of rows that the index should not have.
        different: Keys of rows whose times, metadata, labels or vector differ, with a description.
        file: "changed" if the file of the frame embeddings does not match its checksum; its rows are then not
            compared. "missing" if the index has rows of a video without such a file.
        problem: Why the video cannot be compared: its file is broken. Otherwise empty.
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
        videos: Number of videos in the store.
        segments: Number of rows that the index should have.
        differences: The videos with differences.
        without_checksum: Number of files without a checksum, written by an earlier version.
    """

    videos: int
    segments: int
    differences: tuple[VideoDifference, ...]
    without_checksum: int = 0


def compare(
    index: MomentIndex, store: ParquetStore, recipe: RowRecipe, *, on_video: OnVideo | None = None
) -> Comparison:
    """Compare every file with its checksum, and every row of the index with the file; nothing is changed.

    The numbers of vectors may differ by 1e-5, times by a microsecond. Rows of videos that are being indexed meanwhile
    may be reported as missing.

    Raises:
        MomentIndexError: The index cannot be read.
        StoreError: The store cannot be listed. A video whose file is broken is a difference with a problem.
        ConfigError: The segmentation needs cuts that a video lacks.
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
    """Compare a file with its checksum; None if it cannot be opened, which the survey of the store reports."""
    with suppress(StoreError):
        return store.file_state(video_id)
    return None


def _names_in(store: ParquetStore, video_id: str) -> tuple[str, ...]:
    """Read a video's names from a changed file, if it is readable."""
    with suppress(StoreError):
        record = store.record(video_id)
        return () if record is None else record.names
    return ()


def _difference(
    record: VideoRecord, expected: Mapping[str, IndexedSegment], present: Mapping[str, IndexedSegment]
) -> VideoDifference:
    different = {key: row_difference(expected[key], present[key]) for key in sorted(expected.keys() & present.keys())}
    return VideoDifference(
        record.video_id,
        record.names,
        missing=tuple(sorted(expected.keys() - present.keys())),
        extra=tuple(sorted(present.keys() - expected.keys())),
        different={key: how for key, how in different.items() if how},
    )


def row_difference(expected: IndexedSegment, present: IndexedSegment) -> str:
    """Describe how a row of the index differs from the expected row; empty if it does not."""
    differences = []
    right, wrong = expected.segment, present.segment
    gap = max(abs(right.start_seconds - wrong.start_seconds), abs(right.end_seconds - wrong.end_seconds))
    if gap > _SECONDS_TOLERANCE or right.ordinal != wrong.ordinal:
        differences.append(
            f"times {wrong.start_seconds:.3f}-{wrong.end_seconds:.3f} s instead of"
            f" {right.start_seconds:.3f}-{right.end_seconds:.3f} s"
        )
    if dict(expected.metadata) != dict(present.metadata):
        differences.append(f"metadata {shown(dict(present.metadata))} instead of {shown(dict(expected.metadata))}")
    if expected.labels != present.labels:
        differences.append(f"{_labels_text(present.labels)} instead of {_labels_text(expected.labels)}")
    if expected.vector.shape != present.vector.shape:
        differences.append(f"a vector of {len(present.vector)} numbers instead of {len(expected.vector)}")
    else:
        deviation = float(np.max(np.abs(expected.vector - present.vector)))
        if deviation > _VECTOR_TOLERANCE:
            differences.append(f"vector off by {deviation:.2g}")
    return "; ".join(differences)


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
    """Split records into batches whose rows fit in memory."""
    for first in range(0, len(records), _VIDEOS_PER_READ):
        yield records[first : first + _VIDEOS_PER_READ]
