"""The index in Milvus, in a Milvus Lite folder or on a server."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError, FingerprintMismatchError, MomentIndexError, QueryError
from pipeline.index.milvus.collections import FoundCollection, MilvusCollections
from pipeline.index.milvus.connection import MilvusConnection, is_gone
from pipeline.index.milvus.rows import MilvusRows
from pipeline.index.protocol import Filter, Hit, Owner
from pipeline.index.settings import Auto, Flat, Hnsw, Indexing, Kind
from pipeline.index.validation import check_query, check_rows
from pipeline.types import IndexedSegment

__all__ = ["MAX_HITS", "MilvusIndex", "collection_name"]

T = TypeVar("T")

_log = logging.getLogger(__name__)

MAX_HITS = 16_384
"""The most hits of one search."""
_CHECK_INTERVAL_SECONDS = 10.0
_RETRIES = 5
_DEFAULT_NAME = "segments"


class MilvusIndex:
    """A `MomentIndex` in a Milvus collection, compared by cosine.

    If several hits tie for the last place, Milvus decides which of them is among the `top`.

    While a server is unreachable or temporarily refuses, requests are retried (`Indexing.patience_seconds`). All
    requests are idempotent, so retries neither lose nor duplicate rows. Several processes may write to one server. The
    first search waits until the server has processed everything written so far, by any process; so does the first one
    after this process has deleted rows. Later searches see all rows of this process, and those of others with a short
    delay. Requests that count or read rows always wait.

    Milvus Lite, in a folder or behind `milvus-lite server`, compares a query with every row. In a folder, the process
    that holds it does this itself (`lite.exact_service`). Milvus Lite's graph index is not used, because version 3.2.2
    silently loses rows (it found 88 of 200 equal rows, 0 to 12 of the 50 rows that pass a filter, and had a recall of
    0.5 among 20,000 random rows). With Milvus Lite, each write is flushed before it returns (20 ms for 50 rows).

    Args:
        settings: The location, and how to search.
        owner: The owner of the index; an encoder's fingerprint alone is enough.
        dimension: Length of a vector; None to take it from the existing collection or from the first rows.
        folder: Folder of Milvus Lite if the settings have no `uri`.

    Raises:
        ConfigError: Milvus Lite does not support `index.kind`.
        IndexLockedError: Another process has opened the folder, and does not share it.
        FingerprintMismatchError: The collection has vectors of another encoder or another length.
        MomentIndexError: No location is set, no server answers there, the collection belongs to another library, or it
            cannot be opened.
    """

    def __init__(
        self,
        settings: Indexing,
        owner: Owner | str,
        dimension: int | None = None,
        *,
        folder: Path | None = None,
    ) -> None:
        self._owner = Owner(owner) if isinstance(owner, str) else owner
        self._dimension = dimension
        self._found: FoundCollection | None = None
        self._found_at = 0.0
        self._searched: str | None = None
        self.collection = settings.collection or collection_name(self._owner)
        self._connection = MilvusConnection(settings, folder)
        self._rows = MilvusRows(self._connection, self.collection, self._owner.encoder_fingerprint)
        try:
            self._kind = _kind(settings.kind, self._connection)
            self._collections = MilvusCollections(self._connection, self.collection, self._owner, self._kind)
            self._find()
            self._compare_kinds()
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"MilvusIndex({self._connection.place}, {self.collection})"

    @property
    def is_lite(self) -> bool:
        """Whether this is Milvus Lite, in a folder or behind `milvus-lite server`."""
        return self._connection.is_lite

    def upsert(self, rows: Sequence[IndexedSegment]) -> None:
        """Write rows; a row with an existing key replaces the old one.

        Raises:
            FingerprintMismatchError: The collection has vectors of another encoder or another length.
            MomentIndexError: Milvus refused the rows, two rows have the same key, or a server was unreachable for too
                long.
        """
        dimension = check_rows(rows, self._dimension)
        if dimension is None or not rows:
            return
        self._dimension = dimension

        def write() -> None:
            if self._find(refresh=True) is None:
                self._remember(self._collections.create(dimension))
            self._rows.upsert(rows)

        self._retry_if_dropped(write)

    def search(self, vectors: npt.NDArray[np.float32], *, top: int, where: Filter | None = None) -> list[list[Hit]]:
        """Find the `top` nearest segments of each query vector, best first, ties by key; `top` is at most 16,384.

        Raises:
            ValueError: `top` is below 1, or `vectors` is not (Q, D) of unit length.
            QueryError: `top` is above 16,384.
            FingerprintMismatchError: The vectors have another length.
            MomentIndexError: The search failed, or a server was unreachable for too long.
        """
        check_query(vectors, top=top, where=where, dimension=self._dimension)
        if top > MAX_HITS:
            raise QueryError(
                f"Milvus returns at most {MAX_HITS} segments per question, but {top} were requested; request fewer"
                " moments, or lower search.candidates"
            )

        def search() -> list[list[Hit]]:
            found = self._find()
            if len(vectors) == 0 or found is None:
                return [[] for _ in vectors]
            ask = partial(
                self._rows.search, vectors, top=top, where=where or Filter(), effort=self._kind_of(found).effort(top)
            )
            hits = ask(sees_all=self._searched != found.collection)
            self._searched = found.collection
            if min(map(len, hits)) < top and self._has_moved(found):
                # A collection that is dropped during the search may have returned nothing.
                return ask(sees_all=True)
            return hits

        return self._retry_if_dropped(search)

    def delete_video(self, video_id: str) -> int:
        """Remove all rows of a video and return their number."""
        # A process sees its own writes at once, but not its own deletions (observed with server 2.3.5).
        self._searched = None
        return self._retry_if_dropped(lambda: self._rows.delete_video(video_id) if self._find(refresh=True) else 0)

    def keys_of(self, *video_ids: str) -> frozenset[str]:
        """Return the keys of all rows of these videos."""
        return self._retry_if_dropped(lambda: self._rows.keys_of(*video_ids) if self._find() else frozenset())

    def videos(self) -> Counter[str]:
        """Count the rows of each video."""
        return self._retry_if_dropped(lambda: self._rows.videos() if self._find() else Counter())

    def rows_of(self, video_ids: Sequence[str]) -> Iterator[IndexedSegment]:
        """Yield all rows of some videos with their vectors, in any order."""
        if self._find() is not None:
            yield from self._rows.rows_of(video_ids)

    def count(self) -> int:
        """Count the rows."""
        return self._retry_if_dropped(lambda: self._rows.count() if self._find() else 0)

    def video_count(self) -> int:
        """Count the videos that have a first segment, with one request whatever the number of rows."""
        return self._retry_if_dropped(lambda: self._rows.video_count() if self._find() else 0)

    def replacement(self, dimension: int) -> _MilvusReplacement:
        """Create an empty collection for vectors of this length, to be filled and then to replace the active one.

        Raises:
            FingerprintMismatchError: The active collection has vectors of another length.
            MomentIndexError: Another rebuild is in progress.
        """
        found = self._find(refresh=True)
        if found is not None and found.dimension != dimension:
            raise self._wrong_dimension(found, dimension)
        new_collection = self._collections.build(dimension)
        rows = MilvusRows(self._connection, new_collection, self._owner.encoder_fingerprint)
        return _MilvusReplacement(self._collections, rows, new_collection, self._forget)

    def close(self) -> None:
        """Close the index; closing twice is harmless."""
        self._connection.close()

    def __enter__(self) -> MilvusIndex:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _find(self, *, refresh: bool = False) -> FoundCollection | None:
        """Return the active collection, if any; it is checked again before each write and every ten seconds.

        Another process may have replaced it, possibly by one of another encoder.
        """
        if refresh or self._found is None or time.monotonic() - self._found_at > _CHECK_INTERVAL_SECONDS:
            self._remember(self._collections.find())
        return self._found

    def _remember(self, found: FoundCollection | None) -> None:
        if found is not None and self._dimension not in (None, found.dimension):
            raise self._wrong_dimension(found, self._dimension)
        self._found, self._found_at = found, time.monotonic()
        if found is not None:
            self._dimension = found.dimension

    def _wrong_dimension(self, found: FoundCollection, dimension: int | None) -> FingerprintMismatchError:
        subject = f"the collection {self.collection!r} in {self._connection.place!r}"
        return FingerprintMismatchError(f"{subject} has vectors with {found.dimension} dimensions, not {dimension}")

    def _forget(self) -> None:
        self._found = None

    def _has_moved(self, found: FoundCollection) -> bool:
        """Whether a rebuild has replaced the collection that was found."""
        if self._connection.is_exclusive or self._collections.target() in (None, found.collection):
            return False
        self._forget()
        return True

    def _retry_if_dropped(self, work: Callable[[], T]) -> T:
        """Repeat requests that fail because a rebuild dropped the old collection; the new one answers them."""
        for _ in range(_RETRIES):
            try:
                return work()
            except MomentIndexError as error:
                if error.__cause__ is None or not is_gone(error.__cause__):
                    raise
                self._found = None
                time.sleep(0.1)
        return work()

    def _kind_of(self, found: FoundCollection) -> Kind:
        """Return the kind of a collection: the settings' own, or defaults if it was built as another kind."""
        if self._kind.described()[0] == found.kind:
            return self._kind
        return Hnsw() if found.kind == "HNSW" else Flat()

    def _compare_kinds(self) -> None:
        configured = self._kind.described()[0]
        if self._found is not None and self._found.kind != configured:
            _log.warning(
                "%s was built as %s, but index.kind is %s; to build it again: momentseek index rebuild",
                self,
                self._found.kind,
                configured,
            )


class _MilvusReplacement:
    """A collection that is filled beside the active one."""

    def __init__(
        self, collections: MilvusCollections, rows: MilvusRows, new_collection: str, on_take_over: Callable[[], None]
    ) -> None:
        self._collections = collections
        self._rows = rows
        self._new_collection = new_collection
        self._on_take_over = on_take_over
        self._has_taken_over = False

    def upsert(self, rows: Sequence[IndexedSegment]) -> None:
        check_rows(rows, None)
        self._rows.upsert(rows)

    def delete_video(self, video_id: str) -> int:
        return self._rows.delete_video(video_id)

    def take_over(self) -> None:
        self._collections.swap(self._new_collection)
        self._has_taken_over = True
        self._on_take_over()

    def __enter__(self) -> _MilvusReplacement:
        return self

    def __exit__(self, *exc: object) -> None:
        if not self._has_taken_over:
            try:
                self._collections.drop(self._new_collection)
            except MomentIndexError as error:
                _log.warning("%s was not dropped; the next rebuild drops it: %s", self._new_collection, error)


def collection_name(owner: Owner) -> str:
    """Return the name of an owner's collection."""
    return f"momentseek_{owner.library_id}" if owner.library_id else _DEFAULT_NAME


def _kind(kind: Kind, connection: MilvusConnection) -> Kind:
    if not connection.is_lite:
        return kind
    if isinstance(kind, Auto | Flat):
        return Flat()
    raise ConfigError(
        f"index.kind: {kind.described()[0]} cannot be used with Milvus Lite, which accepts it but silently loses rows"
        " (only 88 of 200 equal rows were found); use auto or flat, or a Milvus server (index.uri)"
    )
