"""Moment-retrieval metrics as QVHighlights defines them (Lei et al. 2021, arXiv:2107.09609).

The rules are those of `standalone_eval/eval.py` in jayleicn/moment_detr, named `qvhighlights/1` in every result:

- IoU of two windows: the length of their intersection divided by that of their union; 0 for windows that only touch.
- R1@t: share of queries whose first prediction has an IoU of at least t with the nearest true window, the one with the
  highest IoU. R5@t uses the best of the first five predictions. mIoU: mean over queries of the first prediction's IoU
  with the nearest true window.
- mAP@t: mean over queries of the average precision of the first ten predictions. In order of score, each prediction
  takes the free true window with the highest IoU (the last one of ties) if that is at least t, and is wrong otherwise.
  Each true window is taken at most once. The average precision is interpolated: precision at a recall is the maximum
  precision at that or any higher recall. mAP is the mean of mAP@t over t = 0.5, 0.55, ..., 0.95.
- short, middle and long: only true windows of at most 10 s, of more than 10 s and at most 30 s, and longer ones;
  queries without any such window are left out. In the original, long windows end at 150 s, the length of the longest
  video of its set; here they have no upper limit.

Additional metrics: R5, mIoU, and the mean absolute errors in seconds of the first prediction's start and end with
respect to the nearest true window, over the queries for which the two overlap; `MR-full-overlap` is the share of these
queries.

A query without any prediction stops the original; here it scores 0. Queries without a true window have none of these
scores.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

__all__ = [
    "MATCHING_RULE",
    "as_columns",
    "average_precision",
    "means",
    "moment_metrics",
    "moment_scores",
    "scale_of",
    "window_ious",
]

MATCHING_RULE = "qvhighlights/1"
"""Version of the rules above. It changes whenever the same answers would get another score."""

Floats = npt.NDArray[np.float64]
Window = tuple[float, float]
Prediction = tuple[float, float, float]

_AP_THRESHOLDS = tuple(round(0.5 + 0.05 * k, 2) for k in range(10))
_RECALL_THRESHOLDS = (0.3, 0.5, 0.7)
_RECALL_DEPTHS = (1, 5)
_MOST_PREDICTIONS = 10
_LENGTHS = {"short": (0.0, 10.0), "middle": (10.0, 30.0), "long": (30.0, math.inf)}


def moment_metrics(predictions: Sequence[Sequence[Prediction]], truths: Sequence[Sequence[Window]]) -> dict[str, float]:
    """Score the answers to a set of queries.

    Args:
        predictions: For each query, (start, end, score) in seconds, best first.
        truths: For each query, the true windows (start, end); queries without any are not scored.

    Returns:
        Metrics by name, such as "MR-full-mAP", per cent, or seconds if the name ends in "-seconds". Metrics without any
        query are left out, such as "MR-short-mAP" if no true window is short.

    Raises:
        ValueError: No query has a true window, or the arguments differ in length.
    """
    if not any(truths) or len(predictions) != len(truths):
        raise ValueError(
            f"{len(predictions)} answers to {len(truths)} queries, of which {sum(map(bool, truths))} have a"
            " true window: nothing to score"
        )
    return means(moment_scores(predictions, truths))


def moment_scores(predictions: Sequence[Sequence[Prediction]], truths: Sequence[Sequence[Window]]) -> dict[str, Floats]:
    """Score the answers to each query.

    Returns:
        By metric, a float64 (Q,) column: 0 to 1, or seconds if the name ends in "-seconds"; NaN for queries without a
        score. The metric is the mean of the others.
    """
    return as_columns([_query_scores(*pair) if pair[1] else {} for pair in zip(predictions, truths, strict=True)])


def as_columns(rows: Sequence[Mapping[str, float]]) -> dict[str, Floats]:
    """Arrange the scores of queries as columns by metric; NaN for queries without a score."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.asarray([row.get(name, math.nan) for row in rows], np.float64) for name in names}


def means(columns: Mapping[str, Floats]) -> dict[str, float]:
    """Average columns of scores: per cent, or seconds if the name ends in "-seconds", with two decimals.

    Columns without any score are left out: a metric that does not apply is not 0.
    """
    found = {}
    for name, column in columns.items():
        scores = column[~np.isnan(column)]
        if len(scores):
            found[name] = round(scale_of(name) * float(np.mean(scores)), 2)
    return found


def scale_of(name: str) -> float:
    """Return the factor from a score to its displayed unit: 100 for shares, 1 for seconds."""
    return 1.0 if name.endswith("seconds") else 100.0


def average_precision(predictions: Sequence[Prediction], truth: Sequence[Window], threshold: float) -> float:
    """Compute the interpolated average precision of one query's answers at an IoU threshold, 0 to 1."""
    return _average_precision(_ious_by_score(predictions, truth), threshold)


def window_ious(ones: Sequence[Window], others: Sequence[Window]) -> Floats:
    """Compute the IoU of each window with each other: float64 (len(ones), len(others)), 0 to 1."""
    one, other = (np.asarray(windows, np.float64).reshape(-1, 2) for windows in (ones, others))
    starts = np.maximum(one[:, None, 0], other[None, :, 0])
    ends = np.minimum(one[:, None, 1], other[None, :, 1])
    shared = np.clip(ends - starts, 0, None)
    covered = (one[:, 1] - one[:, 0])[:, None] + (other[:, 1] - other[:, 0])[None] - shared
    ious: Floats = np.divide(shared, covered, out=np.zeros_like(shared), where=covered > 0)
    return ious


def _query_scores(predictions: Sequence[Prediction], truth: Sequence[Window]) -> dict[str, float]:
    """Score one query that has a true window."""
    ious = window_ious([(start, end) for start, end, _ in predictions], truth)
    by_score = _ious_by_score(predictions, truth)
    at = [_average_precision(by_score, threshold) for threshold in _AP_THRESHOLDS]
    scores = {
        "MR-full-mAP": float(np.mean(at)),
        "MR-full-mAP@0.5": at[_AP_THRESHOLDS.index(0.5)],
        "MR-full-mAP@0.75": at[_AP_THRESHOLDS.index(0.75)],
    }
    for depth in _RECALL_DEPTHS:
        best = float(ious[:depth].max(initial=0.0))
        scores |= {f"MR-full-R{depth}@{threshold}": float(best >= threshold) for threshold in _RECALL_THRESHOLDS}
    scores["MR-full-mIoU"] = float(ious[:1].max(initial=0.0))
    for name, (shortest, longest) in _LENGTHS.items():
        kept = [place for place, (start, end) in enumerate(truth) if shortest < end - start <= longest]
        precisions = [_average_precision(by_score[:, kept], threshold) for threshold in _AP_THRESHOLDS]
        scores[f"MR-{name}-mAP"] = float(np.mean(precisions)) if kept else math.nan
    return scores | _edge_errors(predictions, truth, ious)


def _edge_errors(predictions: Sequence[Prediction], truth: Sequence[Window], ious: Floats) -> dict[str, float]:
    overlaps = bool(ious[:1].max(initial=0.0) > 0)
    start, end = truth[int(ious[0].argmax())] if overlaps else (math.nan, math.nan)
    return {
        "MR-full-overlap": float(overlaps),
        "MR-full-start-error-seconds": abs(predictions[0][0] - start) if overlaps else math.nan,
        "MR-full-end-error-seconds": abs(predictions[0][1] - end) if overlaps else math.nan,
    }


def _ious_by_score(predictions: Sequence[Prediction], truth: Sequence[Window]) -> Floats:
    """Return the IoU of the first ten predictions, in order of score, with the true windows."""
    ordered = sorted(predictions[:_MOST_PREDICTIONS], key=lambda prediction: -prediction[2])
    return window_ious([(start, end) for start, end, _ in ordered], truth)


def _average_precision(ious: Floats, threshold: float) -> float:
    right = np.zeros(len(ious))
    taken: set[int] = set()
    for number, nearest_first in enumerate(np.argsort(ious, axis=1, kind="stable")[:, ::-1].tolist()):
        free = next((window for window in nearest_first if window not in taken), None)
        if free is not None and ious[number, free] >= threshold:
            taken.add(free)
            right[number] = 1
    if not taken:
        return 0.0
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    best_later = np.maximum.accumulate(precision[::-1])[::-1]
    # Recall rises only at right answers, each time by the share of one window.
    return float(np.sum(best_later * right) / ious.shape[1])
