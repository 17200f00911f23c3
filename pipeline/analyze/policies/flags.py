"""Flagged intervals: the intervals in which the frames of a video meet a rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pipeline.analyze.frame_intervals import FrameIntervals
from pipeline.analyze.policies.condition import condition_log_odds
from pipeline.analyze.policies.policy import Rule
from pipeline.analyze.running_median import running_median
from pipeline.analyze.scored_intervals import ScoredInterval, scored_intervals

__all__ = ["BestFrame", "Flag", "peak_of", "probabilities", "rule_flags"]

Floats = npt.NDArray[np.float64]

# Tolerance for the rounding of sums in shares of time.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class BestFrame:
    """The frame of a video or interval with the best score for a rule.

    Attributes:
        seconds: The frame's time.
        score: Its probability after smoothing, 0 to 1.
        parts: The probability of each part of the condition at that frame, by the part's name.
    """

    seconds: float
    score: float
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Flag:
    """An interval of a video that a rule flags.

    Attributes:
        start_seconds: First second.
        end_seconds: First second after it.
        peak: Its best frame.
        confidence: The scores of its frames, aggregated as the rule defines, 0 to 1.
        cooled_by: The earlier interval whose cooldown it is in, such as "ID at 12.500 s"; None if it is reported.
    """

    start_seconds: float
    end_seconds: float
    peak: BestFrame
    confidence: float
    cooled_by: str | None = None


def probabilities(log_odds: Floats) -> Floats:
    """Convert log-odds (N,) to probabilities."""
    # For very low log-odds, exp overflows to infinity and the probability is 0.
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-log_odds)))


def rule_flags(
    rule: Rule,
    frames: FrameIntervals,
    of_parts: Mapping[str, Floats],
    windows: Sequence[tuple[float, float]] | None = None,
) -> list[Flag]:
    """Find the intervals of a video that a rule flags, in order.

    Args:
        rule: The rule.
        frames: The intervals of the video's sampled frames.
        of_parts: By the name of each part of the condition, float64 (N,) log-odds of the frames.
        windows: The intervals [start, end) in seconds to which the rule is limited, in order; None for the whole video.
    """
    scores = _scores(rule, frames, of_parts)
    found = []
    for within, first, after in _windowed(frames, windows):
        for interval in scored_intervals(
            within,
            scores[first:after],
            enter=rule.enter,
            exit=rule.exit,
            min_seconds=rule.min_seconds,
            merge_gap_seconds=rule.merge_gap_seconds,
        ):
            rows = slice(interval.first, interval.after)
            lengths = within.ends_seconds[rows] - within.starts_seconds[rows]
            flag = _flag(rule, interval, scores[first:after][rows], lengths, of_parts, first)
            if flag is not None:
                found.append(flag)
    return found


def peak_of(
    rule: Rule,
    frames: FrameIntervals,
    of_parts: Mapping[str, Floats],
    windows: Sequence[tuple[float, float]] | None = None,
) -> BestFrame | None:
    """Find the frame with the best score for a rule; None if no frame is within the windows."""
    scores = _scores(rule, frames, of_parts)
    parts = _windowed(frames, windows)
    if not parts:
        return None
    rows = np.concatenate([np.arange(first, after) for _, first, after in parts])
    row = int(rows[scores[rows].argmax()])
    return _peak(row, float(frames.times_seconds[row]), float(scores[row]), of_parts)


def _scores(rule: Rule, frames: FrameIntervals, of_parts: Mapping[str, Floats]) -> Floats:
    """Compute the probabilities (N,) that a rule's condition is met, smoothed as the rule defines."""
    log_odds = condition_log_odds(rule.when, of_parts)
    return probabilities(running_median(log_odds, frames.times_seconds, rule.smooth_seconds))


def _windowed(
    frames: FrameIntervals, windows: Sequence[tuple[float, float]] | None
) -> list[tuple[FrameIntervals, int, int]]:
    """Yield the frames that represent parts of each window, clipped to it, and their rows [first, after)."""
    if windows is None:
        return [(frames, 0, len(frames))] if len(frames) else []
    found = []
    for start, end in windows:
        first = int(np.searchsorted(frames.ends_seconds, start, side="right"))
        after = int(np.searchsorted(frames.starts_seconds, end, side="left"))
        if first < after:
            cut = FrameIntervals(
                np.maximum(frames.starts_seconds[first:after], start),
                np.minimum(frames.ends_seconds[first:after], end),
                frames.times_seconds[first:after],
                frames.duration_seconds,
            )
            found.append((cut, first, after))
    return found


def _flag(
    rule: Rule,
    interval: ScoredInterval,
    scores: Floats,
    lengths: Floats,
    of_parts: Mapping[str, Floats],
    offset: int,
) -> Flag | None:
    """Make the flag of an interval; None if too small a share of its time reaches `enter`."""
    total = float(lengths.sum())
    # A single frame at a video's end may represent no time at all.
    weights = lengths / total if total > 0 else np.full(len(lengths), 1 / len(lengths))
    share = float(weights[scores >= rule.enter].sum())
    if share < rule.share - _ROUNDING:
        return None
    confidences = {"max": interval.peak_score, "mean": float(weights @ scores), "share": min(1.0, share)}
    row = offset + interval.first + int(scores.argmax())
    return Flag(
        start_seconds=interval.start_seconds,
        end_seconds=interval.end_seconds,
        peak=_peak(row, interval.peak_seconds, interval.peak_score, of_parts),
        confidence=confidences[rule.aggregate],
    )


def _peak(row: int, seconds: float, score: float, of_parts: Mapping[str, Floats]) -> BestFrame:
    return BestFrame(seconds, score, {name: float(probabilities(odds[row])) for name, odds in of_parts.items()})
