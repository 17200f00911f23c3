"""Interfaces of execution: executors, sinks of embeddings, and the stages of a batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pipeline.encode.protocol import Encoder
from pipeline.execution.per_video.frame_batches import ResultSplitter
from pipeline.io.settings import Fetching
from pipeline.sampling.protocol import FrameSampler
from pipeline.store.protocol import EmbeddingStore
from pipeline.types import FrameEmbeddings, IndexedSegment, Scalar, Source, VideoReport
from pipeline.video.protocol import VideoDecoder

__all__ = ["EmbeddingSink", "Executor", "Stages"]


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


class EmbeddingSink(Protocol):
    """Takes the finished embeddings of videos: stores them, and writes the rows that are made of them.

    A sink that writes no rows makes none. A batch is the only writer of its sink.
    """

    @property
    def store(self) -> EmbeddingStore:
        """Where the frame embeddings and the records of videos are stored."""

    def rows(self, frames: FrameEmbeddings, metadata: Mapping[str, Scalar]) -> Sequence[IndexedSegment]:
        """Make the rows of a video.

        Raises:
            ConfigError: They cannot be made of these frames with this segmentation.
        """

    def row_keys(self, frames: FrameEmbeddings) -> frozenset[str]:
        """The keys of the rows that would be made of a video."""

    def written_keys(self, *video_ids: str) -> frozenset[str]:
        """The keys of all rows that are written for these videos.

        Raises:
            MomentIndexError: They cannot be read.
        """

    def write_rows(self, rows_of: Mapping[str, Sequence[IndexedSegment]]) -> None:
        """Write rows by video id, replacing all other rows of these videos.

        Raises:
            MomentIndexError: They cannot be written.
        """

    def delete_rows(self, video_id: str) -> None:
        """Delete all rows of a video.

        Raises:
            MomentIndexError: They cannot be deleted.
        """

    def check(self) -> None:
        """Check that rows can be read at all.

        Raises:
            MomentIndexError: They cannot, so that no video is to blame for rows that were not written.
        """


@dataclass(frozen=True, kw_only=True)
class Stages:
    """One implementation of each seam. Decoder, sampler and encoder travel to workers; the sink stays here.

    Attributes:
        decoder: Opens videos.
        sampler: Chooses the frames that are encoded.
        encoder: Makes their embeddings; opened only when a video needs it.
        sink: Takes the embeddings of each video once they are finished; this process is its one writer.
        fetching: How remote videos are read to identify them; the decoder has its own.
        splitter: Splits the sampler's passes into several results; None if each has a single one.
    """

    decoder: VideoDecoder
    sampler: FrameSampler
    encoder: Encoder
    sink: EmbeddingSink
    fetching: Fetching = field(default_factory=Fetching)
    splitter: ResultSplitter | None = None
