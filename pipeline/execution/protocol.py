"""The seam between a batch of sources and how it is run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from pipeline.encode.protocol import Encoder
from pipeline.index.protocol import MomentIndex
from pipeline.io.settings import Fetching
from pipeline.sampling.protocol import FrameSampler
from pipeline.segment.row_recipe import RowRecipe
from pipeline.store.protocol import EmbeddingStore
from pipeline.types import Source, VideoReport
from pipeline.video.protocol import VideoDecoder

__all__ = ["Executor", "Stages"]


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


@dataclass(frozen=True, kw_only=True)
class Stages:
    """One implementation of each seam. Decoder, sampler and encoder travel to workers; store and index stay here.

    Attributes:
        decoder: Opens videos.
        sampler: Chooses the frames that are encoded.
        encoder: Makes their embeddings; opened only when a video needs it.
        store: Keeps frame embeddings.
        recipe: Makes the rows of the index.
        index: Holds the rows; this process is its one writer.
        fetching: How remote videos are read to identify them; the decoder has its own.
    """

    decoder: VideoDecoder
    sampler: FrameSampler
    encoder: Encoder
    store: EmbeddingStore
    recipe: RowRecipe
    index: MomentIndex
    fetching: Fetching = field(default_factory=Fetching)
