"""Reference frames: a bounded sample of the frames of a camera's recordings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from pipeline.types import FrameEmbeddings

__all__ = ["CameraVideo", "ReferenceFrames", "sample_reference", "times_of_day"]

Floats = npt.NDArray[np.float64]
_DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class CameraVideo:
    """A video of a camera.

    Attributes:
        video_id: The video's id.
        frame_count: Number of sampled frames.
        begins: Recording time of the start of playback, in local time; None if unknown.
    """

    video_id: str
    frame_count: int
    begins: datetime | None = None


@dataclass(frozen=True)
class ReferenceFrames:
    """A sample of the frames of a camera's videos.

    Attributes:
        vectors: float32 (R, D), unit vectors.
        videos: int64 (R,), the number of each frame's video.
        times_seconds: float64 (R,), playback times.
        seconds_of_day: float64 (R,), local times of day; NaN if unknown.
        days: int64 (R,), ordinals of the local dates; -1 if unknown.
        recorded_seconds: Length of the camera's recordings.
    """

    vectors: npt.NDArray[np.float32]
    videos: npt.NDArray[np.int64]
    times_seconds: Floats
    seconds_of_day: Floats
    days: npt.NDArray[np.int64]
    recorded_seconds: float

    def __len__(self) -> int:
        return len(self.vectors)


def times_of_day(begins: datetime | None, times_seconds: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Compute local seconds of the day, float64 (N,), and ordinals of the dates, int64 (N,), of playback times."""
    if begins is None:
        return np.full(len(times_seconds), np.nan), np.full(len(times_seconds), -1, np.int64)
    midnight = begins.replace(hour=0, minute=0, second=0, microsecond=0)
    since = (begins - midnight) / timedelta(seconds=1) + times_seconds
    return since % _DAY_SECONDS, begins.toordinal() + np.floor(since / _DAY_SECONDS).astype(np.int64)


def sample_reference(
    videos: Sequence[CameraVideo], frames: Iterable[FrameEmbeddings | None], most_frames: int
) -> ReferenceFrames:
    """Sample frames evenly over a camera's recordings, with one video in memory at a time.

    Args:
        videos: The camera's videos.
        frames: The frames of each video, in the same order; None for a video that cannot be read.
        most_frames: Maximum number of frames of the sample.

    Raises:
        ValueError: No video has a frame.
    """
    total = sum(video.frame_count for video in videos)
    stride = max(1, math.ceil(total / most_frames))
    parts = []
    passed = 0
    recorded = 0.0
    for number, (video, of_video) in enumerate(zip(videos, frames, strict=True)):
        if of_video is None:
            continue
        rows = np.arange(-passed % stride, len(of_video), stride)
        passed += len(of_video)
        recorded += of_video.duration_seconds
        times = of_video.times_seconds[rows]
        parts.append((of_video.vectors[rows], np.full(len(rows), number), times, *times_of_day(video.begins, times)))
    if not any(len(part[0]) for part in parts):
        raise ValueError("the camera has no frames")
    vectors, numbers, times, of_day, days = (np.concatenate(column) for column in zip(*parts, strict=True))
    return ReferenceFrames(vectors, numbers.astype(np.int64), times, of_day, days, recorded)
