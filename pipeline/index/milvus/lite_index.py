"""The index in a Milvus Lite folder, searched without Milvus Lite while no process has the folder open."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline.errors import MomentIndexError
from pipeline.index.milvus.collections import is_owned
from pipeline.index.milvus.filter_expressions import expression_of, filter_in
from pipeline.index.milvus.index import MAX_HITS, MilvusIndex, collection_name
from pipeline.index.milvus.row_validation import hit_of
from pipeline.index.milvus.rows import ordered_hits
from pipeline.index.protocol import Filter, Hit, Owner, Replacement
from pipeline.index.settings import Indexing
from pipeline.index.validation import check_query
from pipeline.types import IndexedSegment

if TYPE_CHECKING:
    from pipeline.index.milvus.lite.stored_rows import StoredCollection

__all__ = ["LiteIndex"]

_log = logging.getLogger(__name__)
# What rows that momentseek did not write can cause; Milvus Lite then answers, or reports the fault.
_FOREIGN = (ValueError, TypeError, LookupError, OverflowError)


class LiteIndex:
    """A `MomentIndex` in a Milvus Lite folder that opens the folder only when it has to.

    Searches and counts are answered from the folder's files, which each of them checks for changes. If another process
    holds the folder, if it needs recovery, or for any other request, the folder is opened with Milvus Lite, and all
    later requests go there.

    Args:
        settings: The location, and how to search.
        owner: The owner of the index.
        folder: The folder; created if it does not exist.

    Raises:
        MomentIndexError: As for `MilvusIndex`, if the folder has to be opened.
    """

    def __init__(self, settings: Indexing, owner: Owner, folder: Path) -> None:
        # Imports pyarrow's compute functions and its reader of Parquet files.
        from pipeline.index.milvus.lite.stored_rows import StoredRows

        self._settings = settings
        self._owner = owner
        self._folder = folder
        self._stored = StoredRows(folder, settings.collection or collection_name(owner))
        self._opening = threading.Lock()
        self._opened: MilvusIndex | None = None
        self._closed = False
        if self._collection() is None:
            self.milvus()

    def __repr__(self) -> str:
        return f"LiteIndex({self._folder})"

    def milvus(self) -> MilvusIndex:
        """Open the folder with Milvus Lite, or return the index that is open.

        Raises:
            MomentIndexError: As for `MilvusIndex`, or this index is closed.
        """
        with self._opening:
            if self._opened is None:
                if self._closed:
                    raise MomentIndexError(f"the index in {str(self._folder)!r} is closed; open it again")
                given = None if self._settings.uri is not None else self._folder
                self._opened = MilvusIndex(self._settings, self._owner, folder=given)
            return self._opened

    def search(self, vectors: npt.NDArray[np.float32], *, top: int, where: Filter | None = None) -> list[list[Hit]]:
        """Find the `top` nearest segments of each query vector, best first, ties by key; `top` is at most 16,384.

        Raises:
            ValueError, QueryError, FingerprintMismatchError, MomentIndexError: As for `MilvusIndex`.
        """
        collection = self._collection() if top <= MAX_HITS else None
        if collection is not None:
            check_query(vectors, top=top, where=where, dimension=collection.dimension)
            # Milvus Lite gets filters as expressions, so the same expression decides here.
            wanted = filter_in(expression_of(where or Filter()))
            try:
                if wanted is not None:
                    found = collection.rows.nearest(vectors, top, wanted) if len(vectors) else []
                    return [ordered_hits(map(hit_of, of_query)) for of_query in found]
            except _FOREIGN as error:
                _log.debug("Milvus Lite answers a search itself: %s", error)
        return self.milvus().search(vectors, top=top, where=where)

    def count(self) -> int:
        """Count the rows."""
        collection = self._collection()
        return self.milvus().count() if collection is None else collection.rows.count()

    def video_count(self) -> int:
        """Count the videos that have a first segment."""
        collection = self._collection()
        return self.milvus().video_count() if collection is None else collection.rows.first_count()

    def upsert(self, rows: Sequence[IndexedSegment]) -> None:
        """Write rows; a row with an existing key replaces the old one."""
        self.milvus().upsert(rows)

    def delete_video(self, video_id: str) -> int:
        """Remove all rows of a video and return their number."""
        return self.milvus().delete_video(video_id)

    def keys_of(self, *video_ids: str) -> frozenset[str]:
        """Return the keys of all rows of these videos."""
        return self.milvus().keys_of(*video_ids)

    def videos(self) -> Counter[str]:
        """Count the rows of each video."""
        return self.milvus().videos()

    def rows_of(self, video_ids: Sequence[str]) -> Iterator[IndexedSegment]:
        """Yield all rows of some videos with their vectors, in any order."""
        return self.milvus().rows_of(video_ids)

    def replacement(self, dimension: int) -> Replacement:
        """Create an empty collection, to be filled and then to replace the active one."""
        return self.milvus().replacement(dimension)

    def close(self) -> None:
        """Close the index; closing twice is harmless."""
        with self._opening:
            self._closed = True
            if self._opened is not None:
                self._opened.close()

    def __enter__(self) -> LiteIndex:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _collection(self) -> StoredCollection | None:
        """Return the collection as it is in the files; None if the folder is, or has to be, opened."""
        if self._opened is not None or self._closed:
            return None
        collection = self._stored.read()
        # Otherwise, `MilvusIndex` reports the other owner.
        return collection if collection is not None and is_owned(collection.properties, self._owner) else None
