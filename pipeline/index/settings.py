"""Settings of the index and their defaults."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from pipeline.config import Settings

__all__ = ["Auto", "DiskAnn", "Flat", "Hnsw", "Indexing", "IvfFlat", "IvfSq8", "Kind", "OtherKind", "Scann"]


class Flat(Settings):
    """A query is compared with every row: exact, and slow beyond some 100,000 rows."""

    strategy: Literal["flat"] = "flat"

    def described(self) -> tuple[str, dict[str, Any]]:
        """Return Milvus's name of the index type and its build parameters."""
        return "FLAT", {}

    def effort(self, top: int) -> dict[str, Any]:  # noqa: ARG002 - the same for every kind
        """Return the search parameters for `top` hits."""
        return {}


class _Graph(Settings):
    """A graph of neighbours (Malkov and Yashunin 2016, arXiv:1603.09320).

    More links and wider searches find more of the true neighbours and cost more.
    """

    m: int = Field(default=16, ge=2, le=2048)
    """Graph: links of a node."""

    ef_construction: int = Field(default=200, ge=8)
    """Candidates examined when a node is inserted."""

    ef_search: int = Field(default=512, ge=1, le=32_768)
    """Candidates examined by a search; never fewer than the hits wanted. Of the ten nearest among a million rows, 512
    missed one of a hundred, 256 four, 128 eight (`benchmarks.recall`)."""

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
    """Lists that the rows are dealt out to."""

    nprobe: int = Field(default=32, ge=1, le=65_536)
    """Lists that a search looks into; all of them (nlist) misses nothing that the kind itself keeps. Of the ten nearest
    among a million rows, IVF_FLAT missed three of a hundred with 32, nine with 16 (`benchmarks.recall`)."""

    def effort(self, top: int) -> dict[str, Any]:  # noqa: ARG002 - the same for every kind
        """Return the search parameters for `top` hits."""
        return {"nprobe": min(self.nprobe, self.nlist)}


class IvfFlat(_Lists):
    """Rows in lists around centres; a search compares all rows of the nearest lists."""

    strategy: Literal["ivf_flat"] = "ivf_flat"

    def described(self) -> tuple[str, dict[str, Any]]:
        """Return Milvus's name of the index type and its build parameters."""
        return "IVF_FLAT", {"nlist": self.nlist}


class IvfSq8(_Lists):
    """As IVF_FLAT, a number in a byte: a quarter of the memory, scores to two digits."""

    strategy: Literal["ivf_sq8"] = "ivf_sq8"

    def described(self) -> tuple[str, dict[str, Any]]:
        """Return Milvus's name of the index type and its build parameters."""
        return "IVF_SQ8", {"nlist": self.nlist}


class Scann(_Lists):
    """Lists of quantised rows (Guo et al. 2020, arXiv:1908.10396), of which the best are compared exactly."""

    strategy: Literal["scann"] = "scann"

    reorder_k: int = Field(default=256, ge=1)
    """Rows that are compared exactly; never fewer than the hits wanted."""

    def described(self) -> tuple[str, dict[str, Any]]:
        """Return Milvus's name of the index type and its build parameters."""
        return "SCANN", {"nlist": self.nlist}

    def effort(self, top: int) -> dict[str, Any]:
        """Return the search parameters for `top` hits."""
        return {**super().effort(top), "reorder_k": max(top, self.reorder_k)}


class DiskAnn(Settings):
    """A graph on the server's disk (Subramanya et al. 2019), for more rows than its memory holds."""

    strategy: Literal["diskann"] = "diskann"

    search_list: int = Field(default=128, ge=1, le=65_535)
    """Candidates examined by a search; never fewer than the hits wanted."""

    def described(self) -> tuple[str, dict[str, Any]]:
        """Return Milvus's name of the index type and its build parameters."""
        return "DISKANN", {}

    def effort(self, top: int) -> dict[str, Any]:
        """Return the search parameters for `top` hits."""
        return {"search_list": max(top, self.search_list)}


class OtherKind(Settings):
    """Any other kind that the server has, by its own name; parameters are passed on as they are."""

    strategy: Literal["other"] = "other"

    name: str = Field(pattern=r"^[A-Z][A-Z0-9_]*$")
    """Milvus's name, as IVF_PQ."""

    build: dict[str, bool | int | float | str] = Field(default={})
    """What it is built with."""

    search: dict[str, bool | int | float | str] = Field(default={})
    """Search parameters."""

    def described(self) -> tuple[str, dict[str, Any]]:
        """Return Milvus's name of the index type and its build parameters."""
        return self.name, dict(self.build)

    def effort(self, top: int) -> dict[str, Any]:  # noqa: ARG002 - the same for every kind
        """Return the search parameters for `top` hits."""
        return dict(self.search)


def _spelt_out(kind: Any) -> Any:
    return {"strategy": kind.lower()} if isinstance(kind, str) else kind


Kind = Annotated[
    Auto | Flat | Hnsw | IvfFlat | IvfSq8 | Scann | DiskAnn | OtherKind,
    Field(discriminator="strategy"),
    BeforeValidator(_spelt_out),
]
"""Any of the kinds, told apart by `strategy`; a bare name, as HNSW, stands for the kind with its defaults."""


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
