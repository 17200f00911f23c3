"""Replacement of all rows of a video in the index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.index.protocol import MomentIndex
from pipeline.types import IndexedSegment

__all__ = ["remove_other_rows", "replace_rows"]


def replace_rows(index: MomentIndex, video_id: str, rows: Sequence[IndexedSegment]) -> None:
    """Replace all rows of a video by `rows`.

    Raises:
        MomentIndexError: The index cannot be written.
    """
    remove_other_rows(index, {video_id: rows})
    index.upsert(rows)


def remove_other_rows(index: MomentIndex, rows_of: Mapping[str, Sequence[IndexedSegment]]) -> None:
    """Remove the rows of videos for which the index holds rows that are not about to be written.

    A search in between does not see such a video.

    Args:
        index: Where.
        rows_of: By video id, the rows that are about to be written.

    Raises:
        MomentIndexError: The index cannot be written.
    """
    # One question for all: an embedded Milvus walks all its rows for each.
    kept = {row.key for rows in rows_of.values() for row in rows}
    if index.keys_of(*rows_of) <= kept:
        return
    for video_id, rows in rows_of.items():
        if index.keys_of(video_id) - {row.key for row in rows}:
            index.delete_video(video_id)
