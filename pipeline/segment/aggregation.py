"""Aggregation of frame embeddings into one segment embedding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from pipeline.config import Settings
from pipeline.segment.intervals import frames_within
from pipeline.segment.protocol import Aggregator
from pipeline.types import FrameEmbeddings, Segment

__all__ = ["MaxPooling", "MeanPooling", "Medoid", "segment_key", "segment_vectors"]

Vectors = npt.NDArray[np.float32]

# If the rows cancel out, the pooled vector is shorter than this: a rounding error without a meaningful direction.
_MIN_LENGTH = 1e-5
# Cosines of float32 rows count as equal if they differ by less than this.
_TIE_TOLERANCE = 1e-6


class MeanPooling(Settings):
    """The mean of the rows, normalised: the parameter-free pooling of CLIP4Clip (Luo et al. 2021, arXiv:2104.08860)."""

    fingerprint_name: ClassVar[str] = "MeanPooling"

    strategy: Literal["mean_pooling"] = "mean_pooling"

    def aggregate(self, vectors: Vectors) -> Vectors:
        """Aggregate float32 (N, D) unit vectors, N at least 1, into one float32 (D,) of unit length.

        Raises:
            ValueError: There is no row.
        """
        return _unit_or_first(_checked(vectors).mean(axis=0, dtype=np.float64), vectors)


class MaxPooling(Settings):
    """The maximum of each component, normalised: things that only some frames show count, too."""

    fingerprint_name: ClassVar[str] = "MaxPooling"

    strategy: Literal["max_pooling"] = "max_pooling"

    def aggregate(self, vectors: Vectors) -> Vectors:
        """Aggregate float32 (N, D) unit vectors, N at least 1, into one float32 (D,) of unit length.

        Raises:
            ValueError: There is no row.
        """
        return _unit_or_first(_checked(vectors).max(axis=0).astype(np.float64), vectors)


class Medoid(Settings):
    """The row with the greatest mean cosine to the others: the embedding of a real frame (Kaufman & Rousseeuw 1987).

    Of rows whose mean cosines differ by at most 1e-6, the first is used.
    """

    fingerprint_name: ClassVar[str] = "Medoid"

    strategy: Literal["medoid"] = "medoid"

    def aggregate(self, vectors: Vectors) -> Vectors:
        """Aggregate float32 (N, D) unit vectors, N at least 1, into one float32 (D,) of unit length.

        Raises:
            ValueError: There is no row.
        """
        rows = _checked(vectors).astype(np.float64)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        # A row's cosine to itself is 1.
        means = (rows @ rows.sum(axis=0) - 1.0) / max(1, len(rows) - 1)
        first = int(np.flatnonzero(means >= means.max() - _TIE_TOLERANCE)[0])
        return _unit_or_first(rows[first], vectors)


def segment_vectors(frames: FrameEmbeddings, segments: Sequence[Segment], aggregator: Aggregator) -> Vectors:
    """Aggregate the sampled frames of each segment into one embedding.

    Returns:
        float32 (S, D), each row of unit length, in the order of `segments`.

    Raises:
        ValueError: A segment belongs to another video or contains no sampled frame.
    """
    result = np.empty((len(segments), frames.vectors.shape[1]), np.float32)
    for row, segment in enumerate(segments):
        within = frames_within(frames, segment.start_seconds, segment.end_seconds)
        if segment.video_id != frames.video_id or not within:
            raise ValueError(f"{frames.video_id}: no sampled frame of this video is within {segment}")
        result[row] = aggregator.aggregate(frames.vectors[within.start : within.stop])
    return result


def segment_key(video_id: str, segmentation_fingerprint: str, ordinal: int) -> str:
    """Make a segment's deterministic primary key, as "v1-0a1b2c3d4e5f-12"."""
    return f"{video_id}-{segmentation_fingerprint}-{ordinal}"


def _checked(vectors: Vectors) -> Vectors:
    if vectors.ndim != 2 or len(vectors) == 0:
        raise ValueError(f"expected vectors (N, D) with N at least 1, got {vectors.shape}")
    return vectors


def _unit_or_first(vector: npt.NDArray[np.float64], vectors: Vectors) -> Vectors:
    length = float(np.linalg.norm(vector))
    return np.array(vectors[0] if length < _MIN_LENGTH else vector / length, np.float32)
