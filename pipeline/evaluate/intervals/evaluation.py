"""Evaluation of a library's labels, or of other predicted intervals, on labelled intervals."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import QueryError
from pipeline.evaluate.intervals.case import LabelCase, Prediction
from pipeline.evaluate.intervals.events import EventMatches, match_events
from pipeline.evaluate.intervals.label_sums import LabelCounts, LabelSums, label_sums, scale_of
from pipeline.evaluate.intervals.reliability import Reliability, bin_sums, reliability

__all__ = ["INTERVAL_RULE", "IntervalEvaluation", "LabelScore", "WorstCase", "evaluate_intervals"]

Floats = npt.NDArray[np.float64]

INTERVAL_RULE = "intervals/1"
"""Version of the metrics' rules. It changes whenever the same predictions would get another score."""

_DRAWS, _SEED, _LEVEL = 1000, 20210720, 0.95
_DRAWS_AT_ONCE = 100


@dataclass(frozen=True)
class LabelScore:
    """The scores of one label.

    Attributes:
        label: The label.
        videos: Number of videos for which the labelled set has the label.
        counts: Counts over these videos.
        metrics: Metrics by name, per cent, seconds, or per hour; without metrics that do not apply.
        intervals: Bootstrap intervals of the metrics; empty with a single video.
    """

    label: str
    videos: int
    counts: LabelCounts
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class WorstCase:
    """A false alarm or a missed event.

    Attributes:
        label: The label.
        video: The video's name in the labelled set.
        video_id: Its id in the library.
        start_seconds: First second of the prediction or event.
        end_seconds: First second after it.
        best_seconds: Time of its frame with the highest score; the middle if no frame was scored.
        score: The prediction's confidence, or the highest score of a frame within the event; None if unknown.
    """

    label: str
    video: str
    video_id: str
    start_seconds: float
    end_seconds: float
    best_seconds: float
    score: float | None


@dataclass(frozen=True)
class IntervalEvaluation:
    """The result of an evaluation on labelled intervals.

    Attributes:
        labels: Scores by label, lowest F1 of frames first, then labels without an event.
        macro: The mean of each metric over the labels that have it.
        macro_intervals: Bootstrap intervals of these means; empty with a single video.
        macro_labels: The number of labels that have each metric.
        frames: Reliability of the frames' scores, over all labels; None without scores.
        events: Reliability of the predicted intervals' confidences; None without predictions.
        false_alarms: False alarms, highest confidence first.
        missed: Missed events, longest first.
        videos: Number of videos.
        hours: Their total length.
        people: Bounds [low, high) of the scores that are left to people.
    """

    labels: tuple[LabelScore, ...]
    macro: Mapping[str, float]
    macro_intervals: Mapping[str, tuple[float, float]]
    macro_labels: Mapping[str, int]
    frames: Reliability | None
    events: Reliability | None
    false_alarms: tuple[WorstCase, ...]
    missed: tuple[WorstCase, ...]
    videos: int
    hours: float
    people: tuple[float, float]

    def as_json(self) -> dict[str, Any]:
        """Convert to JSON types."""
        return {
            "rule": INTERVAL_RULE,
            "resampling": {"unit": "videos", "units": self.videos, "draws": _DRAWS, "seed": _SEED, "level": _LEVEL},
            **asdict(self),
        }


def evaluate_intervals(cases: Iterable[LabelCase], *, people: tuple[float, float] = (0.2, 0.8)) -> IntervalEvaluation:
    """Score the predictions for labels in videos.

    Args:
        cases: One for each label and video of the labelled set.
        people: Bounds [low, high) of the scores that are left to people.

    Raises:
        QueryError: There is no case, or the bounds are not two increasing scores.
    """
    if not 0 <= people[0] <= people[1] <= 1:
        raise QueryError(f"expected two increasing scores from 0 to 1 between which people decide, got {people}")
    by_label: dict[str, list[LabelCase]] = {}
    for case in cases:
        by_label.setdefault(case.label, []).append(case)
    if not by_label:
        raise QueryError("nothing to score: there is no prediction for any label of the labelled set")
    lengths = {case.video_id: case.duration_seconds for each in by_label.values() for case in each}
    numbers = {video_id: number for number, video_id in enumerate(lengths)}
    matches = {label: [_matches(case) for case in each] for label, each in by_label.items()}
    sums = [label_sums(each, matches[label], numbers, people) for label, each in by_label.items()]
    edges, macro_edges = _bootstrap(sums, len(numbers))
    scores = [_label_score(one, bounds) for one, bounds in zip(sums, edges, strict=True)]
    macro, macro_labels = _macro([one.metrics() for one in sums])
    flat = [pair for label, each in by_label.items() for pair in zip(each, matches[label], strict=True)]
    scored = [one.bins.sum(axis=0) for one in sums if one.has_scores]
    return IntervalEvaluation(
        labels=tuple(sorted(scores, key=lambda one: (one.metrics.get("frame-F1", 101.0), one.label))),
        macro=macro,
        macro_intervals=macro_edges,
        macro_labels=macro_labels,
        frames=reliability(np.sum(scored, axis=0)) if scored else None,
        events=_event_reliability(flat),
        false_alarms=tuple(_false_alarms(flat)),
        missed=tuple(_missed(flat)),
        videos=len(numbers),
        hours=sum(lengths.values()) / 3600,
        people=people,
    )


def _matches(case: LabelCase) -> EventMatches | None:
    return None if case.predictions is None else match_events(case.events, case.unknown, case.predictions)


def _label_score(sums: LabelSums, edges: Mapping[str, tuple[float, float]]) -> LabelScore:
    metrics = _shown(sums.metrics())
    kept = {name: edges[name] for name in metrics if name in edges}
    return LabelScore(sums.label, len(sums.videos), sums.total(), metrics, kept)


def _shown(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: round(scale_of(name) * value, 2) for name, value in metrics.items() if not np.isnan(value)}


def _macro(rows: Sequence[Mapping[str, float]]) -> tuple[dict[str, float], dict[str, int]]:
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row[name] for row in rows if name in row and not np.isnan(row[name])] for name in names}
    kept = {name: column for name, column in columns.items() if column}
    return _shown({name: float(np.mean(column)) for name, column in kept.items()}), {
        name: len(column) for name, column in kept.items()
    }


Edges = dict[str, tuple[float, float]]


def _bootstrap(sums: Sequence[LabelSums], videos: int) -> tuple[list[Edges], Edges]:
    """Compute bootstrap intervals of each label's metrics and of the means, by resampling videos."""
    if videos < 2:
        return [{} for _ in sums], {}
    rng = np.random.default_rng(_SEED)
    parts: list[list[dict[str, Floats]]] = [[] for _ in sums]
    for _ in range(_DRAWS // _DRAWS_AT_ONCE):
        times = rng.multinomial(videos, np.full(videos, 1 / videos), size=_DRAWS_AT_ONCE).astype(np.float64)
        for one, part in zip(sums, parts, strict=True):
            part.append(one.drawn(times[:, one.videos]))
    drawn = [{name: np.concatenate([each[name] for each in part]) for name in part[0]} for part in parts]
    names = dict.fromkeys(name for one in drawn for name in one)
    with warnings.catch_warnings():
        # A draw may contain no video with an event of any label.
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        means = {name: np.nanmean([one[name] for one in drawn if name in one], axis=0) for name in names}
    return [_edges(one) for one in drawn], _edges(means)


def _edges(drawn: Mapping[str, Floats]) -> Edges:
    found = {}
    for name, values in drawn.items():
        there = values[~np.isnan(values)]
        if len(there):
            low, high = scale_of(name) * np.percentile(there, (50 * (1 - _LEVEL), 50 * (1 + _LEVEL)))
            found[name] = round(float(low), 2), round(float(high), 2)
    return found


Matched = Sequence[tuple[LabelCase, EventMatches | None]]


def _judged(cases: Matched) -> Iterator[tuple[LabelCase, Prediction, bool]]:
    """Yield each prediction that is known to be right or wrong, with its case."""
    for case, matched in cases:
        if matched is not None:
            for one, is_right in zip(case.predictions or (), matched.outcomes, strict=True):
                if is_right is not None:
                    yield case, one, is_right


def _event_reliability(cases: Matched) -> Reliability | None:
    if all(matched is None for _, matched in cases):
        return None
    judged = list(_judged(cases))
    confidences, right = [one.confidence for _, one, _ in judged], [is_right for _, _, is_right in judged]
    return reliability(bin_sums(np.asarray(confidences, np.float64), np.asarray(right, np.bool_)))


def _false_alarms(cases: Matched) -> list[WorstCase]:
    found = [
        WorstCase(
            *(case.label, case.video, case.video_id, one.start_seconds, one.end_seconds),
            best_seconds=one.peak_seconds,
            score=one.confidence,
        )
        for case, one, is_right in _judged(cases)
        if not is_right
    ]
    return sorted(found, key=lambda one: (-(one.score or 0.0), one.video, one.start_seconds, one.label))


def _missed(cases: Matched) -> list[WorstCase]:
    found = []
    for case, matched in cases:
        for (start, end), delay in zip(case.events, matched.delays_seconds if matched else (), strict=False):
            if delay is None:
                best, score = _best_frame(case, start, end)
                found.append(WorstCase(case.label, case.video, case.video_id, start, end, best, score))
    return sorted(found, key=lambda one: (one.start_seconds - one.end_seconds, one.video, one.start_seconds, one.label))


def _best_frame(case: LabelCase, start: float, end: float) -> tuple[float, float | None]:
    rows = slice(*np.searchsorted(case.times_seconds, (start, end)).tolist())
    if case.scores is None or not len(case.times_seconds[rows]):
        return (start + min(end, case.duration_seconds)) / 2, None
    row = rows.start + int(case.scores[rows].argmax())
    return float(case.times_seconds[row]), float(case.scores[row])
