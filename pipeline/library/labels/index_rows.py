"""Writes the labels of videos to the rows of a library's index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipeline.errors import StoreError
from pipeline.index.protocol import MomentIndex
from pipeline.library.verification import OnVideo, batches, rows_by_video
from pipeline.segment.segment_labels import segment_labels
from pipeline.store import ParquetStore
from pipeline.types import IndexedSegment, LabelIntervals, VideoRecord

__all__ = ["LabelledRows", "write_labels"]


@dataclass(frozen=True)
class LabelledRows:
    """The result of writing labels to the rows of an index.

    Attributes:
        videos: Number of videos whose rows were checked.
        segments: Number of rows that were written because their labels differed.
        without_rows: Ids of the videos without rows; `momentseek index rebuild` makes them.
        problems: Errors of videos whose labels cannot be read, by id; their rows are left unchanged.
    """

    videos: int
    segments: int
    without_rows: tuple[str, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)


def write_labels(
    index: MomentIndex,
    store: ParquetStore,
    intervals_of: Callable[[VideoRecord], LabelIntervals | None],
    records: Sequence[VideoRecord],
    *,
    on_video: OnVideo | None = None,
) -> LabelledRows:
    """Write the current labels of videos to their rows; rows with current labels are left unchanged.

    Videos are processed in groups; an interrupted run can be continued by running it again. Until a row is written,
    searches do not filter by it, but by the intervals alone.

    Args:
        index: The index.
        store: The store of the videos, to detect those removed in the meantime.
        intervals_of: Returns the intervals of a video's labels; None if it is not labelled, and its rows have no
            labels.
        records: Records of the videos.
        on_video: Called with the number of videos done and their total.

    Raises:
        MomentIndexError: The index cannot be read or written.
        StoreError: The label set cannot be read.
    """
    done = written = 0
    without: list[str] = []
    problems: dict[str, str] = {}
    for batch in batches(records):
        found = rows_by_video(index, batch)
        without += [video_id for video_id, rows in found.items() if not rows]
        changed: list[IndexedSegment] = []
        for record in batch:
            try:
                changed += _changed(found[record.video_id].values(), intervals_of(record))
            except StoreError as error:
                problems[record.video_id] = str(error)
        index.upsert(changed)
        _remove_rows_of_removed(index, store, changed)
        written += len(changed)
        done += len(batch)
        if on_video is not None:
            on_video(done, len(records))
    return LabelledRows(done, written, tuple(without), problems)


def _changed(rows: Iterable[IndexedSegment], found: LabelIntervals | None) -> list[IndexedSegment]:
    """Return the rows of a video whose labels differ, with the current ones."""
    present = list(rows)
    labels = [None] * len(present) if found is None else segment_labels([row.segment for row in present], found)
    return [replace(row, labels=wanted) for row, wanted in zip(present, labels, strict=True) if row.labels != wanted]


def _remove_rows_of_removed(index: MomentIndex, store: ParquetStore, written: Iterable[IndexedSegment]) -> None:
    """Delete the written rows of videos removed in the meantime; a removal deletes only the rows that it finds."""
    for video_id in {row.segment.video_id for row in written}:
        if store.record(video_id) is None:
            index.delete_video(video_id)
