"""Where frame embeddings and what is known of each video are kept."""

from __future__ import annotations

from pipeline.store.erasing import erase, traces
from pipeline.store.parquet_store import ParquetStore
from pipeline.store.protocol import EmbeddingStore

__all__ = ["EmbeddingStore", "ParquetStore", "erase", "traces"]
