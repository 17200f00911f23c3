"""Where frame embeddings are kept, what is known of each video, and which sources have failed."""

from __future__ import annotations

from pipeline.store.background import FrameSample
from pipeline.store.chosen import ChosenVideos
from pipeline.store.erasing import erase, traces
from pipeline.store.failure_log import FailureLog
from pipeline.store.parquet_store import Outline, ParquetStore
from pipeline.store.protocol import EmbeddingStore, ReadableStore
from pipeline.store.shared import SharedStore

__all__ = [
    "ChosenVideos",
    "EmbeddingStore",
    "FailureLog",
    "FrameSample",
    "Outline",
    "ParquetStore",
    "ReadableStore",
    "SharedStore",
    "erase",
    "traces",
]
