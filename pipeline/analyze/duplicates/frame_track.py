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
"""Maximum number of points of a track: 27 hours at two frames per second. Longer videos need a coarser grid."""


@dataclass(frozen=True)
class FrameTrack:
    """The embeddings of a video at the points k * step of its playback clock.

    Attributes:
        video_id: The video's id.
        step_seconds: Time from one point to the next.
        vectors: float32 (T, D), unit vectors of the frame space; zeros where no sampled frame covers the point.
        distances: float32 (T,), distances of the embeddings from the frame space's mean; 0 for zeros.
        duration_seconds: The video's end.
    """

    video_id: str
    step_seconds: float
    vectors: npt.NDArray[np.float32]
    distances: npt.NDArray[np.float32]
    duration_seconds: float

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def lag(self) -> int:
        """Number of points over which a change is measured: one second, at least one point."""
        return max(1, round(1 / self.step_seconds))

    def centred(self, points: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the embeddings of points minus the frame space's mean, float32 (N, D); zeros as in `vectors`."""
        centred: npt.NDArray[np.float32] = self.vectors[points] * self.distances[points, None]
        return centred


def frame_track(frames: FrameEmbeddings, space: FrameSpace, step_seconds: float) -> FrameTrack:
    """Resample a video's embeddings on a uniform grid: each point takes the frame that covers it."""
    intervals = frame_intervals(frames)
    mapped, mapped_distances = space.apply(frames.vectors)
    count = int(np.ceil(intervals.duration_seconds / step_seconds - 1e-6)) if len(frames) else 0
    points = np.arange(min(max(count, 1 if len(frames) else 0), MOST_POINTS)) * step_seconds
    rows = np.searchsorted(intervals.starts_seconds, points + 1e-9, side="right") - 1
    stands = (rows >= 0) & (points < intervals.ends_seconds[np.maximum(rows, 0)]) if len(frames) else rows >= 0
    vectors = np.zeros((len(points), frames.vectors.shape[1]), np.float32)
    vectors[stands] = mapped[rows[stands]]
    distances = np.zeros(len(points), np.float32)
    distances[stands] = mapped_distances[rows[stands]]
    return FrameTrack(frames.video_id, step_seconds, vectors, distances, intervals.duration_seconds)
