"""Computes the figures of an experiment's page from the results of its variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.evaluate import Evaluation, MetricDifference, compare, holm
from pipeline.experiments.results import pareto_front

__all__ = ["COSTS", "METRIC", "Compared", "ExperimentFigures", "VariantFigures", "compared", "contrast"]

METRIC = "MR-full-mAP"
"""What variants are ordered and compared by."""

COSTS = {
    "frames": "frames encoded an hour of video",
    "decoding": "seconds of decoding an hour of video",
    "megabytes": "megabytes of embeddings an hour of video",
    "rows": "rows of the index",
}
"""What is paid, by name."""


@dataclass(frozen=True)
class VariantFigures:
    """One configuration of an experiment.

    Attributes:
        name: Its name.
        changes: Settings that it changes, by dotted names.
        evaluation: How well it answers.
        costs: Values of `COSTS`; what was not measured is left out.
        frames: Frames that it keeps of all videos.
        search_seconds: Of one question, on the average.
        versions: Of what made it.
        made_at: When, in UTC.
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
        """Its `METRIC`, per cent."""
        return self.evaluation.metrics.get(METRIC, 0.0)


@dataclass(frozen=True)
class ExperimentFigures:
    """An experiment.

    Attributes:
        title: What is asked.
        labelled: Where the labels are.
        variants: In the order of the experiment's file.
        videos: How many there are.
        video_seconds: Length of them all.
        distinct_frames: What all samplings take together, each frame counted once an encoder.
        decoded: Videos, pictures that were decoded and frames that were encoded, the last time.
        seconds: Wall time of that.
        data_fingerprint: Of the videos' contents and the labels.
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
        """That of the greatest `METRIC`; of several the cheapest, then the first."""
        return min(self.variants, key=lambda each: (-each.quality, each.costs.get("frames", 0.0)))

    def front(self, cost: str) -> frozenset[str]:
        """Names of the variants that no other beats in quality and a cost, of those whose cost is known."""
        return pareto_front(
            {each.name: (each.quality, each.costs[cost]) for each in self.variants if cost in each.costs}
        )

    def is_alike(self, cost: str) -> bool:
        """Whether a cost is the same for all variants, so that there is nothing to weigh."""
        return len({each.costs.get(cost) for each in self.variants}) == 1


@dataclass(frozen=True)
class Compared:
    """A variant beside the best one.

    Attributes:
        variant: Which.
        difference: From the best to this one, of `METRIC`.
        p_value: Raised for the number of variants that are compared.
    """

    variant: VariantFigures
    difference: MetricDifference
    p_value: float


def compared(figures: ExperimentFigures) -> tuple[Compared, ...]:
    """All other variants beside the best, the best of them first; none where no question has the metric.

    Raises:
        ConfigError: The variants were not asked the same questions.
    """
    others = [each for each in figures.variants if each is not figures.best]
    found = [compare(figures.best.evaluation, each.evaluation).get(METRIC) for each in others]
    pairs = [(each, one) for each, one in zip(others, found, strict=True) if one is not None]
    raised = holm([one.p_value for _, one in pairs])
    rows = [Compared(each, one, p) for (each, one), p in zip(pairs, raised, strict=True)]
    return tuple(sorted(rows, key=lambda row: -row.difference.difference))


def contrast(figures: ExperimentFigures) -> tuple[VariantFigures, VariantFigures] | None:
    """The two that are most worth looking at: the cheapest that is worth its cost, and the best.

    Where all cost the same, the first of the file is taken for the cheapest: it is what the others were changed from.
    Where that is the best itself, the second best is. None of one variant.
    """
    best = figures.best
    others = _others(figures, best)
    return (others[0], best) if others else None


def _others(figures: ExperimentFigures, best: VariantFigures) -> Sequence[VariantFigures]:
    """Those beside the best, what it is to be looked at beside first."""
    rest = [each for each in figures.variants if each is not best]
    if not figures.is_alike("frames"):
        front = figures.front("frames")
        worth = sorted((each for each in rest if each.name in front), key=lambda each: each.costs["frames"])
        if worth:
            return worth
    elif rest and figures.variants[0] is not best:
        return rest
    return sorted(rest, key=lambda each: -each.quality)
