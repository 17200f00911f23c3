"""The number of segments that Milvus Lite is suited for."""

from __future__ import annotations

from pipeline.index.milvus.index import MilvusIndex
from pipeline.index.protocol import MomentIndex

__all__ = ["LITE_SEGMENTS", "MOVE_TO_SERVER", "outgrown"]

LITE_SEGMENTS = 200_000
"""Number of segments up to which Milvus Lite answers a question in some 50 ms on two cores (`benchmarks.lite_search`).
"""

MOVE_TO_SERVER = "momentseek index migrate http://HOST:19530"
"""The command that moves a library's index to a Milvus server."""


def outgrown(index: MomentIndex) -> str | None:
    """Describe an index in Milvus Lite that has too many segments for it; None for any other index.

    Raises:
        MomentIndexError: The index cannot be counted.
    """
    if not isinstance(index, MilvusIndex) or not index.is_lite:
        return None
    count = index.count()
    if count <= LITE_SEGMENTS:
        return None
    return (
        f"the index has {count:,} segments, but Milvus Lite is suited for up to {LITE_SEGMENTS:,}: it compares each"
        " question with all of them, and keeps them in memory; a Milvus server does not"
    )
