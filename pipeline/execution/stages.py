"""The parts that a batch is run with."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.encode.protocol import Encoder
from pipeline.index.protocol import MomentIndex
from pipeline.rows import RowRecipe
from pipeline.sampling.protocol import FrameSampler
from pipeline.store.protocol import EmbeddingStore
from pipeline.video import Fetching
from pipeline.video.protocol import VideoDecoder

__all__ = ["Stages"]


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
