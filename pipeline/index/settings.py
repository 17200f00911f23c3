"""Settings of the index and their defaults."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from pipeline.config import Settings

__all__ = ["Auto", "DiskAnn", "Flat", "Hnsw", "Indexing", "IvfFlat", "IvfSq8", "Kind", "OtherKind", "Scann"]


class Flat(Settings):
    """Compares a query with every row: exact, but slow beyond 200,000 rows in Milvus Lite or a million on a server."""

    strategy: Literal["flat"] = "flat"

    def described(self) -> tuple[str, dict[str, Any]]:
        """Return Milvus's name of the index type and its build parameters."""
        return "FLAT", {}

    def effort(self, top: int) -> dict[str, Any]:  # noqa: ARG002 - the same for every kind
        """Return the search parameters for `top` hits."""
        return {}


class _Graph(Settings):
    """A graph of neighbours (Malkov and Yashunin 2016, arXiv:1603.09320).

    With more links and wider searches, more of the true neighbours are found, at a higher cost.
    """

    m: int = Field(default=16, ge=2, le=2048)
    """Number of links of each node in the graph."""

    ef_construction: int = Field(default=200, ge=8)
    """Number of candidates examined when a node is inserted."""

    ef_search: int = Field(default=512, ge=1, le=32_768)
    """Number of candidates examined by a search; never fewer than the requested hits. Of the ten nearest of a million
    rows, 1 % were missed with 512, 4 % with 256 and 8 % with 128 (`benchmarks.recall`)."""

    def described(self) -> tuple[str, dict[str, Any]]:
        """Return Milvus's name of the index type and its build parameters."""
        return "HNSW", {"M": self.m, "efConstruction": self.ef_construction}

    def effort(self, top: int) -> dict[str, Any]:
        """Return the search parameters for `top` hits."""
        return {"ef": max(top, self.ef_search)}


class Hnsw(_Graph):
    """A graph of neighbours, on a server."""

    strategy: Literal["hnsw"] = "hnsw"


class Auto(_Graph):
    """FLAT on Milvus Lite, HNSW with these parameters on a server."""

    strategy: Literal["auto"] = "auto"


class _Lists(Settings):
    nlist: int = Field(default=128, ge=1, le=65_536)
    """Number of lists among which the rows are divided."""

    nprobe: int = Field(default=32, ge=1, le=65_536)
    """Number of lists that a search examines; with `nlist`, all rows are examined. Of the ten nearest of a million
    rows, IVF_FLAT missed 3 % with 32 and 9 % with 16 (`benchmarks.recall`)."""

    def effort(self, top: int) -> dict[str, Any]:  # noqa: ARG002 - the same for every kind
        """Return the search parameters for `top` hits."""
        return {"nprobe": min(self.nprobe, self.nlist)}


class IvfFlat(_Lists):
    """Divides rows into lists around centres; a search compares all rows of the nearest lists."""

    strategy: Literal["ivf_flat"] = "ivf_flat"

    def described(self) -> tuple[str, dict[str, Any]]:
        """Return Milvus's name of the index type and its build parameters."""
        return "IVF_FLAT", {"nlist": self.nlist}


class IvfSq8(_Lists):
    """Like IVF_FLAT with one byte per number: a quarter of the memory, and scores exact to two digits."""

    strategy: Literal["ivf_sq8"] = "ivf_sq8"

    def described(self) -> tuple[str, dict[str, Any]]:
        """Return Milvus's name of the index type and its build parameters."""
        return "IVF_SQ8", {"nlist": self.nlist}


class Scann(_Lists):
    """Lists of quantised rows (Guo et al. 2020, arXiv:1908.10396); the best rows are then compared exactly."""

    strategy: Literal["scann"] = "scann"

    reorder_k: int = Field(default=256, ge=1)
    """Number of rows that are compared exactly; never fewer than the requested hits."""

    def described(self) -> tuple[str, dict[str, Any]]:
        """Return Milvus's name of the index type and its build parameters."""
        return "SCANN", {"nlist": self.nlist}

    def effort(self, top: int) -> dict[str, Any]:
        """Return the search parameters for `top` hits."""
        return {**super().effort(top), "reorder_k": max(top, self.reorder_k)}


class DiskAnn(Settings):
    """A graph on the server's disk (Subramanya et al. 2019), for more rows than fit into its memory."""

    strategy: Literal["diskann"] = "diskann"

    search_list: int = Field(default=128, ge=1, le=65_535)
    """Number of candidates examined by a search; never fewer than the requested hits."""

    def described(self) -> tuple[str, dict[str, Any]]:
        """Return Milvus's name of the index type and its build parameters."""
        return "DISKANN", {}

    def effort(self, top: int) -> dict[str, Any]:
        """Return the search parameters for `top` hits."""
        return {"search_list": max(top, self.search_list)}


class OtherKind(Settings):
    """Any other index type of the server, by its name; parameters are passed on unchanged."""

    strategy: Literal["other"] = "other"

    name: str = Field(pattern=r"^[A-Z][A-Z0-9_]*$")
    """Milvus's name of the index type, as IVF_PQ."""

    build: dict[str, bool | int | float | str] = Field(default={})
    """Build parameters."""

    search: dict[str, bool | int | float | str] = Field(default={})
    """Search parameters."""

    def described(self) -> tuple[str, dict[str, Any]]:
        """Return Milvus's name of the index type and its build parameters."""
        return self.name, dict(self.build)

    def effort(self, top: int) -> dict[str, Any]:  # noqa: ARG002 - the same for every kind
        """Return the search parameters for `top` hits."""
        return dict(self.search)


def _expanded(kind: Any) -> Any:
    return {"strategy": kind.lower()} if isinstance(kind, str) else kind


Kind = Annotated[
    Auto | Flat | Hnsw | IvfFlat | IvfSq8 | Scann | DiskAnn | OtherKind,
    Field(discriminator="strategy"),
    BeforeValidator(_expanded),
]
"""Settings of an index type, selected by `strategy`; a name alone, as HNSW, stands for the type with its defaults."""


_SCHEMES = ("http", "https", "tcp", "unix")
_FORMER_FIELDS = ("m", "ef_construction", "ef_search")


class Indexing(Settings):
    """The index of segments, and its location."""

    backend: Literal["milvus", "memory"] = "milvus"
    """Milvus, or an exact search in the memory of this process; the latter is filled from the store whenever a library
    is opened."""

    uri: str | None = None
    """http:// or https:// address of a Milvus server, or a folder for Milvus Lite; null for a folder in the library, or
    for the server in the environment variable MOMENTSEEK_MILVUS_URI."""

    token_variable: str = "MILVUS_TOKEN"  # noqa: S105 - a variable's name
    """Environment variable with the server's token (or user:password), if it requires one; the token is never stored.
    """

    collection: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,200}$")
    """Name of the collection: letters, digits and underscores. null for a name made from the library's id, which stays
    the same when the library is moved."""

    kind: Kind = Auto()
    """Index type, which determines how Milvus searches."""

    patience_seconds: float = Field(default=120.0, ge=0, le=86_400)
    """How long requests are retried while a server is unreachable or temporarily refuses them; 0 for no retries."""

    @field_validator("uri")
    @classmethod
    def _check_uri(cls, uri: str | None) -> str | None:
        if uri is None or "://" not in uri:
            return uri
        scheme, _, rest = uri.partition("://")
        if scheme.lower() not in _SCHEMES:
            raise ValueError("a Milvus server's URI begins with http:// or https://, and a folder has no scheme")
        if "@" in rest.partition("/")[0]:
            raise ValueError("a URI is stored and shown, so it cannot contain a password; use `token_variable` instead")
        return uri

    @model_validator(mode="before")
    @classmethod
    def _with_kind(cls, data: Any) -> Any:
        """Move the graph's parameters to `kind`; in the files of older libraries they are fields of the index."""
        old = {name: data[name] for name in _FORMER_FIELDS if name in data} if isinstance(data, dict) else {}
        if not old:
            return data
        rest = {name: value for name, value in data.items() if name not in old}
        kind = rest.get("kind", {"strategy": "auto"})
        rest["kind"] = {**old, **kind} if isinstance(kind, dict) else kind
        return rest
