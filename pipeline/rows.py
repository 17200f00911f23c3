"""From a video's frame embeddings to its rows in the index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.index.protocol import MomentIndex
from pipeline.segment import Aggregator, Segmenter, segment_key, segment_vectors
from pipeline.types import FrameEmbeddings, IndexedSegment, Scalar, Segment

__all__ = ["RowRecipe", "remove_other_rows", "replace_rows"]


@dataclass(frozen=True, kw_only=True)
class RowRecipe:
    """How a video's frame embeddings become its rows.

    Attributes:
        segmenter: Divides the video.
        aggregator: Makes one embedding of a segment's frames.
        fingerprint: Of all that decides what the rows are: sampling, segmenter and aggregator.
    """

    segmenter: Segmenter
    aggregator: Aggregator
    fingerprint: str

    def rows(self, frames: FrameEmbeddings, metadata: Mapping[str, Scalar]) -> list[IndexedSegment]:
        """The rows that stand for a video, in order of their segments.

        Args:
            frames: The video's frame embeddings.
            metadata: What the caller said of the video.

        Raises:
            ConfigError: The segmenter needs cuts, and `frames` has none.
        """
        segments = self.segmenter.segments(frames)
        vectors = segment_vectors(frames, segments, self.aggregator)
        return [
            IndexedSegment(self._key(segment), segment, vector, metadata)
            for segment, vector in zip(segments, vectors, strict=True)
        ]

    def keys(self, frames: FrameEmbeddings) -> frozenset[str]:
        """The keys of the rows that stand for a video, without making the rows.

        Raises:
            ConfigError: The segmenter needs cuts, and `frames` has none.
        """
        return frozenset(map(self._key, self.segmenter.segments(frames)))

    def _key(self, segment: Segment) -> str:
        return segment_key(segment.video_id, self.fingerprint, segment.ordinal)


def replace_rows(index: MomentIndex, video_id: str, rows: Sequence[IndexedSegment]) -> None:
    """Make `rows` all that the index holds of a video.

    Raises:
        MomentIndexError: The index cannot be written.
    """
    remove_other_rows(index, {video_id: rows})
    index.upsert(rows)


def remove_other_rows(index: MomentIndex, rows_of: Mapping[str, Sequence[IndexedSegment]]) -> None:
    """Remove the rows of videos of which the index holds any that is not about to be written.

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
