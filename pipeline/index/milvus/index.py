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

__all__ = ["MilvusIndex"]

T = TypeVar("T")

_log = logging.getLogger(__name__)

_MOST_HITS = 16_384
_SEEN_SECONDS = 10.0
_TRIES = 5
_DEFAULT_NAME = "segments"


class MilvusIndex:
    """A `MomentIndex` in a Milvus collection, compared by cosine.

    Where hits tie at the last place, which of them are among the `top` is Milvus's choice.

    A server that goes away or refuses for now is waited for (`Indexing.patience_seconds`); every request may be made
    twice, so nothing is lost or doubled. Several processes may write to one server. The first search waits until the
    server knows all that anybody wrote before it, and so does the first after this process has deleted rows;
    the others know all that this process wrote, and what others write a moment later. What counts or reads rows always
    waits.

    Milvus Lite, in a folder or behind `milvus-lite server`, compares a query with every row (40 ms for 20,000 of 512
    numbers): its graph loses rows in silence, found with 3.2.2 (88 of 200 equal rows found; 0 to 12 of the 50 rows that
    pass a filter; recall 0.5 among 20,000 random rows). There, each write is flushed before it returns (20 ms for 50
    rows).

    Args:
        settings: Where it is, and how it searches.
        owner: Whose it is; an encoder's fingerprint alone will do.
        dimension: Length of a vector; None where only what is there already matters, or the first rows will tell.
        folder: Folder of Milvus Lite where the settings name no place.

    Raises:
        ConfigError: `index.kind` is not for Milvus Lite.
        IndexLockedError: Another process holds the folder.
        FingerprintMismatchError: The collection holds another encoder's vectors, or vectors of another length.
        MomentIndexError: There is no place, no server answers there, the collection is another library's, or it cannot
            be opened.
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
        self.collection = settings.collection or _own_name(self._owner)
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

    def upsert(self, rows: Sequence[IndexedSegment]) -> None:
        """Write rows by their keys; a key that is there already is replaced.

        Raises:
            FingerprintMismatchError: The collection holds another encoder's vectors, or vectors of another length.
            MomentIndexError: Milvus refused them, two rows have one key, or a server was away for too long.
        """
        dimension = check_rows(rows, self._dimension)
        if dimension is None or not rows:
            return
        self._dimension = dimension

        def write() -> None:
            if self._find(anew=True) is None:
                self._seen(self._collections.create(dimension))
            self._rows.upsert(rows)

        self._again_if_gone(write)

    def search(self, vectors: npt.NDArray[np.float32], *, top: int, where: Filter | None = None) -> list[list[Hit]]:
        """The `top` nearest segments of each query vector, best first, ties by key; `top` is at most 16,384.

        Raises:
            ValueError: `top` is below 1, or `vectors` is not (Q, D) of unit length.
            QueryError: `top` is above 16,384.
            FingerprintMismatchError: The vectors are of another length.
            MomentIndexError: Milvus cannot be asked, or a server was away for too long.
        """
        check_query(vectors, top=top, where=where, dimension=self._dimension)
        if top > _MOST_HITS:
            raise QueryError(
                f"Milvus gives at most {_MOST_HITS} segments a question, and {top} are wanted; ask for fewer moments,"
                " or lower search.candidates"
            )

        def search() -> list[list[Hit]]:
            found = self._find()
            if len(vectors) == 0 or found is None:
                return [[] for _ in vectors]
            ask = partial(
                self._rows.search, vectors, top=top, where=where or Filter(), effort=self._built_as(found).effort(top)
            )
            hits = ask(sees_all=self._searched != found.collection)
            self._searched = found.collection
            if min(map(len, hits)) < top and self._has_moved(found):
                # Dropped while it was asked, it may have answered with nothing.
                return ask(sees_all=True)
            return hits

        return self._again_if_gone(search)

    def delete_video(self, video_id: str) -> int:
        """Remove all rows of a video and return how many there were."""
        # What a process has written, a server tells it at once; not so what it has deleted, found with 2.3.5.
        self._searched = None
        return self._again_if_gone(lambda: self._rows.delete_video(video_id) if self._find(anew=True) else 0)

    def keys_of(self, *video_ids: str) -> frozenset[str]:
        """The keys of all rows of these videos."""
        return self._again_if_gone(lambda: self._rows.keys_of(*video_ids) if self._find() else frozenset())

    def videos(self) -> Counter[str]:
        """How many rows there are of each video."""
        return self._again_if_gone(lambda: self._rows.videos() if self._find() else Counter())

    def rows_of(self, video_ids: Sequence[str]) -> Iterator[IndexedSegment]:
        """All rows of some videos, vectors included, in no order."""
        if self._find() is not None:
            yield from self._rows.rows_of(video_ids)

    def count(self) -> int:
        """How many rows there are."""
        return self._again_if_gone(lambda: self._rows.count() if self._find() else 0)

    def video_count(self) -> int:
        """How many videos have a first segment; one request, whatever the number of rows."""
        return self._again_if_gone(lambda: self._rows.video_count() if self._find() else 0)

    def replacement(self, dimension: int) -> _MilvusReplacement:
        """Create an empty collection for vectors of that length, which is to take over from this one.

        Raises:
            FingerprintMismatchError: The present one holds vectors of another length.
            MomentIndexError: Another one is being built.
        """
        found = self._find(anew=True)
        if found is not None and found.dimension != dimension:
            raise self._other_length(found, dimension)
        fresh = self._collections.build(dimension)
        rows = MilvusRows(self._connection, fresh, self._owner.encoder_fingerprint)
        return _MilvusReplacement(self._collections, rows, fresh, self._forget)

    def close(self) -> None:
        """Close the index; closing twice is harmless."""
        self._connection.close()

    def __enter__(self) -> MilvusIndex:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _find(self, *, anew: bool = False) -> FoundCollection | None:
        """The collection that answers, if any; looked at again before each write and every ten seconds.

        Somebody may have put another encoder's in its place.
        """
        if anew or self._found is None or time.monotonic() - self._found_at > _SEEN_SECONDS:
            self._seen(self._collections.find())
        return self._found

    def _seen(self, found: FoundCollection | None) -> None:
        if found is not None and self._dimension not in (None, found.dimension):
            raise self._other_length(found, self._dimension)
        self._found, self._found_at = found, time.monotonic()
        if found is not None:
            self._dimension = found.dimension

    def _other_length(self, found: FoundCollection, dimension: int | None) -> FingerprintMismatchError:
        place = f"the collection {self.collection!r} in {self._connection.place!r}"
        return FingerprintMismatchError(f"{place} holds vectors of {found.dimension} numbers, not of {dimension}")

    def _forget(self) -> None:
        self._found = None

    def _has_moved(self, found: FoundCollection) -> bool:
        """Whether a rebuild has put another collection in the place of the one that was found."""
        if self._connection.is_exclusive or self._collections.target() in (None, found.collection):
            return False
        self._forget()
        return True

    def _again_if_gone(self, work: Callable[[], T]) -> T:
        """A rebuild drops the old collection while requests to it are under way; the new one answers them."""
        for _ in range(_TRIES):
            try:
                return work()
            except MomentIndexError as error:
                if error.__cause__ is None or not is_gone(error.__cause__):
                    raise
                self._found = None
                time.sleep(0.1)
        return work()

    def _built_as(self, found: FoundCollection) -> Kind:
        """The settings' kind, or Milvus's defaults where the collection was built as another."""
        if self._kind.described()[0] == found.kind:
            return self._kind
        return Hnsw() if found.kind == "HNSW" else Flat()

    def _compare_kinds(self) -> None:
        wanted = self._kind.described()[0]
        if self._found is not None and self._found.kind != wanted:
            _log.warning(
                "%s was built as %s, and index.kind says %s; momentseek index rebuild builds it anew",
                self,
                self._found.kind,
                wanted,
            )


class _MilvusReplacement:
    """A collection that is filled beside the one that answers."""

    def __init__(
        self, collections: MilvusCollections, rows: MilvusRows, fresh: str, on_take_over: Callable[[], None]
    ) -> None:
        self._collections = collections
        self._rows = rows
        self._fresh = fresh
        self._on_take_over = on_take_over
        self._has_taken_over = False

    def upsert(self, rows: Sequence[IndexedSegment]) -> None:
        check_rows(rows, None)
        self._rows.upsert(rows)

    def delete_video(self, video_id: str) -> int:
        return self._rows.delete_video(video_id)

    def take_over(self) -> None:
        self._collections.swap(self._fresh)
        self._has_taken_over = True
        self._on_take_over()

    def __enter__(self) -> _MilvusReplacement:
        return self

    def __exit__(self, *exc: object) -> None:
        if not self._has_taken_over:
            try:
                self._collections.drop(self._fresh)
            except MomentIndexError as error:
                _log.warning("%s is left behind, and the next rebuild drops it: %s", self._fresh, error)


def _own_name(owner: Owner) -> str:
    return f"momentseek_{owner.library_id}" if owner.library_id else _DEFAULT_NAME


def _kind(kind: Kind, connection: MilvusConnection) -> Kind:
    if not connection.is_lite:
        return kind
    if isinstance(kind, Auto | Flat):
        return Flat()
    raise ConfigError(
        f"index.kind: {kind.described()[0]} is not for Milvus Lite, which loses rows in its graph without a word (88 of"
        " 200 equal rows were found) and takes any kind by name; use auto or flat, or a Milvus server (index.uri)"
    )
