"""From a video's frame embeddings to its rows in the index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.index.protocol import MomentIndex
from pipeline.segment import Aggregator, Segmenter, segment_key, segment_vectors
from pipeline.types import FrameEmbeddings, IndexedSegment, Scalar

__all__ = ["remove_other_rows", "replace_rows", "segment_keys", "segment_rows"]


def segment_rows(
    frames: FrameEmbeddings,
    *,
    segmenter: Segmenter,
    aggregator: Aggregator,
    segmentation_fingerprint: str,
    metadata: Mapping[str, Scalar],
) -> list[IndexedSegment]:
    """The rows that stand for a video, in order of their segments.

    Args:
        frames: The video's frame embeddings.
        segmenter: Divides the video.
        aggregator: Makes one embedding of a segment's frames.
        segmentation_fingerprint: Of all that decides what the rows are: sampling, segmenter and aggregator.
        metadata: What the caller said of the video.

    Raises:
        ConfigError: The segmenter needs cuts, and `frames` has none.
    """
    segments = segmenter.segments(frames)
    vectors = segment_vectors(frames, segments, aggregator)
    return [
        IndexedSegment(
            segment_key(frames.video_id, segmentation_fingerprint, segment.ordinal), segment, vector, metadata
        )
        for segment, vector in zip(segments, vectors, strict=True)
    ]


def segment_keys(frames: FrameEmbeddings, *, segmenter: Segmenter, segmentation_fingerprint: str) -> frozenset[str]:
    """The keys of the rows that stand for a video, without making the rows.

    Raises:
        ConfigError: The segmenter needs cuts, and `frames` has none.
    """
    return frozenset(
        segment_key(frames.video_id, segmentation_fingerprint, segment.ordinal)
        for segment in segmenter.segments(frames)
    )


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
