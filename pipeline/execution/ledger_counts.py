"""How far a batch is, by its books."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LedgerCounts"]


@dataclass(frozen=True, kw_only=True)
class LedgerCounts:
    """What the ledger has seen so far.

    Attributes:
        ended: Sources that have their report.
        failed: Those of them that failed.
        skipped: Those of them that needed no work.
        store_seconds: Time spent writing embeddings.
        index_seconds: Time spent writing rows.
    """

    ended: int = 0
    failed: int = 0
    skipped: int = 0
    store_seconds: float = 0.0
    index_seconds: float = 0.0
