"""Bootstrap confidence intervals of metrics.

Videos are resampled, each with all of its queries, because queries about one video have its difficulties in common: its
light, its cuts, its other contents. Resampling single queries would treat seven queries about one film as seven
independent observations, and give intervals that are too narrow. (This is the cluster bootstrap: Davison and Hinkley
1997, Bootstrap Methods and their Application, 3.8; Field and Welsh 2007, doi:10.1111/j.1467-9868.2007.00593.x.) With
fewer than ten videos there are too few to resample, and single queries are resampled instead; such intervals say
nothing about other videos. The result states the unit that was used.

Intervals are percentile intervals (Efron and Tibshirani 1993, An Introduction to the Bootstrap, 13). If all queries
score the same, the interval has no width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.evaluate.metrics import scale_of

__all__ = ["Resampling", "intervals", "resampling_of"]

Floats = npt.NDArray[np.float64]

_LEAST_VIDEOS = 10


@dataclass(frozen=True)
class Resampling:
    """A bootstrap resampling plan.

    Attributes:
        unit: What is resampled: "videos" with all of their queries, or single "queries".
        groups: The number of each query's unit, from 0.
        draws: Number of draws.
        seed: Seed of the draws.
        level: Confidence level of the intervals, 0 to 1.
    """

    unit: str
    groups: tuple[int, ...]
    draws: int = 2000
    seed: int = 20210720
    level: float = 0.95

    @property
    def count(self) -> int:
        """Number of units."""
        return len(set(self.groups))

    def as_json(self) -> dict[str, object]:
        """Convert to JSON types, without the groups."""
        return {"unit": self.unit, "units": self.count, "draws": self.draws, "seed": self.seed, "level": self.level}


def resampling_of(videos: Sequence[str]) -> Resampling:
    """Plan the resampling of queries, given the video of each."""
    names = list(dict.fromkeys(videos))
    if len(names) < _LEAST_VIDEOS:
        return Resampling("queries", tuple(range(len(videos))))
    number_of = {name: number for number, name in enumerate(names)}
    return Resampling("videos", tuple(number_of[video] for video in videos))


def intervals(columns: Mapping[str, Floats], how: Resampling) -> dict[str, tuple[float, float]]:
    """Compute the confidence intervals of metrics, in their units, with two decimals.

    Args:
        columns: Scores by metric, float64 (Q,); NaN where a query has no score.
        how: The resampling plan of the Q queries.

    Returns:
        (low, high) of each column that has a score.
    """
    kept = {name: column for name, column in columns.items() if not np.isnan(column).all()}
    if not kept:
        return {}
    drawn = drawn_means(np.stack(list(kept.values()), axis=1), how)
    edges = 50 * (1 - how.level), 50 * (1 + how.level)
    lows, highs = np.nanpercentile(drawn, edges, axis=0)
    return {
        name: (round(scale_of(name) * float(low), 2), round(scale_of(name) * float(high), 2))
        for name, low, high in zip(kept, lows, highs, strict=True)
    }


def drawn_means(scores: Floats, how: Resampling) -> Floats:
    """Compute the means of columns over the queries of each draw.

    Args:
        scores: float64 (Q, M), NaN where a query has no score.
        how: The resampling plan.

    Returns:
        float64 (draws, M); NaN where a draw has no score.
    """
    sums, counts = grouped(scores, how)
    rng = np.random.default_rng(how.seed)
    times = rng.multinomial(how.count, np.full(how.count, 1 / how.count), size=how.draws).astype(np.float64)
    totals = times @ counts
    means: Floats = np.divide(times @ sums, totals, out=np.full_like(totals, np.nan), where=totals > 0)
    return means


def grouped(scores: Floats, how: Resampling) -> tuple[Floats, Floats]:
    """Return the sums and the numbers of the scores of each unit, float64 (units, M) each."""
    there = ~np.isnan(scores)
    sums, counts = (np.zeros((how.count, scores.shape[1])) for _ in range(2))
    np.add.at(sums, list(how.groups), np.where(there, scores, 0.0))
    np.add.at(counts, list(how.groups), there)
    return sums, counts
