"""Rows of a Milvus collection: writes, searches, reads and deletes them."""

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
from pipeline.index.milvus.filter_expressions import FIRST_SEGMENTS, expression_of, literal
from pipeline.index.milvus.row_validation import SEGMENT_FIELDS, hit_of, key_of, row_of, video_id_of
from pipeline.index.milvus.stored_labels import stored_metadata
from pipeline.index.protocol import Filter, Hit
from pipeline.index.quoted_text import shown
from pipeline.types import IndexedSegment

if TYPE_CHECKING:
    from pymilvus import MilvusClient

__all__ = ["MilvusRows", "ordered_hits"]

_ROWS_PER_REQUEST = 1000
# A server accepts 64 MiB; a quarter of this leaves room for the overhead of serialisation.
_BYTES_PER_REQUEST = 16 * 2**20
_BYTES_BESIDE_VECTOR = 512
_VIDEOS_PER_QUERY = 64
_TIE_TOLERANCE = 1e-6


class MilvusRows:
    """The rows of one collection. All requests are idempotent.

    Args:
        connection: The connection to Milvus.
        collection: Name or alias of the collection.
        encoder_fingerprint: Fingerprint that is stored in each row.
    """

    def __init__(self, connection: MilvusConnection, collection: str, encoder_fingerprint: str) -> None:
        self._connection = connection
        self._name = collection
        self._encoder = encoder_fingerprint

    def upsert(self, rows: Sequence[IndexedSegment]) -> None:
        """Write rows, in requests of limited size; a row with an existing key replaces the old one."""
        for batch in _batches(rows):
            self._write("upsert", data=[self._entity(row) for row in batch])
        if rows:
            self._flush()

    def search(
        self, vectors: npt.NDArray[np.float32], *, top: int, where: Filter, effort: Mapping[str, Any], sees_all: bool
    ) -> list[list[Hit]]:
        """Find the `top` nearest rows of each vector, best first, ties by key.

        Args:
            vectors: float32 (Q, D) of unit length.
            top: Maximum number of hits for each vector.
            where: Filter of the rows.
            effort: Search parameters of the index type.
            sees_all: Whether to wait until a server has processed all earlier writes of all processes; otherwise only
                those of this process are certain to be seen.
        """
        found = self._connection.ask(
            "search",
            lambda client: client.search(
                self._name,
                data=list(np.ascontiguousarray(vectors, np.float32)),
                filter=expression_of(where),
                limit=top,
                anns_field="embedding",
                output_fields=["key", *SEGMENT_FIELDS],
                search_params={"metric_type": "COSINE", "params": dict(effort)},
                consistency_level="Strong" if sees_all else "Session",
            ),
        )
        with self._checked():
            return [ordered_hits(map(hit_of, of_query)) for of_query in found]

    def delete_video(self, video_id: str) -> int:
        """Remove all rows of a video and return their number."""
        keys = sorted(self.keys_of(video_id))
        for first in range(0, len(keys), _ROWS_PER_REQUEST):
            self._write("delete", ids=keys[first : first + _ROWS_PER_REQUEST])
        if keys:
            self._flush()
        return len(keys)

    def keys_of(self, *video_ids: str) -> frozenset[str]:
        """Return the keys of all rows of these videos."""
        keys: set[str] = set()
        for first in range(0, len(video_ids), _VIDEOS_PER_QUERY):
            where = Filter(video_ids[first : first + _VIDEOS_PER_QUERY])
            rows = self._query(expression_of(where), "key")
            with self._checked():
                keys.update(map(key_of, rows))
        return frozenset(keys)

    def count(self) -> int:
        """Count the rows."""
        return self._count_rows("")

    def video_count(self) -> int:
        """Count the videos that have a first segment."""
        return self._count_rows(FIRST_SEGMENTS)

    def videos(self) -> Counter[str]:
        """Count the rows of each video; all rows are read, without vectors."""
        with self._checked():
            return Counter(map(video_id_of, self._all("", ["video_id"])))

    def rows_of(self, video_ids: Sequence[str]) -> Iterator[IndexedSegment]:
        """Yield all rows of some videos, in any order.

        Raises:
            MomentIndexError: momentseek cannot have written a row.
        """
        fields = ["key", *SEGMENT_FIELDS, "metadata", "embedding"]
        for first in range(0, len(video_ids), _VIDEOS_PER_QUERY):
            batch = tuple(video_ids[first : first + _VIDEOS_PER_QUERY])
            with self._checked():
                for row in map(row_of, self._all(expression_of(Filter(batch)), fields)):
                    if row.segment.video_id not in batch:
                        raise ValueError(f"a row of {row.segment.video_id!r} was returned for {shown(batch)}")
                    yield row

    @contextmanager
    def _checked(self) -> Iterator[None]:
        """Convert errors of invalid rows: the folder or server may belong to somebody else."""
        try:
            yield
        except (ValueError, TypeError, LookupError, OverflowError) as error:
            raise self._connection.broken(shown(error)) from error

    def _write(self, name: str, **what: Any) -> None:
        self._connection.ask("write to", lambda client: getattr(client, name)(self._name, **what))

    def _count_rows(self, expression: str) -> int:
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
        """Yield rows ordered by key, a thousand per request, since a server returns at most 100 MB at once."""
        after = ""
        while True:
            next_keys = f"key > {literal(after)}"
            combined = f"{next_keys} and {expression}" if expression else next_keys
            page = self._connection.ask("read", partial(self._page, expression=combined, fields=fields))
            yield from page
            if len(page) < _ROWS_PER_REQUEST:
                return
            last = key_of(page[-1])
            if last.encode() <= after.encode():
                raise ValueError(f"the rows after the key {after!r} end with {last!r}")
            after = last

    def _page(self, client: MilvusClient, *, expression: str, fields: list[str]) -> list[Mapping[str, Any]]:
        pages = client.query_iterator(
            self._name,
            batch_size=_ROWS_PER_REQUEST,
            limit=_ROWS_PER_REQUEST,
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
        """Flush Milvus Lite, whose searches of unflushed rows are slow: 360 ms instead of 6 ms for 10,000 rows."""
        if self._connection.is_lite:
            self._connection.ask("write to", lambda client: client.flush(self._name))


def _batches(rows: Sequence[IndexedSegment]) -> Iterator[list[IndexedSegment]]:
    batch: list[IndexedSegment] = []
    size = 0
    for row in rows:
        added = 4 * len(row.vector) + len(json.dumps(stored_metadata(row))) + _BYTES_BESIDE_VECTOR
        if batch and (len(batch) == _ROWS_PER_REQUEST or size + added > _BYTES_PER_REQUEST):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += added
    if batch:
        yield batch


def ordered_hits(hits: Iterable[Hit]) -> list[Hit]:
    """Sort hits, best first, ties by key.

    Scores of equal vectors can differ in the last digits, so scores within 1e-6 of the first one count as tied.
    """
    ordered: list[Hit] = []
    tied: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: -hit.score):
        if tied and tied[0].score - hit.score > _TIE_TOLERANCE:
            ordered += sorted(tied, key=lambda hit: hit.key)
            tied = []
        tied.append(hit)
    return ordered + sorted(tied, key=lambda hit: hit.key)
