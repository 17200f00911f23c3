"""Interfaces of execution: executors, sinks of embeddings, and the stages of a batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pipeline.encode.protocol import Encoder
from pipeline.execution.model_task import ModelTask
from pipeline.execution.per_video.frame_batches import ResultSplitter
from pipeline.io.settings import Fetching
from pipeline.sampling.protocol import FrameSampler
from pipeline.store.protocol import EmbeddingStore
from pipeline.types import FrameEmbeddings, IndexedSegment, Scalar, Source, VideoReport
from pipeline.video.protocol import VideoDecoder

__all__ = ["EmbeddingSink", "Executor", "Stages"]


class Executor(Protocol):
    """Runs a batch: takes sources, and yields one report for each as it ends."""

    def run(self, sources: Iterable[Source]) -> Iterator[VideoReport]:
        """Index all sources; each one ends in exactly one report, whatever happens to the others.

        Content that is already in the store is skipped after its rows in the index are checked; content that occurs
        twice in one batch is processed once. Closing the iterator early ends the batch; finished videos are kept.

        Raises:
            ExecutionError: The batch cannot be run at all.
            ConfigError: The settings of two stages do not fit together.
            EncoderError: The model cannot be used. Includes WeightsUnavailableError, which is raised once for the
                whole batch.
            MomentIndexError: The index cannot be used.
        """


class EmbeddingSink(Protocol):
    """Receives the finished embeddings of videos: stores them, and writes the rows made from them.

    A sink that writes no rows makes none. No other writer uses the sink while a batch runs.
    """

    @property
    def store(self) -> EmbeddingStore:
        """The store of the frame embeddings and the records of videos."""

    def rows(self, frames: FrameEmbeddings, metadata: Mapping[str, Scalar]) -> Sequence[IndexedSegment]:
        """Make the rows of a video.

        Raises:
            ConfigError: Rows cannot be made of these frames with this segmentation.
        """

    def row_keys(self, frames: FrameEmbeddings) -> frozenset[str]:
        """Return the keys of the rows that `rows` would make of a video."""

    def written_keys(self, *video_ids: str) -> frozenset[str]:
        """Return the keys of all rows that are written for these videos.

        Raises:
            MomentIndexError: The keys cannot be read.
        """

    def write_rows(self, rows_of: Mapping[str, Sequence[IndexedSegment]]) -> None:
        """Write rows by video id, and delete all other rows of these videos.

        Raises:
            MomentIndexError: The rows cannot be written.
        """

    def delete_rows(self, video_id: str) -> None:
        """Delete all rows of a video.

        Raises:
            MomentIndexError: The rows cannot be deleted.
        """

    def check(self) -> None:
        """Check that rows can be read at all.

        Raises:
            MomentIndexError: Rows cannot be read, so a failure to write some is not the fault of their video.
        """


@dataclass(frozen=True, kw_only=True)
class Stages:
    """One implementation of each stage. Decoder, sampler and encoder are sent to workers; the sink stays here.

    Attributes:
        decoder: Opens videos.
        sampler: Chooses the frames that are encoded.
        encoder: Makes their embeddings; opened only when a video needs it.
        sink: Receives the finished embeddings of each video; only this process writes to it.
        fetching: Settings for reading remote videos to identify them; the decoder has its own.
        splitter: Splits the sampler's passes into several results; None if each has a single one.
        model_task: What is done with the loaded model after the last video; None for nothing.
    """

    decoder: VideoDecoder
    sampler: FrameSampler
    encoder: Encoder
    sink: EmbeddingSink
    fetching: Fetching = field(default_factory=Fetching)
    splitter: ResultSplitter | None = None
    model_task: ModelTask | None = None
