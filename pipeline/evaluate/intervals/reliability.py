"""Reliability diagrams: how often predictions of a given confidence are true."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["BINS", "Reliability", "ReliabilityBin", "bin_sums", "calibration_errors", "reliability"]

Floats = npt.NDArray[np.float64]

BINS = 10
"""Number of bins, of equal width from 0 to 1, as in Naeini et al."""


@dataclass(frozen=True)
class ReliabilityBin:
    """The confidences in one bin.

    Attributes:
        low: Lowest confidence of the bin.
        high: Upper bound, excluded; 1 belongs to the last bin.
        count: Number of confidences.
        confidence: Mean confidence; None for an empty bin.
        share_true: Share of true predictions; None for an empty bin.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    share_true: float | None


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram, with its expected calibration error.

    Attributes:
        bins: The bins, in order.
        error: Mean distance between the confidence and the share of true predictions of a bin, weighted by count, 0 to
            1; None without confidences.
    """

    bins: tuple[ReliabilityBin, ...]
    error: float | None

    @property
    def count(self) -> int:
        """Number of confidences."""
        return sum(one.count for one in self.bins)


def bin_sums(confidences: Floats, is_true: npt.NDArray[np.bool_]) -> Floats:
    """Sum confidences by bin: float64 (BINS, 3), their count, their sum, and the count of true ones."""
    place = np.clip((confidences * BINS).astype(np.int64), 0, BINS - 1)
    columns = [np.bincount(place, weights, BINS) for weights in (None, confidences, is_true.astype(np.float64))]
    return np.stack(columns, axis=1).astype(np.float64)


def calibration_errors(sums: Floats) -> Floats:
    """Compute expected calibration errors (Naeini, Cooper and Hauskrecht 2015, doi:10.1609/aaai.v29i1.9602).

    Args:
        sums: float64 (R, BINS, 3), as returned by `bin_sums`.

    Returns:
        float64 (R,), 0 to 1; NaN without confidences.
    """
    # The distance of a bin times its count equals the distance of its sums.
    totals = sums[:, :, 0].sum(axis=1)
    distances = np.abs(sums[:, :, 1] - sums[:, :, 2]).sum(axis=1)
    found: Floats = np.divide(distances, totals, out=np.full(len(sums), math.nan), where=totals > 0)
    return found


def reliability(sums: Floats) -> Reliability:
    """Make a reliability diagram from float64 (BINS, 3) sums, as returned by `bin_sums`."""
    error = float(calibration_errors(sums[None])[0])
    return Reliability(tuple(_bins(sums.tolist())), None if math.isnan(error) else error)


def _bins(sums: Sequence[Sequence[float]]) -> list[ReliabilityBin]:
    return [
        ReliabilityBin(
            number / BINS,
            (number + 1) / BINS,
            round(count),
            total / count if count else None,
            true / count if count else None,
        )
        for number, (count, total, true) in enumerate(sums)
    ]
