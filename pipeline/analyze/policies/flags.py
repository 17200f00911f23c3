"""Flagged intervals: where the frames of one video meet a rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pipeline.analyze.frame_intervals import FrameIntervals
from pipeline.analyze.intervals import ScoredInterval, scored_intervals
from pipeline.analyze.policies.condition import condition_log_odds
from pipeline.analyze.policies.policy import Rule

__all__ = ["Flag", "Peak", "peak_of", "probabilities", "rule_flags"]

Floats = npt.NDArray[np.float64]

# A share of time that falls short by the rounding of sums still counts.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Peak:
    """The frame of a video, or of an interval, that meets a rule best.

    Attributes:
        seconds: The frame's time.
        score: Its probability, 0 to 1.
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
        confidence: The scores of its frames, aggregated as the rule says, 0 to 1.
        cooled_by: The earlier interval for whose cooldown it is logged and not reported, as "ID at 12.500 s"; None
            where it is reported.
    """

    start_seconds: float
    end_seconds: float
    peak: Peak
    confidence: float
    cooled_by: str | None = None


def probabilities(log_odds: Floats) -> Floats:
    """Convert log-odds (N,) to probabilities."""
    # exp is infinite for what is as good as impossible, and the probability 0.
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
        frames: What the video's sampled frames stand for.
        of_parts: By the name of each part of the condition, float64 (N,) log-odds of the frames.
        windows: The intervals [start, end) in seconds to which the rule is limited, in order; None for the whole video.
    """
    scores = probabilities(condition_log_odds(rule.when, of_parts))
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
) -> Peak | None:
    """Find the frame that meets a rule best; None where no frame lies within the windows."""
    scores = probabilities(condition_log_odds(rule.when, of_parts))
    parts = _windowed(frames, windows)
    if not parts:
        return None
    rows = np.concatenate([np.arange(first, after) for _, first, after in parts])
    row = int(rows[scores[rows].argmax()])
    return _peak(row, float(frames.times_seconds[row]), float(scores[row]), of_parts)


def _windowed(
    frames: FrameIntervals, windows: Sequence[tuple[float, float]] | None
) -> list[tuple[FrameIntervals, int, int]]:
    """The frames that stand for a part of each window, cut to it, and their rows [first, after)."""
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
    """The flag of an interval; None where too small a share of its time reaches `enter`."""
    total = float(lengths.sum())
    # A lone frame at a video's end may stand for no time at all.
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


def _peak(row: int, seconds: float, score: float, of_parts: Mapping[str, Floats]) -> Peak:
    return Peak(seconds, score, {name: float(probabilities(odds[row])) for name, odds in of_parts.items()})
