"""Frame intervals: the interval of a video that each sampled frame represents.

Nothing is known between sampled frames. A frame represents the time up to the cut between it and the next frame, or to
the middle between them. If its picture was seen unchanged for longer, it represents that time as well. At a hole in the
sampling (a gap of more than `HOLE_RATIO` times the usual step) it represents half a usual step, and the rest of the
hole belongs to no frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.segment.intervals import end_of, usual_step_seconds
from pipeline.types import FrameEmbeddings

__all__ = ["HOLE_RATIO", "FrameIntervals", "frame_intervals"]

Floats = npt.NDArray[np.float64]

HOLE_RATIO = 2.0
"""Minimum length of a hole in usual steps. Frames of a grid are at most one step late, so less than two steps apart."""
_ROUNDING = 1e-6


@dataclass(frozen=True)
class FrameIntervals:
    """The half-open interval that each sampled frame represents; in order, without overlap.

    Attributes:
        starts_seconds: float64 (N,), starts of the intervals.
        ends_seconds: float64 (N,), ends of the intervals; equal to the next start if there is no gap.
        times_seconds: float64 (N,) times of the frames.
        duration_seconds: The video's length.
    """

    starts_seconds: Floats
    ends_seconds: Floats
    times_seconds: Floats
    duration_seconds: float

    def __len__(self) -> int:
        return len(self.times_seconds)


def frame_intervals(frames: FrameEmbeddings) -> FrameIntervals:
    """Compute the interval that each sampled frame of a video represents."""
    times = frames.times_seconds
    end = end_of(frames)
    if not len(times):
        return FrameIntervals(times, times, times, end)
    until = times if frames.seen_until_seconds is None else frames.seen_until_seconds
    step = usual_step_seconds(times, frames.step_seconds)
    most, half = HOLE_RATIO * step + _ROUNDING, step / 2
    bounds = _bounds(until[:-1], times[1:], np.asarray(frames.cuts_seconds or (), np.float64))
    is_hole = times[1:] - until[:-1] > most
    starts = np.concatenate([[0.0 if times[0] <= most else times[0] - half], bounds])
    starts[1:][is_hole] = (times[1:] - half)[is_hole]
    ends = np.concatenate([bounds, [end if end - until[-1] <= most else until[-1] + half]])
    ends[:-1][is_hole] = (until[:-1] + half)[is_hole]
    return FrameIntervals(starts, ends, times, end)


def _bounds(until: Floats, following: Floats, cuts: Floats) -> Floats:
    """Compute the boundaries between consecutive frames: the last cut between the two, else the middle."""
    middles = (until + following) / 2
    if not len(cuts):
        return middles
    last = np.searchsorted(cuts, following, side="right") - 1
    candidates = cuts[np.maximum(last, 0)]
    return np.where((last >= 0) & (candidates > until), candidates, middles)
