"""The seam between a batch of sources and how it is run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from pipeline.types import Source, VideoReport

__all__ = ["Executor"]


class Executor(Protocol):
    """Runs a batch: sources in, one report for each out, as they end."""

    def run(self, sources: Iterable[Source]) -> Iterator[VideoReport]:
        """Index all sources; every one ends in exactly one report, whatever happens to the others.

        Raises:
            ExecutionError: The batch cannot be run at all.
            WeightsUnavailableError: The model cannot be had.
            MomentIndexError: The index cannot be used.
        """
