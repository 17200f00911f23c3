"""Linear probe: logistic regression on frame embeddings with a prior from a text or examples.

The log-odds that a frame with embedding x shows a concept are w·x + b. Initially, w and b are those of the concept's
text (or of its examples, if it has no text) under the calibration of the search. The marks then move them to the
maximum of the posterior

    sum_i c_i log(1 + exp(-y_i (w·x_i + b))) + |u|² / (2 s²) + d² / (2 BIAS_LOG_ODDS²),

where u and d are the changes of w and b, for embeddings centred and whitened by the covariance of the library's own
frames, with the shrinkage of Ledoit and Wolf (2004, doi:10.1016/S0047-259X(03)00096-4). As in linear discriminant
analysis, whitening favours directions in which frames hardly differ, which contain the details that a text misses. s is
such that the change has an a priori standard deviation of ADDED_LOG_ODDS over the library's frames, regardless of the
length of embeddings. The weights c_i balance yes and no.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.optional_packages import require
from pipeline.search.calibration import Calibration

__all__ = ["FrameStatistics", "LinearProbe", "fit_probe", "frame_statistics", "probe_of"]

Floats = npt.NDArray[np.float64]

ADDED_LOG_ODDS = 2.0
BIAS_LOG_ODDS = 2.0
"""Chosen on drawn films of the seeds 7101 to 7108 (benchmarks.concepts), from 1.5, 3, 4.5, 6 and 9; and by hand."""


@dataclass(frozen=True)
class FrameStatistics:
    """Mean and covariance of a library's frame embeddings.

    Attributes:
        mean: float64 (D,), mean embedding.
        whitening: float64 (D, D), symmetric; it transforms centred embeddings to about unit variance in each direction.
    """

    mean: Floats
    whitening: Floats


@dataclass(frozen=True)
class LinearProbe:
    """A linear classifier on embeddings.

    Attributes:
        weights: float64 (D,), the coefficients.
        bias: Log-odds of a zero embedding.
    """

    weights: Floats
    bias: float

    def log_odds(self, vectors: npt.NDArray[np.floating]) -> Floats:
        """Compute float64 (N,) log-odds that frames with these (N, D) embeddings show the concept."""
        return np.asarray(vectors.astype(np.float64) @ self.weights + self.bias, np.float64)


def probe_of(vector: npt.NDArray[np.float32], calibration: Calibration) -> LinearProbe:
    """Convert a calibrated text or picture to a probe with the same log-odds."""
    return LinearProbe(
        calibration.scale * vector.astype(np.float64), -calibration.scale * calibration.level - calibration.log_odds
    )


def frame_statistics(vectors: npt.NDArray[np.float32]) -> FrameStatistics:
    """Estimate mean and whitening from float32 (N, D) embeddings of a library's frames; N is 2 or more."""
    require("fitting a concept", "sklearn")
    from sklearn.covariance import ledoit_wolf

    frames = vectors.astype(np.float64)
    covariance, _ = ledoit_wolf(frames)
    values, axes = np.linalg.eigh(covariance)
    # Avoids a division by zero for equal frames.
    least = max(float(values.max()) * 1e-6, 1e-12)
    return FrameStatistics(frames.mean(axis=0), (axes / np.sqrt(np.maximum(values, least))) @ axes.T)


def fit_probe(
    vectors: npt.NDArray[np.float32],
    is_shown: npt.NDArray[np.bool_],
    weights: Floats,
    *,
    start: LinearProbe,
    statistics: FrameStatistics,
) -> LinearProbe:
    """Fit a probe to marked frames.

    Args:
        vectors: float32 (N, D) embeddings of the marked frames.
        is_shown: bool (N,), whether each shows the concept; both verdicts occur.
        weights: float64 (N,), weights of the frames, before the balancing of yes and no.
        start: The initial probe.
        statistics: Statistics of the library's frames.
    """
    require("fitting a concept", "scipy")
    from scipy.optimize import minimize

    frames = (vectors.astype(np.float64) - statistics.mean) @ statistics.whitening
    given = start.log_odds(vectors)
    signs = np.where(is_shown, 1.0, -1.0)
    counts = _balanced(is_shown, weights)
    added, bias = ADDED_LOG_ODDS**2 / frames.shape[1], BIAS_LOG_ODDS**2

    def objective(parameters: Floats) -> tuple[float, Floats]:
        moved, shift = parameters[:-1], parameters[-1]
        margins = signs * (given + frames @ moved + shift)
        slopes = -counts * signs * _sigmoid(-margins)
        loss = counts @ np.logaddexp(0.0, -margins) + moved @ moved / (2 * added) + shift**2 / (2 * bias)
        return float(loss), np.append(frames.T @ slopes + moved / added, slopes.sum() + shift / bias)

    found = minimize(objective, np.zeros(frames.shape[1] + 1), jac=True, method="L-BFGS-B")
    moved = statistics.whitening @ found.x[:-1]
    return LinearProbe(start.weights + moved, float(start.bias + found.x[-1] - statistics.mean @ moved))


def _balanced(is_shown: npt.NDArray[np.bool_], weights: Floats) -> Floats:
    """Scale weights so that yes and no have equal sums and the total is unchanged."""
    of_yes, of_no = float(weights[is_shown].sum()), float(weights[~is_shown].sum())
    total = of_yes + of_no
    return np.asarray(weights * np.where(is_shown, total / (2 * of_yes), total / (2 * of_no)), np.float64)


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(np.exp(-np.logaddexp(0.0, -values)), np.float64)
