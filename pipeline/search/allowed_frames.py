"""Restriction of a search to the frames in some intervals of a video.

Frames outside of the intervals score minus infinity. No moment has its best frame among them or grows over them, and it
ends where the interval of its first or last frame does.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pipeline.search.localization import Curve, Span

__all__ = ["clipped_span", "curve_within", "is_within"]

Floats = npt.NDArray[np.float64]

# Times are rounded to floats.
_ROUNDING_SECONDS = 1e-6


def curve_within(curve: Curve, intervals: Floats) -> Curve:
    """Return the curve with frames outside of some intervals scored minus infinity.

    Args:
        curve: The scores of a video's frames.
        intervals: float64 (K, 2) half-open intervals in seconds, in order, without overlap.
    """
    return replace(curve, scores=np.where(is_within(curve.times_seconds, intervals), curve.scores, -np.inf))


def is_within(seconds: Floats | float, intervals: Floats) -> npt.NDArray[np.bool_]:
    """Whether times lie in one of some intervals: bool, of the times' shape.

    Args:
        seconds: Times.
        intervals: float64 (K, 2) half-open intervals in seconds, in order, without overlap.
    """
    # The number of bounds up to a time is odd within an interval.
    return np.asarray(np.searchsorted(intervals.ravel(), seconds, side="right") % 2 == 1)


def clipped_span(span: Span, curve: Curve, intervals: Floats) -> Span:
    """Clip a moment to the intervals that its first and its last frame lie in.

    Args:
        span: Found on `curve`.
        curve: The scores of a video's frames within the intervals.
        intervals: float64 (K, 2) half-open intervals in seconds, in order, without overlap.
    """
    first, after = curve.rows(span.start_seconds, span.end_seconds)
    start = float(intervals[_interval_at(intervals, curve.times_seconds[first]), 0])
    end = float(intervals[_interval_at(intervals, curve.times_seconds[after - 1]), 1])
    if start >= span.start_seconds - _ROUNDING_SECONDS:
        span = replace(span, start_seconds=start, start_uncertainty_seconds=0.0)
    if end <= span.end_seconds + _ROUNDING_SECONDS:
        span = replace(span, end_seconds=end, end_uncertainty_seconds=0.0)
    return span


def _interval_at(intervals: Floats, seconds: float) -> int:
    """The number of the last interval that begins at a time or before."""
    return int(np.searchsorted(intervals[:, 0], seconds, side="right")) - 1
