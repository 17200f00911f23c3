"""Rejection curve: absent queries rightly rejected and true ones lost, by score threshold.

Each query is asked within its video. At a threshold, moments of a lower score are left out, and a query whose first
moment is left out is answered with nothing. Where the search itself answers with nothing, so does every threshold.
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
        score: Its score; None where the search answered with nothing.
        is_absent: Whether nothing was the right answer.
        is_right: Whether it has an IoU of 0.5 or more with a true window (R1@0.5).
    """

    score: float | None
    is_absent: bool
    is_right: bool


@dataclass(frozen=True)
class RejectionPoint:
    """Rates at one threshold; all are shares, 0 to 1.

    Attributes:
        threshold: The least score that is answered with; None where any score is.
        absent_rejected: Of all absent queries, those answered with nothing.
        true_lost: Of all true queries, those answered with nothing, whatever the answer would have been worth.
        right_lost: Of the true queries whose first moment is right (R1@0.5), those answered with nothing; None where
            there are none.
        precision: Of all queries with an answer, those that are true and whose first moment is right; None where
            there is no answer.
        recall: Of all true queries, those whose first moment is right and is answered with.
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
        points: By rising threshold: none at all, then every score of a first moment.
        operating: The point that rejects most absent queries among those that lose at most a tenth of the true ones;
            of equal ones, that which loses least. None where the search loses more without any threshold.
    """

    points: tuple[RejectionPoint, ...]
    operating: RejectionPoint | None

    def as_json(self) -> dict[str, Any]:
        """Convert to JSON types."""
        operating = None if self.operating is None else asdict(self.operating)
        return {"most_lost": MOST_LOST, "operating": operating, "points": [asdict(point) for point in self.points]}


def rejection_curve(answers: Sequence[TopAnswer]) -> RejectionCurve | None:
    """Compute the rejection curve of answers; None unless both absent and true queries are among them."""
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
