"""Paired comparison of two evaluations, with intervals and permutation tests.

Scores are compared question by question. The interval of the mean difference is a bootstrap's, and the p-value that of
a two-sided randomisation test: had it not mattered which of the two gave which answer, how often would the mean
difference be as great? The signs of differences are flipped at random for that (Smucker, Allan and Carterette 2007,
doi:10.1145/1321440.1321528). As in `pipeline.evaluate.bootstrap`, the questions of a video are drawn, and flipped,
together where there are ten videos or more.

Where only k of these differ at all, the p-value is 2 / 2**k at least: six better questions of four videos prove little,
even where the interval leaves out 0. Believe the p-value then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.evaluate.bootstrap import Resampling, drawn_means, grouped, resampling_of
from pipeline.evaluate.evaluation import Evaluation, ScoredAnswer
from pipeline.evaluate.metrics import scale_of

__all__ = ["MetricDifference", "compare", "holm", "question_differences"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MetricDifference:
    """The difference of a metric between two evaluations, over the questions that have it in both.

    Attributes:
        queries: How many questions those are.
        before: The metric of the first, per cent or seconds.
        after: The metric of the second.
        difference: `after - before`.
        interval: Of the difference, 95 %.
        p_value: How likely a difference as great would be if the two were equally good.
        better: Questions whose score rose.
        worse: Questions whose score fell. For metrics in seconds a rise is a loss.
    """

    queries: int
    before: float
    after: float
    difference: float
    interval: tuple[float, float]
    p_value: float
    better: int
    worse: int


def compare(before: Evaluation, after: Evaluation) -> dict[str, MetricDifference]:
    """Compare two evaluations of the same labelled set, by metric.

    The first moment's IoU is "MR-full-mIoU", the average precision "MR-full-mAP".

    Raises:
        ConfigError: They were matched by different rules, or are not about the same questions; the message names the
            first that differs.
    """
    if before.rule != after.rule:
        raise ConfigError(f"matched by {before.rule!r} and by {after.rule!r}: evaluate both by the same version")
    one, other = ({answer.query_id: answer for answer in side.answers} for side in (before, after))
    differing = [key for key in one.keys() | other.keys() if not _is_same(one.get(key), other.get(key))]
    if differing or not one:
        raise ConfigError(
            f"{len(differing)} questions are not the same in both evaluations, first: qid"
            f" {min(differing, key=str, default=None)!r}; compare evaluations of one labelled set"
        )
    pairs = [(answer, other[key]) for key, answer in one.items()]
    names = dict.fromkeys(name for answer in before.answers for name in answer.scores)
    found = {}
    for name in names:
        kept = [(a, b) for a, b in pairs if name in a.scores and name in b.scores]
        if kept:
            how = resampling_of([answer.video_id for answer, _ in kept])
            scores = np.asarray([(a.scores[name], b.scores[name]) for a, b in kept], np.float64)
            found[name] = _difference(scores, how, scale_of(name))
    return found


def question_differences(
    before: Evaluation, after: Evaluation, metric: str = "MR-full-mAP"
) -> list[tuple[ScoredAnswer, ScoredAnswer, float]]:
    """Pair the answers to each question that has a metric, with its rise in score; greatest rise first.

    Questions that rose as much stay in their order. The scores are of 0 to 1, or seconds.
    """
    others = {answer.query_id: answer for answer in after.answers}
    pairs = [(one, others[one.query_id]) for one in before.answers if one.query_id in others]
    found = [
        (one, other, other.scores[metric] - one.scores[metric])
        for one, other in pairs
        if metric in one.scores and metric in other.scores
    ]
    return sorted(found, key=lambda each: -each[2])


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for multiple comparisons (Holm), in the same order.

    That the smallest of ten is below 0.05 happens by chance every third time. (Holm 1979, A simple sequentially
    rejective multiple test procedure, Scandinavian Journal of Statistics 6.)
    """
    raised = [0.0] * len(p_values)
    greatest = 0.0
    for rank, number in enumerate(sorted(range(len(p_values)), key=lambda each: p_values[each])):
        greatest = max(greatest, min(1.0, p_values[number] * (len(p_values) - rank)))
        raised[number] = greatest
    return raised


def _is_same(one: ScoredAnswer | None, other: ScoredAnswer | None) -> bool:
    if one is None or other is None:
        return False
    return (one.text, one.video, one.truth) == (other.text, other.video, other.truth)


def _difference(scores: Floats, how: Resampling, scale: float) -> MetricDifference:
    differences = scores[:, 1] - scores[:, 0]
    edges = 50 * (1 - how.level), 50 * (1 + how.level)
    low, high = np.nanpercentile(drawn_means(differences[:, None], how)[:, 0], edges)
    before, after = scores.mean(axis=0)
    return MetricDifference(
        queries=len(scores),
        before=round(scale * float(before), 2),
        after=round(scale * float(after), 2),
        difference=round(scale * float(after - before), 2),
        interval=(round(scale * float(low), 2), round(scale * float(high), 2)),
        p_value=_p_value(differences, how),
        better=int((differences > 0).sum()),
        worse=int((differences < 0).sum()),
    )


def _p_value(differences: Floats, how: Resampling, draws: int = 10_000) -> float:
    """Share of sign flips with as great a sum, what was seen among them."""
    sums = grouped(differences[:, None], how)[0][:, 0]
    signs = np.random.default_rng(how.seed).integers(0, 2, size=(draws, len(sums))) * 2.0 - 1.0
    as_great = np.abs(signs @ sums) >= abs(float(sums.sum())) - 1e-12
    return float((1 + as_great.sum()) / (1 + draws))
