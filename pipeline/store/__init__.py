"""Stores: frame embeddings, video records and the log of failed sources."""

from __future__ import annotations

from pipeline.store.failure_log import FailureLog
from pipeline.store.frame_sample import FrameSample
from pipeline.store.frames_metadata import Outline
from pipeline.store.parquet_store import ParquetStore
from pipeline.store.protocol import EmbeddingStore, ReadableStore
from pipeline.store.purge import erase, traces

__all__ = [
    "EmbeddingStore",
    "FailureLog",
    "FrameSample",
    "Outline",
    "ParquetStore",
    "ReadableStore",
    "erase",
    "traces",
]
