"""Average precision of frame scores."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["average_precision", "ranked_precision"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def average_precision(scores: Floats, is_true: Bools) -> float:
    """Compute the average precision of a ranking of frames, not interpolated; equal scores share one threshold.

    It is the sum, over all distinct scores in decreasing order, of the precision at that threshold times the recall
    that it adds: the area under the precision-recall curve of the PASCAL VOC challenge since 2010 (Everingham et al.
    2015, doi:10.1007/s11263-014-0733-5), without its envelope; the same as scikit-learn's `average_precision_score`.

    Args:
        scores: float64 (N,), higher is better.
        is_true: bool (N,), whether each frame shows the label.

    Returns:
        0 to 1; NaN if no frame is true.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.append(ranked[1:] != ranked[:-1], True) if len(ranked) else np.zeros(0, np.bool_)
    true = np.cumsum(is_true[order])[last].astype(np.float64)
    count = np.flatnonzero(last) + 1.0
    return float(ranked_precision(np.diff(true, prepend=0.0)[None], np.diff(count, prepend=0.0)[None])[0])


def ranked_precision(true: Floats, count: Floats) -> Floats:
    """Compute the average precision of rankings whose frames are grouped by score.

    Args:
        true: float64 (R, B), numbers of true frames of R rankings at B scores, in decreasing order of score.
        count: float64 (R, B), numbers of all frames.

    Returns:
        float64 (R,); NaN for rankings without a true frame.
    """
    if not true.shape[1]:
        return np.full(len(true), math.nan)
    hits, seen = np.cumsum(true, axis=1), np.cumsum(count, axis=1)
    precision = np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)
    total = hits[:, -1]
    area = (precision * true).sum(axis=1)
    found: Floats = np.divide(area, total, out=np.full(len(true), math.nan), where=total > 0)
    return found
