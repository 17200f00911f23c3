"""Computes the figures of an experiment's page from the results of its variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.evaluate import Evaluation, MetricDifference, compare, holm
from pipeline.experiments.results import pareto_front

__all__ = [
    "COSTS",
    "METRIC",
    "ExperimentFigures",
    "VariantComparison",
    "VariantFigures",
    "compare_with_best",
    "contrast",
]

METRIC = "MR-full-mAP"
"""The metric by which variants are ordered and compared."""

COSTS = {
    "frames": "frames encoded an hour of video",
    "decoding": "seconds of decoding an hour of video",
    "megabytes": "megabytes of embeddings an hour of video",
    "rows": "rows of the index",
}
"""Descriptions of the costs, by name."""


@dataclass(frozen=True)
class VariantFigures:
    """The figures of one variant of an experiment.

    Attributes:
        name: Its name.
        changes: Settings that it changes, by dotted names.
        evaluation: Its evaluation.
        costs: The measured costs, by their keys in `COSTS`.
        frames: Number of its sampled frames in all videos.
        search_seconds: Mean search time per question.
        versions: Versions of the software that made it.
        made_at: Time of its evaluation, in UTC.
    """

    name: str
    changes: Mapping[str, Any]
    evaluation: Evaluation
    costs: Mapping[str, float]
    frames: int
    search_seconds: float
    versions: Mapping[str, str]
    made_at: str

    @property
    def quality(self) -> float:
        """The value of `METRIC`, per cent."""
        return self.evaluation.metrics.get(METRIC, 0.0)


@dataclass(frozen=True)
class ExperimentFigures:
    """The figures of an experiment.

    Attributes:
        title: Question that the experiment answers.
        labelled: Paths of the labelled sets.
        variants: Its variants, in the order of the experiment's file.
        videos: Number of videos.
        video_seconds: Their total length.
        distinct_frames: Number of frames sampled by any variant, each counted once per encoder.
        decoded: Numbers of videos, decoded frames and encoded frames of the last run.
        seconds: Wall time of the last run.
        data_fingerprint: Fingerprint of the videos' contents and the labels.
    """

    title: str
    labelled: tuple[str, ...]
    variants: tuple[VariantFigures, ...]
    videos: int
    video_seconds: float
    distinct_frames: int
    decoded: tuple[int, int, int]
    seconds: float
    data_fingerprint: str

    @property
    def best(self) -> VariantFigures:
        """The variant with the highest `METRIC`; of ties the cheapest, then the first."""
        return min(self.variants, key=lambda each: (-each.quality, each.costs.get("frames", 0.0)))

    def front(self, cost: str) -> frozenset[str]:
        """Return the names of the variants on the Pareto front of quality and a cost, among those with a known cost."""
        return pareto_front(
            {each.name: (each.quality, each.costs[cost]) for each in self.variants if cost in each.costs}
        )

    def is_alike(self, cost: str) -> bool:
        """Whether a cost is the same for all variants."""
        return len({each.costs.get(cost) for each in self.variants}) == 1


@dataclass(frozen=True)
class VariantComparison:
    """A comparison of a variant with the best one.

    Attributes:
        variant: The variant.
        difference: The difference of `METRIC`, from the best variant to this one.
        p_value: P-value, corrected for the number of variants compared.
    """

    variant: VariantFigures
    difference: MetricDifference
    p_value: float


def compare_with_best(figures: ExperimentFigures) -> tuple[VariantComparison, ...]:
    """Compare all other variants with the best one, in order of quality; empty if no question has the metric.

    Raises:
        ConfigError: The variants were not asked the same questions.
    """
    others = [each for each in figures.variants if each is not figures.best]
    found = [compare(figures.best.evaluation, each.evaluation).get(METRIC) for each in others]
    pairs = [(each, one) for each, one in zip(others, found, strict=True) if one is not None]
    raised = holm([one.p_value for _, one in pairs])
    rows = [VariantComparison(each, one, p) for (each, one), p in zip(pairs, raised, strict=True)]
    return tuple(sorted(rows, key=lambda row: -row.difference.difference))


def contrast(figures: ExperimentFigures) -> tuple[VariantFigures, VariantFigures] | None:
    """Select two variants to compare in detail: the cheapest on the Pareto front and the best; None for one variant.

    If all cost the same, the first variant of the file replaces the cheapest, since the others are usually changes of
    it. If that is the best itself, the second best replaces it.
    """
    best = figures.best
    others = _others(figures, best)
    return (others[0], best) if others else None


def _others(figures: ExperimentFigures, best: VariantFigures) -> Sequence[VariantFigures]:
    """Return the variants other than the best, starting with the one to compare it with first."""
    rest = [each for each in figures.variants if each is not best]
    if not figures.is_alike("frames"):
        front = figures.front("frames")
        worth = sorted((each for each in rest if each.name in front), key=lambda each: each.costs["frames"])
        if worth:
            return worth
    elif rest and figures.variants[0] is not best:
        return rest
    return sorted(rest, key=lambda each: -each.quality)
