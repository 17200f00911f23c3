"""The least time that a pipeline can take on a machine, from what its stages cost alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["StageCost", "limit_seconds", "processor_seconds"]


@dataclass(frozen=True)
class StageCost:
    """What a stage costs when nothing else runs and it may use all processors.

    Attributes:
        wall_seconds: Time from start to end.
        processor_seconds: Processor time of all its threads.
    """

    wall_seconds: float
    processor_seconds: float


def processor_seconds(stages: Mapping[str, StageCost]) -> float:
    """Return the processor time of all stages together."""
    return sum(cost.processor_seconds for cost in stages.values())


def limit_seconds(stages: Mapping[str, StageCost], processors: int) -> float:
    """Return the least wall-clock time in which all stages can be done.

    On few processors, the stages compete for them, and the limit is their processor time divided by the number of
    processors. With a GPU, or with more processors than the stages can use, it is the time of the slowest stage.

    Args:
        stages: Cost of each stage.
        processors: Number of processors that the pipeline may use.

    Raises:
        ValueError: There are no stages, or no processors.
    """
    if not stages:
        raise ValueError("expected the cost of at least one stage")
    if processors < 1:
        raise ValueError(f"expected at least one processor, got {processors}")
    slowest = max(cost.wall_seconds for cost in stages.values())
    return max(slowest, processor_seconds(stages) / processors)
