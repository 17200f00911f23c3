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

        Content that is in the store already is skipped, and its rows are seen to; content with two names in one batch
        is worked on once. Closing the iterator early ends the batch; what was reported is kept.

        Raises:
            ExecutionError: The batch cannot be run at all.
            ConfigError: The settings of two stages do not fit together.
            EncoderError: The model cannot be used; WeightsUnavailableError, raised once and not by video, among them.
            MomentIndexError: The index cannot be used.
        """
