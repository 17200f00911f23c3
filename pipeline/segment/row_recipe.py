"""Building of a video's index rows from its frame embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.segment.aggregation import segment_key, segment_vectors
from pipeline.segment.protocol import Aggregator, LabelSource, Segmenter
from pipeline.segment.segment_labels import segment_labels
from pipeline.types import FrameEmbeddings, IndexedSegment, Scalar, Segment, SegmentLabels

__all__ = ["RowRecipe"]


@dataclass(frozen=True, kw_only=True)
class RowRecipe:
    """Builds the index rows of a video from its frame embeddings.

    Attributes:
        segmenter: Divides the video.
        aggregator: Makes one embedding of a segment's frames.
        fingerprint: Fingerprint of everything that determines the rows: sampling, segmenter and aggregator.
        labels: Knows the labels that segments carry; None for rows without labels.
    """

    segmenter: Segmenter
    aggregator: Aggregator
    fingerprint: str
    labels: LabelSource | None = None

    def rows(self, frames: FrameEmbeddings, metadata: Mapping[str, Scalar]) -> list[IndexedSegment]:
        """Build the index rows of a video, in order of their segments.

        Args:
            frames: The video's frame embeddings.
            metadata: The video's metadata.

        Raises:
            ConfigError: The segmenter needs cuts, and `frames` has none.
            StoreError: The video's labels cannot be read.
        """
        segments = self.segmenter.segments(frames)
        vectors = segment_vectors(frames, segments, self.aggregator)
        return [
            IndexedSegment(self._key(segment), segment, vector, metadata, labels)
            for segment, vector, labels in zip(segments, vectors, self._labels(frames, segments), strict=True)
        ]

    def keys(self, frames: FrameEmbeddings) -> frozenset[str]:
        """Compute the keys of a video's index rows, without building the rows.

        Raises:
            ConfigError: The segmenter needs cuts, and `frames` has none.
        """
        return frozenset(map(self._key, self.segmenter.segments(frames)))

    def _labels(self, frames: FrameEmbeddings, segments: Sequence[Segment]) -> Sequence[SegmentLabels | None]:
        found = None if self.labels is None else self.labels.intervals(frames)
        return [None] * len(segments) if found is None else segment_labels(segments, found)

    def _key(self, segment: Segment) -> str:
        return segment_key(segment.video_id, self.fingerprint, segment.ordinal)
