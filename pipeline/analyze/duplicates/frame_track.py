"""Frame tracks: a video's frame embeddings on a uniform grid of times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.analyze.duplicates.frame_space import FrameSpace
from pipeline.analyze.frame_intervals import frame_intervals
from pipeline.types import FrameEmbeddings

__all__ = ["MOST_POINTS", "FrameTrack", "frame_track"]

MOST_POINTS = 200_000
"""Points of a track: 27 hours at two frames a second. A longer video gets a coarser grid."""


@dataclass(frozen=True)
class FrameTrack:
    """The embeddings of a video at the points k * step of its playback clock.

    Attributes:
        video_id: The video's id.
        step_seconds: Time from one point to the next.
        vectors: float32 (T, D), unit vectors of the frame space; zeros where no sampled frame stands for the point.
        duration_seconds: The video's end.
    """

    video_id: str
    step_seconds: float
    vectors: npt.NDArray[np.float32]
    duration_seconds: float

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def lag(self) -> int:
        """Points over which a change is measured: those of a second, at least one."""
        return max(1, round(1 / self.step_seconds))


def frame_track(frames: FrameEmbeddings, space: FrameSpace, step_seconds: float) -> FrameTrack:
    """Put a video's embeddings on a grid: at each point the frame that stands for it, however frames were sampled."""
    intervals = frame_intervals(frames)
    mapped = space.apply(frames.vectors)
    count = int(np.ceil(intervals.duration_seconds / step_seconds - 1e-6)) if len(frames) else 0
    points = np.arange(min(max(count, 1 if len(frames) else 0), MOST_POINTS)) * step_seconds
    rows = np.searchsorted(intervals.starts_seconds, points + 1e-9, side="right") - 1
    stands = (rows >= 0) & (points < intervals.ends_seconds[np.maximum(rows, 0)]) if len(frames) else rows >= 0
    vectors = np.zeros((len(points), frames.vectors.shape[1]), np.float32)
    vectors[stands] = mapped[rows[stands]]
    return FrameTrack(frames.video_id, step_seconds, vectors, intervals.duration_seconds)
