"""Intervals of sampled frames: finds the frames within an interval, and the end of a video."""

from __future__ import annotations

import math

import numpy as np

from pipeline.types import FrameEmbeddings

__all__ = ["end_of", "frames_within"]


def frames_within(frames: FrameEmbeddings, start_seconds: float, end_seconds: float) -> range:
    """Return the rows of the frames whose time lies in [start_seconds, end_seconds)."""
    first, after = np.searchsorted(frames.times_seconds, [start_seconds, end_seconds], side="left")
    return range(int(first), int(after))


def end_of(frames: FrameEmbeddings) -> float:
    """Return the video's end in seconds; if the container states an earlier one, just after the last sampled frame."""
    if len(frames) and frames.times_seconds[-1] >= frames.duration_seconds:
        return math.nextafter(float(frames.times_seconds[-1]), math.inf)
    return frames.duration_seconds
