"""Segments of videos, and the rows of the index made from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pipeline.types.labels import SegmentLabels
from pipeline.types.records import Scalar

__all__ = ["IndexedSegment", "Segment"]


@dataclass(frozen=True, order=True)
class Segment:
    """The half-open interval [start, end) of a video that is indexed: one row, one embedding."""

    video_id: str
    start_seconds: float
    end_seconds: float
    ordinal: int

    def __post_init__(self) -> None:
        if not (0 <= self.start_seconds < self.end_seconds and math.isfinite(self.end_seconds)):
            raise ValueError(f"{self.video_id}: not an interval: [{self.start_seconds}, {self.end_seconds})")


@dataclass(frozen=True)
class IndexedSegment:
    """A row of the index.

    Attributes:
        key: Key made from video id, segmentation fingerprint and ordinal; writing a row twice has no effect.
        segment: The segment.
        vector: float32 (D,) of unit length.
        metadata: The video's metadata: JSON scalars by name.
        labels: The segment's labels; None where its video was not labelled.
    """

    key: str
    segment: Segment
    vector: npt.NDArray[np.float32]
    metadata: Mapping[str, Scalar] = field(default_factory=dict)
    labels: SegmentLabels | None = None

    def __post_init__(self) -> None:
        length = float(np.linalg.norm(self.vector))
        if self.vector.ndim != 1 or not abs(length - 1.0) < 1e-3:
            raise ValueError(f"{self.key}: not a unit vector: shape {self.vector.shape}, length {length}")
        self.vector.setflags(write=False)

    def __repr__(self) -> str:
        return f"IndexedSegment({self.key}, {self.segment}, vector{self.vector.shape})"
