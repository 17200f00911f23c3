"""Segments in Milvus: Lite in a folder, or a server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import FingerprintMismatchError, MomentIndexError
from pipeline.index.arguments import check_query, check_rows, mismatch
from pipeline.index.lite import LiteFolder, silence
from pipeline.index.protocol import Filter, Hit
from pipeline.index.settings import Indexing
from pipeline.types import IndexedSegment, Segment

if TYPE_CHECKING:
    from pymilvus import CollectionSchema, MilvusClient

__all__ = ["MilvusIndex"]

_BATCH = 1000
_MOST_HITS = 16_384
_CONNECT_SECONDS = 10.0
_TIE = 1e-6
_ENCODER = "momentseek.encoder"
_MODEL = "momentseek.model"
_SEGMENT_FIELDS = ("video_id", "start_seconds", "end_seconds", "ordinal")


class MilvusIndex:
    """A `MomentIndex` in a Milvus collection, compared by cosine.

    Where hits tie at the last place, which of them are among the `top` is Milvus's choice.

    A server gets an HNSW graph and is asked with strong consistency. Milvus Lite, in a folder or behind `milvus-lite
    server`, compares a query with every row (40 ms for 20,000 of 512 numbers): its graph loses rows in silence, found
    with 3.2.2 (88 of 200 equal rows found; 0 to 12 of the 50 rows that pass a filter; recall 0.5 among 20,000 random
    rows). There, each write is flushed before it returns (20 ms for 50 rows): unflushed rows make a search slow (360 ms
    instead of 6 at 10,000 rows).

    Args:
        settings: Where it is, and the graph's parameters.
        encoder_fingerprint: Whose vectors it holds.
        dimension: Their length; None where only what is there already matters, or the first rows will tell.
        folder: Folder of Milvus Lite where the settings name no place.
        encoder_description: The encoder for people; it is named where another one meets this index.

    Raises:
        IndexLockedError: Another process holds the folder.
        FingerprintMismatchError: The collection holds another encoder's vectors, or vectors of another length.
        MomentIndexError: There is no place, no server answers there, or it cannot be opened.
    """

    def __init__(
        self,
        settings: Indexing,
        encoder_fingerprint: str,
        dimension: int | None = None,
        *,
        folder: Path | None = None,
        encoder_description: str = "",
    ) -> None:
        silence()
        self._settings = settings
        self._encoder = encoder_fingerprint
        self._description = encoder_description
        self._dimension = dimension
        self._ready = False
        self._closed = False
        self._folder, self._client = _connected(settings, folder)
        self._place = settings.uri or str(folder)
        try:
            with self._asking("open"):
                self._is_lite = "lite" in self._client.get_server_version()
            self._find()
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"MilvusIndex({self._place}, {self._settings.collection})"

    def upsert(self, rows: Sequence[IndexedSegment]) -> None:
        """Write rows by their keys; a key that is there already is replaced.

        Raises:
            FingerprintMismatchError: The collection holds another encoder's vectors, or vectors of another length.
            MomentIndexError: Milvus refused them, or two rows have one key.
        """
        dimension = check_rows(rows, self._dimension)
        if dimension is None or not rows:
            return
        with self._asking("write to"):
            self._dimension = dimension
            if not self._find():
                self._create(dimension)
            for first in range(0, len(rows), _BATCH):
                batch = [self._entity(row) for row in rows[first : first + _BATCH]]
                self._client.upsert(self._settings.collection, batch)
            self._flush()

    def search(self, vectors: npt.NDArray[np.float32], *, top: int, where: Filter | None = None) -> list[list[Hit]]:
        """The `top` nearest segments of each query vector, best first, ties by key; `top` is at most 16,384.

        Raises:
            ValueError: `top` is out of range, or `vectors` is not (Q, D) of unit length.
            FingerprintMismatchError: The vectors are of another length.
            MomentIndexError: Milvus cannot be asked.
        """
        check_query(vectors, top=top, where=where, dimension=self._dimension)
        if top > _MOST_HITS:
            raise ValueError(f"Milvus returns at most {_MOST_HITS} hits, got top={top}")
        with self._asking("search"):
            if len(vectors) == 0 or not self._find():
                return [[] for _ in vectors]
            found = self._client.search(
                self._settings.collection,
                data=list(np.ascontiguousarray(vectors, np.float32)),
                filter=_expression(where or Filter()),
                limit=top,
                anns_field="embedding",
                output_fields=["key", *_SEGMENT_FIELDS],
                search_params={"metric_type": "COSINE", "params": self._effort(top)},
                consistency_level="Strong",
            )
            return [_ordered(map(_hit, of_query)) for of_query in found]

    def delete_video(self, video_id: str) -> int:
        """Remove all rows of a video and return how many there were."""
        keys = sorted(self.keys_of(video_id))
        with self._asking("write to"):
            for first in range(0, len(keys), _BATCH):
                self._client.delete(self._settings.collection, ids=keys[first : first + _BATCH])
            if keys:
                self._flush()
        return len(keys)

    def keys_of(self, video_id: str) -> frozenset[str]:
        """The keys of all rows of a video."""
        return frozenset(row["key"] for row in self._query(_expression(Filter((video_id,))), "key"))

    def count(self) -> int:
        """How many rows there are."""
        rows = self._query("", "count(*)")
        return int(rows[0]["count(*)"]) if rows else 0

    def close(self) -> None:
        """Give the index back; closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        self._client.close()
        if self._folder is not None:
            self._folder.close()

    def __enter__(self) -> MilvusIndex:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        from pymilvus.exceptions import MilvusException

        if self._closed:
            raise MomentIndexError(f"the index in {self._place!r} is closed; open it again")
        try:
            yield
        except MilvusException as error:
            raise MomentIndexError(f"cannot {what} the index in {self._place!r}: {_cause(error)}") from error

    def _query(self, expression: str, field: str) -> list[Mapping[str, Any]]:
        with self._asking("read"):
            if not self._find():
                return []
            return list(
                self._client.query(
                    self._settings.collection, filter=expression, output_fields=[field], consistency_level="Strong"
                )
            )

    def _find(self) -> bool:
        """Whether the collection is there, loaded and ours; looked for until it is."""
        with self._asking("open"):
            if not self._ready and self._client.has_collection(self._settings.collection):
                self._check(self._client.describe_collection(self._settings.collection))
                self._client.load_collection(self._settings.collection)
                self._ready = True
            return self._ready

    def _check(self, description: Mapping[str, Any]) -> None:
        place = f"the collection {self._settings.collection!r} in {self._place!r}"
        fields = {field["name"]: field for field in description["fields"]}
        properties = description.get("properties") or {}
        if "embedding" not in fields or _ENCODER not in properties:
            raise MomentIndexError(f"{place} was not made by momentseek; set index.collection to another name")
        if properties[_ENCODER] != self._encoder:
            theirs = _named(properties[_ENCODER], properties.get(_MODEL, ""))
            raise mismatch(place, theirs, _named(self._encoder, self._description))
        dimension = int(fields["embedding"]["params"]["dim"])
        if self._dimension not in (None, dimension):
            raise FingerprintMismatchError(f"{place} holds vectors of {dimension} numbers, not of {self._dimension}")
        self._dimension = dimension

    def _create(self, dimension: int) -> None:
        from pymilvus.exceptions import MilvusException

        settings = self._settings
        parameters = self._client.prepare_index_params()
        graph = {} if self._is_lite else {"M": settings.m, "efConstruction": settings.ef_construction}
        kind = "FLAT" if self._is_lite else "HNSW"
        parameters.add_index("embedding", index_type=kind, metric_type="COSINE", params=graph)
        try:
            self._client.create_collection(
                settings.collection,
                schema=_schema(dimension),
                index_params=parameters,
                properties={_ENCODER: self._encoder, _MODEL: self._description},
                consistency_level="Strong",
            )
        except MilvusException:
            # Another client of the server may have been quicker.
            if not self._client.has_collection(settings.collection):
                raise
        self._find()

    def _entity(self, row: IndexedSegment) -> dict[str, Any]:
        return {
            "key": row.key,
            "video_id": row.segment.video_id,
            "start_seconds": float(row.segment.start_seconds),
            "end_seconds": float(row.segment.end_seconds),
            "ordinal": row.segment.ordinal,
            "model": self._encoder,
            "metadata": dict(row.metadata),
            "embedding": np.ascontiguousarray(row.vector, np.float32),
        }

    def _effort(self, top: int) -> dict[str, int]:
        return {} if self._is_lite else {"ef": max(top, self._settings.ef_search)}

    def _flush(self) -> None:
        if self._is_lite:
            self._client.flush(self._settings.collection)


def _connected(settings: Indexing, folder: Path | None) -> tuple[LiteFolder | None, MilvusClient]:
    from pymilvus import MilvusClient
    from pymilvus.exceptions import MilvusException

    if settings.uri is not None and "://" in settings.uri:
        token = os.environ.get(settings.token_variable, "")
        try:
            return None, MilvusClient(settings.uri, token=token, timeout=_CONNECT_SECONDS)
        except (MilvusException, ValueError) as error:
            raise MomentIndexError(
                f"no Milvus server answers at {settings.uri!r}: {_cause(error)}. Start one there, set index.uri, or set"
                f" {settings.token_variable} where it wants a token"
            ) from error
    place = Path(settings.uri).expanduser() if settings.uri is not None else folder
    if place is None:
        raise MomentIndexError("there is no place for the index: set index.uri to a local folder or a Milvus server")
    lite = LiteFolder(place)
    try:
        return lite, MilvusClient(lite.uri, timeout=_CONNECT_SECONDS)
    except BaseException as error:
        with suppress(OSError):
            lite.close()
        if isinstance(error, MilvusException):
            raise MomentIndexError(f"the index in {str(place)!r} cannot be opened: {_cause(error)}") from error
        raise


def _schema(dimension: int) -> CollectionSchema:
    from pymilvus import DataType, MilvusClient

    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("key", DataType.VARCHAR, is_primary=True, max_length=256)
    schema.add_field("video_id", DataType.VARCHAR, max_length=128)
    schema.add_field("start_seconds", DataType.DOUBLE)
    schema.add_field("end_seconds", DataType.DOUBLE)
    schema.add_field("ordinal", DataType.INT64)
    schema.add_field("model", DataType.VARCHAR, max_length=64)
    schema.add_field("metadata", DataType.JSON)
    schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=dimension)
    return schema


def _expression(where: Filter) -> str:
    """Milvus's filter expression; literals are escaped, since Lite takes no filter templates."""
    parts = [f"metadata[{_literal(name)}] == {_literal(value)}" for name, value in where.metadata.items()]
    if where.video_ids:
        parts.insert(0, f"video_id in [{', '.join(map(_literal, where.video_ids))}]")
    return " and ".join(parts)


def _literal(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _hit(found: Mapping[str, Any]) -> Hit:
    entity = found["entity"]
    segment = Segment(*(entity[name] for name in _SEGMENT_FIELDS))
    return Hit(str(entity["key"]), segment, float(found["distance"]))


def _ordered(hits: Iterable[Hit]) -> list[Hit]:
    """Best first; scores of equal vectors differ in the last digits, so those within 1e-6 of the first are a tie."""
    ordered: list[Hit] = []
    tied: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: -hit.score):
        if tied and tied[0].score - hit.score > _TIE:
            ordered += sorted(tied, key=lambda hit: hit.key)
            tied = []
        tied.append(hit)
    return ordered + sorted(tied, key=lambda hit: hit.key)


def _named(fingerprint: str, description: str) -> str:
    return f"{description} [{fingerprint}]" if description else fingerprint


def _cause(error: BaseException) -> str:
    return " ".join(str(getattr(error, "message", "") or error).split())
