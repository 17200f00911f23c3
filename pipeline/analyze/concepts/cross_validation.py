"""Cross-validation of a concept, in groups so that no mark is evaluated with marks of its own scene."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.analyze.concepts.examples import Example
from pipeline.analyze.concepts.linear_probe import LinearProbe
from pipeline.optional_packages import require

__all__ = ["Judgement", "balanced_threshold", "example_groups", "judge", "mean_log_odds"]

Floats = npt.NDArray[np.float64]

GROUP_GAP_SECONDS = 10.0
"""Marks of one video that are closer together are in the same group."""
SAME_PICTURE = 0.99
"""Cosine at which two marked frames count as the same picture, as in `Searching.same_picture`."""
_MOST_FOLDS = 10
_INSET = 0.25


@dataclass(frozen=True)
class Judgement:
    """The result of the cross-validation of a concept.

    Attributes:
        threshold: Log-odds of the probe that separate yes from no best.
        precision: Share of yes among the marks classified as yes, 0 to 1; None without any.
        recall: Share of the yes marks that are classified as yes, 0 to 1.
    """

    threshold: float
    precision: float | None
    recall: float


def example_groups(examples: Sequence[Example]) -> npt.NDArray[np.intp]:
    """Group the examples of one verdict that are close in time in one video, or show the same picture.

    Neighbours with the other verdict do not bias the result, and would join all marks of a fixed camera.

    Returns:
        intp (N,), the number of each example's group.
    """
    groups = np.arange(len(examples))
    first = np.stack([example.vectors[0] for example in examples]).astype(np.float64)
    is_same = first @ first.T >= SAME_PICTURE
    for row, one in enumerate(examples):
        for column in range(row):
            other = examples[column]
            if one.is_shown is other.is_shown and (is_same[row, column] or _is_near(one, other)):
                groups[groups == groups[row]] = groups[column]
    return np.unique(groups, return_inverse=True)[1]


def _is_near(one: Example, other: Example) -> bool:
    if one.mark.video_id != other.mark.video_id:
        return False
    gap = max(one.mark.start_seconds, other.mark.start_seconds) - min(one.mark.end_seconds, other.mark.end_seconds)
    return gap < GROUP_GAP_SECONDS


def judge(
    examples: Sequence[Example], groups: npt.NDArray[np.intp], fit: Callable[[Sequence[Example]], LinearProbe]
) -> Judgement:
    """Cross-validate a concept: each fold is classified by a probe and a threshold fitted without it.

    Args:
        examples: Examples, with at least two groups of each verdict.
        groups: intp (N,), the group of each example.
        fit: Fits a probe to examples with both verdicts.
    """
    require("testing a concept", "sklearn")
    from sklearn.model_selection import StratifiedGroupKFold

    is_shown = np.asarray([example.is_shown for example in examples])
    fewest = min(len(np.unique(groups[is_shown])), len(np.unique(groups[~is_shown])))
    folds = StratifiedGroupKFold(min(_MOST_FOLDS, fewest)).split(is_shown, is_shown, groups)
    log_odds, fold_of = np.full(len(examples), np.nan), np.zeros(len(examples), np.intp)
    for number, (kept, left_out) in enumerate(folds):
        known = [examples[row] for row in kept]
        if len({example.is_shown for example in known}) < 2:
            continue
        probe = fit(known)
        log_odds[left_out] = [mean_log_odds(probe, examples[row]) for row in left_out]
        fold_of[left_out] = number
    judged = np.isfinite(log_odds)
    verdicts = np.zeros(len(examples), np.bool_)
    for number in np.unique(fold_of[judged]):
        others = judged & (fold_of != number)
        rows = judged & (fold_of == number)
        verdicts[rows] = log_odds[rows] >= balanced_threshold(log_odds[others], is_shown[others])
    right = int((verdicts & is_shown & judged).sum())
    judged_shown = int((verdicts & judged).sum())
    return Judgement(
        threshold=balanced_threshold(log_odds[judged], is_shown[judged]),
        precision=right / judged_shown if judged_shown else None,
        recall=right / max(1, int((is_shown & judged).sum())),
    )


def mean_log_odds(probe: LinearProbe, example: Example) -> float:
    """Compute the mean log-odds of an example's frames."""
    return float(probe.log_odds(example.vectors).mean())


def balanced_threshold(log_odds: Floats, is_shown: npt.NDArray[np.bool_]) -> float:
    """Find the threshold with the highest balanced accuracy; of ties the nearest to 0, which is the initial threshold.

    If 0 is not in the optimal range, the threshold is a quarter of the range inside its near end.

    Args:
        log_odds: float64 (N,), cross-validated.
        is_shown: bool (N,), the verdicts.
    """
    if not is_shown.any() or is_shown.all():
        return 0.0
    edges = np.unique(log_odds)
    lows, highs = np.append(-np.inf, edges), np.append(edges, np.inf)
    yes, no = np.sort(log_odds[is_shown]), np.sort(log_odds[~is_shown])
    # All thresholds between two neighbouring values are equivalent: values at or above the upper one are yes.
    accuracy = (len(yes) - np.searchsorted(yes, highs)) / len(yes) + np.searchsorted(no, highs) / len(no)
    best = np.flatnonzero(accuracy >= accuracy.max() - 1e-12)
    points = [_nearest_to_zero(lows[row], highs[row]) for row in best]
    return float(min(points, key=abs))


def _nearest_to_zero(low: float, high: float) -> float:
    """Return the value in (low, high] nearest to 0; outside of 0, a quarter of the range from the near end."""
    if low < 0 <= high:
        return 0.0
    near, far = (low, high) if low >= 0 else (high, low)
    if not np.isfinite(far):
        return near + (1.0 if far > 0 else -1.0) * _INSET
    return near + _INSET * (far - near)
