"""Cases of an interval evaluation: one label in one video, with its true and its predicted intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

__all__ = ["Interval", "LabelCase", "Prediction", "is_within", "joined", "overlapping", "total_seconds"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

Interval = tuple[float, float]
"""A half-open interval [start, end) in seconds."""


@dataclass(frozen=True)
class Prediction:
    """A predicted interval of a label.

    Attributes:
        start_seconds: First second.
        end_seconds: First second after it.
        confidence: Confidence of the prediction, 0 to 1.
        peak_seconds: Time of its best frame.
        decided_seconds: Earliest time at which it could be predicted: its first frame that reaches the enter score.
    """

    start_seconds: float
    end_seconds: float
    confidence: float
    peak_seconds: float
    decided_seconds: float


@dataclass(frozen=True, eq=False)
class LabelCase:
    """One label in one video.

    Attributes:
        label: The label.
        video: The video's name in the labelled set.
        video_id: Its id in the library.
        events: True intervals, in order; no two overlap or touch.
        unknown: Intervals of unknown truth, in order; no two overlap or touch.
        duration_seconds: Length of the video.
        times_seconds: float64 (N,) times of the sampled frames.
        scores: float64 (N,) probabilities that the frames show the label; None if there are only intervals.
        is_positive: bool (N,), whether a frame is labelled: its score reaches the label's enter score or, without
            scores, it lies in a predicted interval.
        predictions: Predicted intervals, in order; None if only frames are scored.
    """

    label: str
    video: str
    video_id: str
    events: tuple[Interval, ...]
    unknown: tuple[Interval, ...]
    duration_seconds: float
    times_seconds: Floats
    scores: Floats | None
    is_positive: Bools
    predictions: tuple[Prediction, ...] | None

    @cached_property
    def is_known(self) -> Bools:
        """Whether the truth is known at each frame's time: bool (N,)."""
        return ~is_within(self.times_seconds, self.unknown)

    @cached_property
    def is_true(self) -> Bools:
        """Whether the label is shown at each frame's time: bool (N,)."""
        return is_within(self.times_seconds, self.events)

    @property
    def known_seconds(self) -> float:
        """Length of the video without the intervals of unknown truth."""
        return max(0.0, self.duration_seconds - total_seconds(self.unknown, self.duration_seconds))


def joined(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Sort intervals, and merge intervals that overlap or touch."""
    found: list[Interval] = []
    for start, end in sorted(intervals):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return tuple(found)


def is_within(times_seconds: Floats, intervals: Sequence[Interval]) -> Bools:
    """Test whether each time lies in one of the joined intervals: bool (N,)."""
    if not intervals:
        return np.zeros(len(times_seconds), np.bool_)
    edges = np.asarray(intervals, np.float64)
    place = np.searchsorted(edges[:, 0], times_seconds, side="right") - 1
    found: Bools = (place >= 0) & (times_seconds < edges[np.maximum(place, 0), 1])
    return found


def overlapping(start_seconds: float, end_seconds: float, intervals: Sequence[Interval]) -> range:
    """Return the positions of the joined intervals that overlap [start, end); touching does not count."""
    edges = np.asarray(intervals, np.float64).reshape(-1, 2)
    first = int(np.searchsorted(edges[:, 1], start_seconds, side="right"))
    after = int(np.searchsorted(edges[:, 0], end_seconds, side="left"))
    return range(first, max(first, after))


def total_seconds(intervals: Sequence[Interval], duration_seconds: float) -> float:
    """Compute the total length of joined intervals within a video."""
    return float(sum(max(0.0, min(end, duration_seconds) - start) for start, end in intervals))
