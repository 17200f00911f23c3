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
    """Remove all rows of each video for which the index has rows that are not about to be written.

    A search before the new rows are written does not find such a video.

    Args:
        index: The index.
        rows_of: By video id, the rows that are about to be written.

    Raises:
        MomentIndexError: The index cannot be written.
    """
    # One request for all videos, because Milvus Lite reads all rows for each request.
    new_keys = {row.key for rows in rows_of.values() for row in rows}
    if index.keys_of(*rows_of) <= new_keys:
        return
    for video_id, rows in rows_of.items():
        if index.keys_of(video_id) - {row.key for row in rows}:
            index.delete_video(video_id)
