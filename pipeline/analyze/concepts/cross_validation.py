"""Cross-validation of a concept, grouped so that marks of the same scene never help to judge each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.analyze.concepts.examples import Example
from pipeline.analyze.concepts.probe import Probe

__all__ = ["Judgement", "balanced_threshold", "example_groups", "judge", "mean_log_odds"]

Floats = npt.NDArray[np.float64]

GROUP_GAP_SECONDS = 10.0
"""Marks of one video that lie closer together are of one group."""
SAME_PICTURE = 0.99
"""Cosine from which two marked frames count as the same picture, as `Searching.same_picture`."""
_MOST_FOLDS = 10
_INSET = 0.25


@dataclass(frozen=True)
class Judgement:
    """What cross-validation says of a concept.

    Attributes:
        threshold: Log-odds of the probe that divide yes from no best.
        precision: Share of the marks judged yes that are yes, 0 to 1; None where none was judged yes.
        recall: Share of the yes marks that are judged yes, 0 to 1.
    """

    threshold: float
    precision: float | None
    recall: float


def example_groups(examples: Sequence[Example]) -> npt.NDArray[np.intp]:
    """Number the groups of examples: of one verdict, those near in time in one video or of the same picture are one.

    Neighbours of the other verdict help nobody to a better figure, and would chain a fixed camera into one group.

    Returns:
        intp (N,), a number a group.
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
    examples: Sequence[Example], groups: npt.NDArray[np.intp], fit: Callable[[Sequence[Example]], Probe]
) -> Judgement:
    """Cross-validate a concept: each fold is judged by a probe and a threshold that were fitted without it.

    Args:
        examples: Two groups or more with a yes, and two or more with a no.
        groups: intp (N,) group of each example.
        fit: Fits a probe to examples with both verdicts.
    """
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
    said = int((verdicts & judged).sum())
    return Judgement(
        threshold=balanced_threshold(log_odds[judged], is_shown[judged]),
        precision=right / said if said else None,
        recall=right / max(1, int((is_shown & judged).sum())),
    )


def mean_log_odds(probe: Probe, example: Example) -> float:
    """Mean log-odds of an example's frames."""
    return float(probe.log_odds(example.vectors).mean())


def balanced_threshold(log_odds: Floats, is_shown: npt.NDArray[np.bool_]) -> float:
    """Find the log-odds with the greatest balanced accuracy; of several, the nearest to 0, which is the start's own.

    Where 0 does not lie in such a range, the threshold is put a quarter of the range inside it.

    Args:
        log_odds: float64 (N,), each judged without itself.
        is_shown: bool (N,).
    """
    if not is_shown.any() or is_shown.all():
        return 0.0
    edges = np.unique(log_odds)
    lows, highs = np.append(-np.inf, edges), np.append(edges, np.inf)
    yes, no = np.sort(log_odds[is_shown]), np.sort(log_odds[~is_shown])
    # Between two neighbouring values all thresholds judge alike: what is at the upper value or above is yes.
    accuracy = (len(yes) - np.searchsorted(yes, highs)) / len(yes) + np.searchsorted(no, highs) / len(no)
    best = np.flatnonzero(accuracy >= accuracy.max() - 1e-12)
    points = [_nearest_to_zero(lows[row], highs[row]) for row in best]
    return float(min(points, key=abs))


def _nearest_to_zero(low: float, high: float) -> float:
    """The value in (low, high] nearest to 0; where 0 is outside, a quarter of the range away from the near end."""
    if low < 0 <= high:
        return 0.0
    near, far = (low, high) if low >= 0 else (high, low)
    if not np.isfinite(far):
        return near + (1.0 if far > 0 else -1.0) * _INSET
    return near + _INSET * (far - near)
