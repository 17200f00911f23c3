"""What can be said of the index, and the home of its defaults."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config import Settings
from pipeline.index.kinds import Auto, Kind

__all__ = ["Indexing"]

_SCHEMES = ("http", "https", "tcp", "unix")
_OF_KIND = ("m", "ef_construction", "ef_search")


class Indexing(Settings):
    """Which index holds the segments, and where."""

    backend: Literal["milvus", "memory"] = "milvus"
    """Milvus, or an exact search in this process's memory, which is filled from the store whenever a library opens."""

    uri: str | None = None
    """http:// or https:// for a Milvus server, a folder for Milvus Lite; None for a folder in the library's own, or for
    the server that the environment names by MOMENTSEEK_MILVUS_URI."""

    token_variable: str = "MILVUS_TOKEN"  # noqa: S105 - a variable's name
    """Environment variable that holds the server's token (or user:password), where it wants one; never stored."""

    collection: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,200}$")
    """Name of the collection: letters, digits and underscores. None for one of the library's own, which stays the same
    when the library moves."""

    kind: Kind = Auto()
    """How Milvus searches."""

    patience_seconds: float = Field(default=120.0, ge=0, le=86_400)
    """How long a server that is away, or that refuses for now, is asked again before it is an error; 0 for not at all.
    """

    @field_validator("uri")
    @classmethod
    def _check_uri(cls, uri: str | None) -> str | None:
        if uri is None or "://" not in uri:
            return uri
        scheme, _, rest = uri.partition("://")
        if scheme.lower() not in _SCHEMES:
            raise ValueError("a Milvus server's URI begins with http:// or https://, and a folder has no scheme")
        if "@" in rest.partition("/")[0]:
            raise ValueError("a URI is kept and shown, so it must hold no password; set the token's variable instead")
        return uri

    @model_validator(mode="before")
    @classmethod
    def _with_kind(cls, data: Any) -> Any:
        """The graph's parameters stood here once, and do so in the files of older libraries."""
        old = {name: data[name] for name in _OF_KIND if name in data} if isinstance(data, dict) else {}
        if not old:
            return data
        rest = {name: value for name, value in data.items() if name not in old}
        kind = rest.get("kind", {"strategy": "auto"})
        rest["kind"] = {**old, **kind} if isinstance(kind, dict) else kind
        return rest
