"""What can be said of the index, and the home of its defaults."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config import Settings

__all__ = ["Indexing"]


class Indexing(Settings):
    """Which index holds the segments, and where.

    The graph is HNSW (Malkov and Yashunin 2016, arXiv:1603.09320): more links and wider searches find more of the true
    neighbours and cost more. Milvus Lite has none: it compares a query with every segment, which is quick enough up to
    some 100,000; beyond, take a server.
    """

    backend: Literal["milvus", "memory"] = "milvus"
    """Milvus, or an exact search in this process's memory, which is filled from the store whenever a library opens."""

    uri: str | None = None
    """http:// or https:// for a Milvus server, a folder for Milvus Lite; None for a folder in the library's own."""

    token_variable: str = "MILVUS_TOKEN"  # noqa: S105 - a variable's name
    """Environment variable that holds the server's token (or user:password), where it wants one; never stored."""

    collection: str = Field(default="segments", pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,254}$")
    """The collection's name: letters, digits and underscores."""

    m: int = Field(default=16, ge=2, le=2048)
    """Graph on a server: links of a node."""

    ef_construction: int = Field(default=200, ge=8)
    """Graph on a server: candidates looked at when a node is put in."""

    ef_search: int = Field(default=128, ge=1)
    """Graph on a server: candidates looked at by a search; never fewer than the hits wanted."""
