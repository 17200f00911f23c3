"""Sums over the videos of a label, from which its metrics and their bootstrap intervals are computed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from pipeline.evaluate.intervals.case import LabelCase
from pipeline.evaluate.intervals.events import EventMatches
from pipeline.evaluate.intervals.frame_scores import average_precision, ranked_precision
from pipeline.evaluate.intervals.reliability import bin_sums, calibration_errors

__all__ = ["LabelCounts", "LabelSums", "label_sums", "scale_of"]

Floats = npt.NDArray[np.float64]

_SECONDS_AN_HOUR = 3600.0
# Bootstrap intervals of average precision group the frames by at most this many scores: half of them are quantiles of
# the true frames' scores, which may be few, and half of all frames' scores.
_MOST_LEVELS = 1000


@dataclass(frozen=True)
class LabelCounts:
    """Counts in one video, or in several.

    Attributes:
        events: True events.
        found: Events that a prediction overlaps.
        right: Predictions that overlap an event.
        false: Predictions that overlap neither an event nor an interval of unknown truth.
        undecided: Predictions that overlap no event but an interval of unknown truth.
        delay_seconds: Sum of the delays of the found events.
        known_seconds: Length of the videos without the intervals of unknown truth.
        frames: Sampled frames of known truth.
        true_positives: Labelled frames that show the label.
        false_positives: Labelled frames that do not show the label.
        false_negatives: Unlabelled frames that show the label.
        left_to_people: Frames whose scores lie between the two bounds.
    """

    events: float = 0.0
    found: float = 0.0
    right: float = 0.0
    false: float = 0.0
    undecided: float = 0.0
    delay_seconds: float = 0.0
    known_seconds: float = 0.0
    frames: float = 0.0
    true_positives: float = 0.0
    false_positives: float = 0.0
    false_negatives: float = 0.0
    left_to_people: float = 0.0


_NAMES = tuple(field.name for field in fields(LabelCounts))


@dataclass(frozen=True, eq=False)
class LabelSums:
    """The sums of one label.

    Attributes:
        label: The label.
        videos: int (V,) positions of its videos among all videos of the evaluation.
        counts: float64 (V, C), the fields of `LabelCounts` of each video.
        has_events: Whether intervals were predicted.
        has_scores: Whether frames were scored.
        average_precision: Exact average precision of its frames in all videos; NaN without a true frame.
        ranked_true: float64 (V, B), numbers of true frames by score, in decreasing order.
        ranked: float64 (V, B), numbers of all frames by score, in decreasing order.
        bins: float64 (V, BINS, 3), sums of the frames' scores for a reliability diagram.
    """

    label: str
    videos: npt.NDArray[np.intp]
    counts: Floats
    has_events: bool
    has_scores: bool
    average_precision: float
    ranked_true: Floats
    ranked: Floats
    bins: Floats

    def total(self) -> LabelCounts:
        """Add up the counts of all videos."""
        return LabelCounts(*self.counts.sum(axis=0).tolist())

    def metrics(self) -> dict[str, float]:
        """Compute the metrics over all videos: 0 to 1, seconds, or per hour; NaN for metrics that do not apply."""
        found = self.drawn(np.ones((1, len(self.videos))))
        metrics = {name: float(values[0]) for name, values in found.items()}
        return metrics | ({"frame-AP": self.average_precision} if self.has_scores else {})

    def drawn(self, times: Floats) -> dict[str, Floats]:
        """Compute the metrics over resampled videos.

        Args:
            times: float64 (R, V), how often each of the label's videos occurs in each of R draws.

        Returns:
            By metric, float64 (R,), in the units of `metrics`.
        """
        sums = dict(zip(_NAMES, (times @ self.counts).T, strict=True))
        found = {}
        if self.has_scores:
            found["frame-AP"] = ranked_precision(times @ self.ranked_true, times @ self.ranked)
        found |= _frame_metrics(sums)
        if self.has_scores:
            found["frame-left-to-people"] = _ratio(sums["left_to_people"], sums["frames"])
            found["frame-ECE"] = calibration_errors(np.tensordot(times, self.bins, 1))
        return found | (_event_metrics(sums) if self.has_events else {})


def scale_of(name: str) -> float:
    """Return the factor from a metric to its displayed unit: 100 for shares, 1 for seconds and for alarms per hour."""
    return 1.0 if name.endswith(("seconds", "per-hour")) else 100.0


def label_sums(
    cases: Sequence[LabelCase],
    matches: Sequence[EventMatches | None],
    numbers: Mapping[str, int],
    people: tuple[float, float],
) -> LabelSums:
    """Compute the sums of one label.

    Args:
        cases: The cases of the label, one for each of its videos.
        matches: Their matches; None for cases without predicted intervals.
        numbers: The position of each video, by id.
        people: Bounds [low, high) of the scores that are left to people.
    """
    has_scores = all(case.scores is not None for case in cases)
    scores = [case.is_positive.astype(np.float64) if case.scores is None else case.scores for case in cases]
    known = [score[case.is_known] for score, case in zip(scores, cases, strict=True)]
    true = [case.is_true[case.is_known] for case in cases]
    counts = [
        _counts(case, matched, score, people) for case, matched, score in zip(cases, matches, scores, strict=True)
    ]
    ranked_true, ranked = _ranked(known, true)
    return LabelSums(
        label=cases[0].label,
        videos=np.asarray([numbers[case.video_id] for case in cases], np.intp),
        counts=np.asarray([[getattr(one, name) for name in _NAMES] for one in counts], np.float64),
        has_events=all(matched is not None for matched in matches),
        has_scores=has_scores,
        average_precision=average_precision(np.concatenate(known), np.concatenate(true)),
        ranked_true=ranked_true,
        ranked=ranked,
        bins=np.stack([bin_sums(*pair) for pair in zip(known, true, strict=True)]),
    )


def _counts(case: LabelCase, matched: EventMatches | None, scores: Floats, people: tuple[float, float]) -> LabelCounts:
    known, true, positive = case.is_known, case.is_true, case.is_positive
    delays = [] if matched is None else [delay for delay in matched.delays_seconds if delay is not None]
    outcomes = () if matched is None else matched.outcomes
    left = (scores >= people[0]) & (scores < people[1])
    return LabelCounts(
        events=len(case.events),
        found=len(delays),
        right=outcomes.count(True),
        false=outcomes.count(False),
        undecided=outcomes.count(None),
        delay_seconds=math.fsum(delays),
        known_seconds=case.known_seconds,
        frames=int(known.sum()),
        true_positives=int((known & true & positive).sum()),
        false_positives=int((known & ~true & positive).sum()),
        false_negatives=int((known & true & ~positive).sum()),
        left_to_people=int((known & left).sum()),
    )


def _ranked(scores: Sequence[Floats], true: Sequence[npt.NDArray[np.bool_]]) -> tuple[Floats, Floats]:
    """Count the true frames and all frames of each video by score, in decreasing order: float64 (V, B) each."""
    everything = np.concatenate(scores)
    levels = np.unique(everything)
    if len(levels) > _MOST_LEVELS:
        shares = np.linspace(0, 1, _MOST_LEVELS // 2)
        parts = [part for part in (everything, everything[np.concatenate(true)]) if len(part)]
        levels = np.unique(np.concatenate([np.quantile(part, shares, method="nearest") for part in parts]))
    ranked_true, ranked = (np.zeros((len(scores), len(levels))) for _ in range(2))
    for video, (score, is_true) in enumerate(zip(scores, true, strict=True)):
        place = len(levels) - np.searchsorted(levels, score, side="right")
        ranked[video] = np.bincount(place, minlength=len(levels))
        ranked_true[video] = np.bincount(place, is_true, minlength=len(levels))
    return ranked_true, ranked


def _frame_metrics(sums: Mapping[str, Floats]) -> dict[str, Floats]:
    hits, extra, lost = (sums[name] for name in ("true_positives", "false_positives", "false_negatives"))
    # F1 is undefined for a label that no frame shows; its false alarms are counted per hour.
    doubled = np.where(hits + lost > 0, 2 * hits + extra + lost, 0.0)
    return {
        "frame-precision": _ratio(hits, hits + extra),
        "frame-recall": _ratio(hits, hits + lost),
        "frame-F1": _ratio(2 * hits, doubled),
    }


def _event_metrics(sums: Mapping[str, Floats]) -> dict[str, Floats]:
    precision = _ratio(sums["right"], sums["right"] + sums["false"])
    recall = _ratio(sums["found"], sums["events"])
    # Precision is undefined without predictions.
    least = np.nan_to_num(precision)
    both = least + recall
    return {
        "event-precision": precision,
        "event-recall": recall,
        "event-F1": np.where(np.isnan(recall), np.nan, 2 * least * np.nan_to_num(recall) / np.where(both > 0, both, 1)),
        "false-alarms-per-hour": _ratio(_SECONDS_AN_HOUR * sums["false"], sums["known_seconds"]),
        "delay-seconds": _ratio(sums["delay_seconds"], sums["found"]),
    }


def _ratio(part: Floats, whole: Floats) -> Floats:
    found: Floats = np.divide(part, whole, out=np.full(len(whole), math.nan), where=whole > 0)
    return found
