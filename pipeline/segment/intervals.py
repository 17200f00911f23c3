"""Intervals of sampled frames: finds the frames within an interval, and the end of a video."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pipeline.types import FrameEmbeddings

__all__ = ["end_of", "frames_within", "usual_step_seconds"]


def frames_within(frames: FrameEmbeddings, start_seconds: float, end_seconds: float) -> range:
    """Return the rows of the frames whose time lies in [start_seconds, end_seconds)."""
    first, after = np.searchsorted(frames.times_seconds, [start_seconds, end_seconds], side="left")
    return range(int(first), int(after))


def end_of(frames: FrameEmbeddings) -> float:
    """Return the video's end in seconds; if the container states an earlier one, just after the last sampled frame."""
    if len(frames) and frames.times_seconds[-1] >= frames.duration_seconds:
        return math.nextafter(float(frames.times_seconds[-1]), math.inf)
    return frames.duration_seconds


def usual_step_seconds(times_seconds: npt.NDArray[np.float64], step_seconds: float | None) -> float:
    """Return the usual time between two sampled frames: the sampling's own step, else the median; 0 for a lone frame.

    Args:
        times_seconds: float64 (N,) times, increasing.
        step_seconds: The step of the sampling's grid; None where it is not known.
    """
    if step_seconds is not None:
        return step_seconds
    steps = np.diff(times_seconds)
    return float(np.median(steps)) if len(steps) else 0.0
