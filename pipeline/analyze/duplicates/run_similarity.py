"""Temporal similarity: measures whether two aligned runs change in the same way at the same time.

Similar frames are not evidence of a copy: a fixed camera shows the same room for hours, and many videos contain black
frames. Only changes are. The changes of the embeddings over one second are correlated between the two runs: constant
differences (a crop, black bars, a logo) cancel, and unchanged content contributes nothing. Changes smaller than
`LEAST_CHANGE` are ignored, because a lossy codec causes them in still pictures, too.

A few changes may agree by chance, and similar changes agree more easily: at a fixed camera, all people enter by the
same door. The score is therefore based on the lower bound of the correlation's confidence interval (Fisher 1921). The
number of observations is the number of changes, increased if they have many directions; few directions also lower the
score:

    least = artanh(correlation) - margin / sqrt((changes - fitted) * sqrt(directions))
    score = tanh(least * sqrt(directions))

The number of changes is the participation ratio of their sizes: one cut counts as 1, steady motion as its duration in
seconds. `fitted` is the number of fitted parameters: 1 for an offset, 2 for an offset and a rate; each uses up one
change. The number of directions is the participation ratio of the changes' scatter matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["LEAST_CHANGE", "RunSimilarity", "changes_of", "run_similarity"]

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]

MARGIN = 1.05
"""Chosen on 440 clips (sample world, seeds 9311 and 9312, and excerpts of real footage): different clips score up to
0.35, letter-boxed copies 0.4 or more with few exceptions."""
RATE_MARGIN = 1.6
"""The margin if a rate was fitted, too: the best of many rates agrees more by chance."""
RELIEF = 0.5
"""Share by which the margin is reduced for identical frames, whose similarity is evidence, too. Chosen with `_LIKE` on
seeds 9301, 9311 and 9312: short copies with one or two changes are found, and different clips do not score higher."""
_LIKE = 0.85
"""Cosine of aligned frames up to which the margin is not reduced."""
LEAST_CHANGE = 0.004
"""Squared length below which a change of the stored unit embeddings is ignored. With the demo model, still pictures in
MPEG-4 at 30 kb/s change by 0.0013 on average."""
_DIRECTION_ROWS = 256
_MOST_CORRELATION = 0.999


@dataclass(frozen=True)
class RunSimilarity:
    """The similarity of two aligned runs.

    Attributes:
        score: Confidence that both show the same footage, 0 to 1.
        least_correlation: Lower bound of the correlation, 0 to 1; distinguishes alignments whose scores are near 1.
        cosine: Mean cosine of the aligned frames in the frame space.
        correlation: Correlation of the changes, -1 to 1.
        changes: Effective number of changes.
        directions: Effective number of directions of the changes, at least 1.
    """

    score: float
    least_correlation: float
    cosine: float
    correlation: float
    changes: float
    directions: float


def changes_of(vectors: Vectors, lag: int) -> Vectors:
    """Compute the centred changes of embeddings over `lag` points: float32 (N, D), zeros near the ends."""
    changes = np.zeros_like(vectors)
    if len(vectors) > lag:
        changes[lag // 2 : lag // 2 + len(vectors) - lag] = vectors[lag:] - vectors[:-lag]
    return changes


def run_similarity(a: Vectors, b: Vectors, lag: int, *, cosine: float, fitted: int) -> RunSimilarity:
    """Measure the evidence that two aligned runs show the same footage.

    Args:
        a: float32 (N, D), embeddings of a run, with or without a constant subtracted; zeros where there is no frame.
        b: float32 (N, D), embeddings of the aligned frames.
        lag: Number of points over which a change is measured: one second.
        cosine: Mean cosine of the aligned frames in the frame space.
        fitted: Number of fitted parameters: 1 for an offset, 2 for an offset and a rate.
    """
    first, other = a[lag:] - a[:-lag], b[lag:] - b[:-lag]
    one, two = (np.einsum("ij,ij->i", each, each).astype(np.float64) for each in (first, other))
    sizes = np.sqrt(one * two)
    shows: npt.NDArray[np.bool_] = np.logical_and(a.any(axis=1), b.any(axis=1))
    counts = (sizes >= LEAST_CHANGE) & shows[lag:] & shows[:-lag]
    if not counts.any():
        return RunSimilarity(0.0, 0.0, cosine, 0.0, 0.0, 1.0)
    first, other, one, two, sizes = (each[counts] for each in (first, other, one, two, sizes))
    correlation = float(np.einsum("ij,ij->", first, other) / np.sqrt(one.sum() * two.sum()))
    changes = float(sizes.sum() ** 2 / (sizes * sizes).sum()) / lag
    directions = _directions(first, other)
    observations = max(changes - fitted, 1e-6) * np.sqrt(directions)
    margin = (MARGIN if fitted == 1 else RATE_MARGIN) * (1 - RELIEF * np.clip((cosine - _LIKE) / (1 - _LIKE), 0, 1))
    bounded = np.arctanh(np.clip(correlation, 0, _MOST_CORRELATION))
    score = max(0.0, np.tanh((bounded - margin / np.sqrt(observations)) * np.sqrt(directions)))
    least = max(0.0, np.tanh(bounded - MARGIN / np.sqrt(observations)))
    return RunSimilarity(float(score), float(least), cosine, correlation, changes, directions)


def _directions(a: Vectors, b: Vectors) -> float:
    """Return the number of directions: the product of the scatters' traces divided by the trace of their product."""
    rows = np.unique(np.linspace(0, len(a) - 1, min(len(a), _DIRECTION_ROWS)).astype(np.int64))
    a, b = a[rows], b[rows]
    products = a @ b.T
    traces = float(np.einsum("ij,ij->", a, a)) * float(np.einsum("ij,ij->", b, b))
    return max(1.0, traces / max(float(np.einsum("ij,ij->", products, products)), 1e-12))
