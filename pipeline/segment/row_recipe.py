"""Building of a video's index rows from its frame embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.segment.aggregation import segment_key, segment_vectors
from pipeline.segment.protocol import Aggregator, Segmenter
from pipeline.types import FrameEmbeddings, IndexedSegment, Scalar, Segment

__all__ = ["RowRecipe"]


@dataclass(frozen=True, kw_only=True)
class RowRecipe:
    """Builds the index rows of a video from its frame embeddings.

    Attributes:
        segmenter: Divides the video.
        aggregator: Makes one embedding of a segment's frames.
        fingerprint: Fingerprint of everything that determines the rows: sampling, segmenter and aggregator.
    """

    segmenter: Segmenter
    aggregator: Aggregator
    fingerprint: str

    def rows(self, frames: FrameEmbeddings, metadata: Mapping[str, Scalar]) -> list[IndexedSegment]:
        """Build the index rows of a video, in order of their segments.

        Args:
            frames: The video's frame embeddings.
            metadata: The video's metadata.

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
        """Compute the keys of a video's index rows, without building the rows.

        Raises:
            ConfigError: The segmenter needs cuts, and `frames` has none.
        """
        return frozenset(map(self._key, self.segmenter.segments(frames)))

    def _key(self, segment: Segment) -> str:
        return segment_key(segment.video_id, self.fingerprint, segment.ordinal)
