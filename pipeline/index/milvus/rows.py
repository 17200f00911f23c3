"""Rows of a Milvus collection: write, search, read and delete."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline.index.milvus.connection import MilvusConnection
from pipeline.index.milvus.row_validation import SEGMENT_FIELDS, hit_of, key_of, row_of, video_id_of
from pipeline.index.milvus.stored_labels import label_expression, literal, stored_metadata
from pipeline.index.protocol import Filter, Hit
from pipeline.index.quoted_text import shown
from pipeline.types import IndexedSegment

if TYPE_CHECKING:
    from pymilvus import MilvusClient

__all__ = ["MilvusRows"]

_ROWS_A_REQUEST = 1000
# A server takes 64 MiB; a quarter leaves room for what serialising adds.
_BYTES_A_REQUEST = 16 * 2**20
_BYTES_BESIDE_VECTOR = 512
_VIDEOS_A_QUERY = 64
_TIE = 1e-6


class MilvusRows:
    """The rows of one collection, by its name or an alias. All requests are idempotent.

    Args:
        connection: Where it is.
        collection: Which.
        encoder_fingerprint: Noted in each row that is written.
    """

    def __init__(self, connection: MilvusConnection, collection: str, encoder_fingerprint: str) -> None:
        self._connection = connection
        self._name = collection
        self._encoder = encoder_fingerprint

    def upsert(self, rows: Sequence[IndexedSegment]) -> None:
        """Write rows by their keys, some thousand or some mebibytes a request."""
        for batch in _batches(rows):
            self._write("upsert", data=[self._entity(row) for row in batch])
        if rows:
            self._flush()

    def search(
        self, vectors: npt.NDArray[np.float32], *, top: int, where: Filter, effort: Mapping[str, Any], sees_all: bool
    ) -> list[list[Hit]]:
        """The `top` nearest rows of each vector, best first, ties by key.

        Args:
            vectors: float32 (Q, D) of unit length.
            top: Most hits of each.
            where: Filter of the rows.
            effort: The kind's search parameters.
            sees_all: Whether it waits until a server knows all that anybody wrote before; else it knows what this
                process wrote.
        """
        found = self._connection.ask(
            "search",
            lambda client: client.search(
                self._name,
                data=list(np.ascontiguousarray(vectors, np.float32)),
                filter=_expression(where),
                limit=top,
                anns_field="embedding",
                output_fields=["key", *SEGMENT_FIELDS],
                search_params={"metric_type": "COSINE", "params": dict(effort)},
                consistency_level="Strong" if sees_all else "Session",
            ),
        )
        with self._checked():
            return [_ordered(map(hit_of, of_query)) for of_query in found]

    def delete_video(self, video_id: str) -> int:
        """Remove all rows of a video and return how many there were."""
        keys = sorted(self.keys_of(video_id))
        for first in range(0, len(keys), _ROWS_A_REQUEST):
            self._write("delete", ids=keys[first : first + _ROWS_A_REQUEST])
        if keys:
            self._flush()
        return len(keys)

    def keys_of(self, *video_ids: str) -> frozenset[str]:
        """The keys of all rows of these videos."""
        keys: set[str] = set()
        for first in range(0, len(video_ids), _VIDEOS_A_QUERY):
            where = Filter(video_ids[first : first + _VIDEOS_A_QUERY])
            rows = self._query(_expression(where), "key")
            with self._checked():
                keys.update(map(key_of, rows))
        return frozenset(keys)

    def count(self) -> int:
        """How many rows there are."""
        return self._counted("")

    def video_count(self) -> int:
        """How many videos have a first segment."""
        return self._counted("ordinal == 0")

    def videos(self) -> Counter[str]:
        """How many rows there are of each video; read row by row, without vectors."""
        with self._checked():
            return Counter(map(video_id_of, self._all("", ["video_id"])))

    def rows_of(self, video_ids: Sequence[str]) -> Iterator[IndexedSegment]:
        """All rows of some videos, in no order.

        Raises:
            MomentIndexError: A row is not what momentseek writes.
        """
        fields = ["key", *SEGMENT_FIELDS, "metadata", "embedding"]
        for first in range(0, len(video_ids), _VIDEOS_A_QUERY):
            asked = tuple(video_ids[first : first + _VIDEOS_A_QUERY])
            with self._checked():
                for row in map(row_of, self._all(_expression(Filter(asked)), fields)):
                    if row.segment.video_id not in asked:
                        raise ValueError(f"a row of {row.segment.video_id!r} came for {shown(asked)}")
                    yield row

    @contextmanager
    def _checked(self) -> Iterator[None]:
        """Where rows come back: the folder or the server may be somebody else's."""
        try:
            yield
        except (ValueError, TypeError, LookupError, OverflowError) as error:
            raise self._connection.broken(shown(error)) from error

    def _write(self, name: str, **what: Any) -> None:
        self._connection.ask("write to", lambda client: getattr(client, name)(self._name, **what))

    def _counted(self, expression: str) -> int:
        rows = self._query(expression, "count(*)")
        with self._checked():
            return int(rows[0]["count(*)"])

    def _query(self, expression: str, field: str) -> list[Mapping[str, Any]]:
        return list(
            self._connection.ask(
                "read",
                lambda client: client.query(
                    self._name, filter=expression, output_fields=[field], consistency_level="Strong"
                ),
            )
        )

    def _all(self, expression: str, fields: list[str]) -> Iterator[Mapping[str, Any]]:
        """Rows by the thousand, in order of their keys: a server gives no more than 100 MB at once."""
        after = ""
        while True:
            beyond = f"key > {literal(after)}"
            both = f"{beyond} and {expression}" if expression else beyond
            page = self._connection.ask("read", partial(self._page, expression=both, fields=fields))
            yield from page
            if len(page) < _ROWS_A_REQUEST:
                return
            last = key_of(page[-1])
            if last.encode() <= after.encode():
                raise ValueError(f"the rows after the key {after!r} end with {last!r}")
            after = last

    def _page(self, client: MilvusClient, *, expression: str, fields: list[str]) -> list[Mapping[str, Any]]:
        pages = client.query_iterator(
            self._name,
            batch_size=_ROWS_A_REQUEST,
            limit=_ROWS_A_REQUEST,
            filter=expression,
            output_fields=sorted({"key", *fields}),
            consistency_level="Strong",
        )
        try:
            return sorted(pages.next(), key=lambda row: str(row.get("key")).encode(errors="surrogatepass"))
        finally:
            pages.close()

    def _entity(self, row: IndexedSegment) -> dict[str, Any]:
        return {
            "key": row.key,
            "video_id": row.segment.video_id,
            "start_seconds": float(row.segment.start_seconds),
            "end_seconds": float(row.segment.end_seconds),
            "ordinal": row.segment.ordinal,
            "model": self._encoder,
            "metadata": stored_metadata(row),
            "embedding": np.ascontiguousarray(row.vector, np.float32),
        }

    def _flush(self) -> None:
        """Lite searches rows that are not flushed slowly: 360 ms instead of 6 at 10,000 rows."""
        if self._connection.is_lite:
            self._connection.ask("write to", lambda client: client.flush(self._name))


def _batches(rows: Sequence[IndexedSegment]) -> Iterator[list[IndexedSegment]]:
    batch: list[IndexedSegment] = []
    size = 0
    for row in rows:
        added = 4 * len(row.vector) + len(json.dumps(stored_metadata(row))) + _BYTES_BESIDE_VECTOR
        if batch and (len(batch) == _ROWS_A_REQUEST or size + added > _BYTES_A_REQUEST):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += added
    if batch:
        yield batch


def _expression(where: Filter) -> str:
    """Milvus's filter expression; literals are escaped, since Lite takes no filter templates."""
    parts = [f"metadata[{literal(name)}] == {literal(value)}" for name, value in where.metadata.items()]
    if where.video_ids:
        parts.insert(0, f"video_id in [{', '.join(map(literal, where.video_ids))}]")
    if where.labels is not None:
        parts.append(label_expression(where.labels))
    return " and ".join(parts)


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
