"""Scored intervals: converts the scores of frames to intervals, with hysteresis."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from pipeline.analyze.frame_intervals import FrameIntervals

__all__ = ["ScoredInterval", "scored_intervals"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ScoredInterval:
    """An interval of one video in which something is shown.

    Attributes:
        start_seconds: First second.
        end_seconds: First second after it.
        peak_seconds: Time of the frame with the highest score.
        peak_score: Score of that frame, 0 to 1.
        first: Row of its first sampled frame.
        after: Row after its last sampled frame.
    """

    start_seconds: float
    end_seconds: float
    peak_seconds: float
    peak_score: float
    first: int
    after: int

    @property
    def duration_seconds(self) -> float:
        """Length of the interval."""
        return self.end_seconds - self.start_seconds


def scored_intervals(
    frames: FrameIntervals,
    scores: Floats,
    *,
    enter: float,
    exit: float | None = None,  # noqa: A002 - the word of policy files
    min_seconds: float = 0.0,
    merge_gap_seconds: float = 0.0,
) -> list[ScoredInterval]:
    """Find the intervals in which something is shown, with hysteresis (a Schmitt trigger over time).

    An interval is a maximal run of frames with scores of at least `exit`, of which at least one is `enter` or more. It
    ends at a hole in the sampling. Then intervals at most `merge_gap_seconds` apart are merged, and those shorter than
    `min_seconds` are removed.

    Args:
        frames: The intervals of the video's sampled frames.
        scores: float64 (N,), scores of the frames, 0 to 1.
        enter: Minimum score of at least one frame of an interval.
        exit: Score below which an interval ends; None for `enter`.
        min_seconds: Minimum length of an interval.
        merge_gap_seconds: Maximum gap to close.

    Raises:
        ValueError: The numbers of scores and frames differ, or `exit` is greater than `enter`.
    """
    least = enter if exit is None else exit
    if len(scores) != len(frames) or least > enter:
        raise ValueError(f"{len(scores)} scores of {len(frames)} frames, enter {enter}, exit {least}")
    runs = [run for run in _runs(scores >= least, frames) if scores[slice(*run)].max() >= enter]
    merged = _merged(runs, frames, merge_gap_seconds)
    found = [_interval(frames, scores, first, after) for first, after in merged]
    return [
        one for one in found if one.duration_seconds >= min_seconds or math.isclose(one.duration_seconds, min_seconds)
    ]


def _runs(is_on: npt.NDArray[np.bool_], frames: FrameIntervals) -> list[tuple[int, int]]:
    """Find the maximal runs of rows [first, after) that are on, without a hole."""
    if not len(is_on):
        return []
    is_next = frames.ends_seconds[:-1] >= frames.starts_seconds[1:]
    edges = np.flatnonzero((is_on[1:] != is_on[:-1]) | ~is_next) + 1
    return [(first, after) for first, after in pairwise([0, *edges.tolist(), len(is_on)]) if is_on[first]]


def _merged(runs: list[tuple[int, int]], frames: FrameIntervals, gap_seconds: float) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, after in runs:
        if merged and 0 < gap_seconds >= frames.starts_seconds[first] - frames.ends_seconds[merged[-1][1] - 1]:
            merged[-1] = merged[-1][0], after
        else:
            merged.append((first, after))
    return merged


def _interval(frames: FrameIntervals, scores: Floats, first: int, after: int) -> ScoredInterval:
    peak = first + int(scores[first:after].argmax())
    return ScoredInterval(
        start_seconds=float(frames.starts_seconds[first]),
        end_seconds=float(frames.ends_seconds[after - 1]),
        peak_seconds=float(frames.times_seconds[peak]),
        peak_score=float(scores[peak]),
        first=first,
        after=after,
    )
