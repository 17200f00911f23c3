"""Moment-retrieval metrics as QVHighlights defines them (Lei et al. 2021, arXiv:2107.09609).

The rules are those of `standalone_eval/eval.py` in jayleicn/moment_detr:

- IoU of two windows: what they share over what they cover together.
- R1@t: share of queries whose first prediction has an IoU of at least t with the true window nearest to it. R5@t takes
  the best of the first five. mIoU: mean over queries of the first prediction's IoU with the nearest true window.
- mAP@t: mean over queries of the average precision of at most ten predictions. In order of score, a prediction takes
  the free true window of greatest IoU, if that is at least t, and is wrong otherwise; a true window is taken once. The
  average precision is interpolated: precision at a recall is the greatest at that or any higher recall. mAP is the mean
  of mAP@t over t = 0.5, 0.55, ..., 0.95.
- short, middle and long: true windows of at most 10 s, at most 30 s, and longer ones, alone; queries without any are
  left out.

All are per cent with two decimals. Where the original stops at a query without a prediction, here it scores 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["average_precision", "moment_metrics", "window_ious"]

Floats = npt.NDArray[np.float64]
Window = tuple[float, float]
Prediction = tuple[float, float, float]

_AP_THRESHOLDS = tuple(round(0.5 + 0.05 * k, 2) for k in range(10))
_RECALL_THRESHOLDS = (0.3, 0.5, 0.7)
_MOST_PREDICTIONS = 10
_LENGTHS = {"short": (0.0, 10.0), "middle": (10.0, 30.0), "long": (30.0, math.inf)}


def moment_metrics(predictions: Sequence[Sequence[Prediction]], truths: Sequence[Sequence[Window]]) -> dict[str, float]:
    """Score the answers to a set of queries.

    Args:
        predictions: For each query (start, end, score) in seconds, best first.
        truths: For each query the true windows (start, end), at least one.

    Returns:
        Per cent by name: "MR-full-mAP", "MR-full-R1@0.5", ...; "MR-short-mAP" and so on where there are such windows.

    Raises:
        ValueError: There is no query, or one has no true window, or the two differ in length.
    """
    if not truths or not all(truths) or len(predictions) != len(truths):
        raise ValueError(
            f"{len(predictions)} answers to {len(truths)} queries, {sum(not truth for truth in truths)} of them without"
            " a true window: nothing to score"
        )
    result = _average_precisions("full", predictions, truths)
    best = [_best_ious(answer, truth) for answer, truth in zip(predictions, truths, strict=True)]
    for depth in (1, 5):
        tops = np.asarray([ious[:depth].max(initial=0.0) for ious in best])
        for threshold in _RECALL_THRESHOLDS:
            result[f"MR-full-R{depth}@{threshold}"] = _per_cent(float(np.mean(tops >= threshold)))
    result["MR-full-mIoU"] = _per_cent(float(np.mean([ious[:1].max(initial=0.0) for ious in best])))
    for name, (shortest, longest) in _LENGTHS.items():
        kept = [[window for window in truth if shortest < window[1] - window[0] <= longest] for truth in truths]
        of_length = [number for number, windows in enumerate(kept) if windows]
        if of_length:
            answers = [predictions[number] for number in of_length]
            found = _average_precisions(name, answers, [kept[number] for number in of_length])
            result[f"MR-{name}-mAP"] = found[f"MR-{name}-mAP"]
    return result


def average_precision(predictions: Sequence[Prediction], truth: Sequence[Window], threshold: float) -> float:
    """Interpolated average precision of one query's answers at an IoU threshold, 0 to 1."""
    ordered = sorted(predictions[:_MOST_PREDICTIONS], key=lambda prediction: -prediction[2])
    if not ordered:
        return 0.0
    right = np.zeros(len(ordered))
    taken: set[int] = set()
    for number, ious in enumerate(window_ious([(start, end) for start, end, _ in ordered], truth)):
        free = [window for window in np.argsort(ious)[::-1].tolist() if window not in taken]
        if free and ious[free[0]] >= threshold:
            taken.add(free[0])
            right[number] = 1
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    best_later = np.maximum.accumulate(precision[::-1])[::-1]
    # Recall rises by 1 / len(truth) at each right answer and nowhere else.
    return float(np.sum(best_later * right) / len(truth))


def window_ious(ones: Sequence[Window], others: Sequence[Window]) -> Floats:
    """IoU of each window with each other: float64 (len(ones), len(others)), 0 to 1."""
    one, other = (np.asarray(windows, np.float64).reshape(-1, 2) for windows in (ones, others))
    starts = np.maximum(one[:, None, 0], other[None, :, 0])
    ends = np.minimum(one[:, None, 1], other[None, :, 1])
    shared = np.clip(ends - starts, 0, None)
    covered = (one[:, 1] - one[:, 0])[:, None] + (other[:, 1] - other[:, 0])[None] - shared
    ious: Floats = np.divide(shared, covered, out=np.zeros_like(shared), where=covered > 0)
    return ious


def _average_precisions(
    name: str, predictions: Sequence[Sequence[Prediction]], truths: Sequence[Sequence[Window]]
) -> dict[str, float]:
    pairs = list(zip(predictions, truths, strict=True))
    means = {t: float(np.mean([average_precision(*pair, t) for pair in pairs])) for t in _AP_THRESHOLDS}
    return {
        f"MR-{name}-mAP": _per_cent(float(np.mean(list(means.values())))),
        f"MR-{name}-mAP@0.5": _per_cent(means[0.5]),
        f"MR-{name}-mAP@0.75": _per_cent(means[0.75]),
    }


def _best_ious(predictions: Sequence[Prediction], truth: Sequence[Window]) -> Floats:
    """IoU of each prediction with the true window nearest to it."""
    best: Floats = window_ious([(start, end) for start, end, _ in predictions], truth).max(axis=1, initial=0.0)
    return best


def _per_cent(share: float) -> float:
    return round(100 * share, 2)
