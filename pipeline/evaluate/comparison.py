"""Paired comparison of two evaluations, with intervals and permutation tests.

Scores are compared question by question. The interval of the mean difference is a bootstrap interval. The p-value is
that of a two-sided randomisation test: the probability of a mean difference at least as large if the two evaluations
were exchangeable, estimated by random sign flips of the differences (Smucker, Allan and Carterette 2007,
doi:10.1145/1321440.1321528). As in `pipeline.evaluate.bootstrap`, the questions of one video are resampled, and their
signs flipped, together if there are at least ten videos.

If only k of these units differ at all, the p-value is at least 2 / 2**k. Six better answers about four videos prove
little, even if the interval excludes 0; in such cases rely on the p-value.
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
    """The difference of a metric between two evaluations, over the questions that have the metric in both.

    Attributes:
        queries: Number of these questions.
        before: The metric of the first evaluation, per cent or seconds.
        after: The metric of the second evaluation.
        difference: `after - before`.
        interval: 95 % interval of the difference.
        p_value: Probability of a difference at least as large if the two were equally good.
        better: Number of questions whose score rose. For metrics in seconds a rise is a deterioration.
        worse: Number of questions whose score fell.
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

    The IoU of the first moment is compared as "MR-full-mIoU", the average precision as "MR-full-mAP".

    Raises:
        ConfigError: The evaluations used different matching rules, or different questions; the message names the first
            question that differs.
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
    """Pair the answers to each question that has a metric, with the rise of its score, largest rise first.

    Ties keep the order of the questions. Scores are 0 to 1, or seconds.
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
    """Correct p-values for multiple comparisons by Holm's method; the order is kept.

    Of ten p-values, the smallest is below 0.05 by chance in 40 % of cases. (Holm 1979, A simple sequentially rejective
    multiple test procedure, Scandinavian Journal of Statistics 6.)
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
    """Return the share of sign flips with a sum at least as large; the observed signs count as one of the flips."""
    sums = grouped(differences[:, None], how)[0][:, 0]
    signs = np.random.default_rng(how.seed).integers(0, 2, size=(draws, len(sums))) * 2.0 - 1.0
    as_great = np.abs(signs @ sums) >= abs(float(sums.sum())) - 1e-12
    return float((1 + as_great.sum()) / (1 + draws))
