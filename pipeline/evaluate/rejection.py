"""Rejection curve: share of absent queries rejected and of true queries lost, by score threshold.

Each query is asked within its video. A threshold removes moments with lower scores, and a query whose first moment is
removed is answered with nothing. If the search itself answers with nothing, so does every threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["RejectionCurve", "RejectionPoint", "TopAnswer", "rejection_curve"]

MOST_LOST = 0.1


@dataclass(frozen=True)
class TopAnswer:
    """The first moment of an answer.

    Attributes:
        score: Its score; None if the search answered with nothing.
        is_absent: Whether the query is absent, so that nothing is the right answer.
        is_right: Whether it has an IoU of 0.5 or more with a true window (R1@0.5).
    """

    score: float | None
    is_absent: bool
    is_right: bool


@dataclass(frozen=True)
class RejectionPoint:
    """Rates at one threshold, as shares from 0 to 1.

    Attributes:
        threshold: Minimum score of an answer; None for no threshold.
        absent_rejected: Share of absent queries answered with nothing.
        true_lost: Share of true queries answered with nothing, regardless of whether the answer would have been right.
        right_lost: Share of the true queries with a right first moment (R1@0.5) that are answered with nothing; None
            without such queries.
        precision: Share of the answered queries that are true and have a right first moment; None without any answer.
        recall: Share of true queries that are answered with a right first moment.
    """

    threshold: float | None
    absent_rejected: float
    true_lost: float
    right_lost: float | None
    precision: float | None
    recall: float


@dataclass(frozen=True)
class RejectionCurve:
    """Rejection rates by threshold.

    Attributes:
        points: In order of threshold: none, then the score of each first moment.
        operating: The point with the highest rejection of absent queries at a loss of at most 10 % of the true answers;
            in a tie, the point with the lowest loss. None if the search loses more without any threshold.
    """

    points: tuple[RejectionPoint, ...]
    operating: RejectionPoint | None

    def as_json(self) -> dict[str, Any]:
        """Convert to JSON types."""
        operating = None if self.operating is None else asdict(self.operating)
        return {"most_lost": MOST_LOST, "operating": operating, "points": [asdict(point) for point in self.points]}


def rejection_curve(answers: Sequence[TopAnswer]) -> RejectionCurve | None:
    """Compute the rejection curve of answers; None unless there are both absent and true queries."""
    absent = _sorted_scores([answer for answer in answers if answer.is_absent])
    true = _sorted_scores([answer for answer in answers if not answer.is_absent])
    right = _sorted_scores([answer for answer in answers if answer.is_right and not answer.is_absent])
    if not len(absent) or not len(true):
        return None
    scores = np.unique(np.concatenate([absent, true]))
    thresholds: list[float | None] = [None, *scores[np.isfinite(scores)].tolist()]
    points = tuple(_point(threshold, absent, true, right) for threshold in thresholds)
    kept = [point for point in points if point.true_lost <= MOST_LOST + 1e-12]
    best = max(kept, key=lambda point: (point.absent_rejected, -point.true_lost), default=None)
    return RejectionCurve(points, best)


def _sorted_scores(answers: Sequence[TopAnswer]) -> npt.NDArray[np.float64]:
    return np.sort([-np.inf if answer.score is None else answer.score for answer in answers])


def _point(
    threshold: float | None,
    absent: npt.NDArray[np.float64],
    true: npt.NDArray[np.float64],
    right: npt.NDArray[np.float64],
) -> RejectionPoint:
    if threshold is None:
        gone = [int(np.searchsorted(scores, -np.inf, side="right")) for scores in (absent, true, right)]
    else:
        gone = [int(np.searchsorted(scores, threshold, side="left")) for scores in (absent, true, right)]
    answered = len(absent) - gone[0] + len(true) - gone[1]
    is_left = len(right) - gone[2]
    return RejectionPoint(
        threshold,
        absent_rejected=gone[0] / len(absent),
        true_lost=gone[1] / len(true),
        right_lost=gone[2] / len(right) if len(right) else None,
        precision=is_left / answered if answered else None,
        recall=is_left / len(true),
    )
