"""Labels in the rows of a library's index, written from the intervals that the library keeps."""

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
    """What was done to the rows of an index.

    Attributes:
        videos: Videos whose rows were looked at.
        segments: Rows that were written, as they carried other labels.
        without_rows: Ids of the videos of which the index has no rows: `momentseek index rebuild` makes them.
        problems: By id, why the labels of a video cannot be read; its rows are left as they are.
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
    """Write to the rows of videos the labels that they should carry; rows that carry them are left alone.

    Some videos at a time. Ended early, it goes on when it is run again. Until a row is written, a search lets it pass
    and decides by the intervals alone.

    Args:
        index: Where the rows are.
        store: Tells which videos were removed meanwhile.
        intervals_of: The intervals of a video's labels; None where it is not labelled, and its rows carry none.
        records: Of the videos.
        on_video: Called with the number of videos done and their total.

    Raises:
        MomentIndexError: The index cannot be read or written.
        StoreError: What is kept of the label set cannot be read.
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
    """The rows of a video that carry other labels than they should, as they should be."""
    present = list(rows)
    labels = [None] * len(present) if found is None else segment_labels([row.segment for row in present], found)
    return [replace(row, labels=wanted) for row, wanted in zip(present, labels, strict=True) if row.labels != wanted]


def _remove_rows_of_removed(index: MomentIndex, store: ParquetStore, written: Iterable[IndexedSegment]) -> None:
    """Whoever removes a video looks for rows of it afterwards; what was written later goes here."""
    for video_id in {row.segment.video_id for row in written}:
        if store.record(video_id) is None:
            index.delete_video(video_id)
