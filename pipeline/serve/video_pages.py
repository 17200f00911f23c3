"""Pages of the list of a library's videos; the cost of a page does not depend on the number of videos."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipeline.errors import StoreError
from pipeline.store import ParquetStore
from pipeline.types import VideoRecord

__all__ = ["VideoPage", "VideoPages"]

_SETTLED_NS = 2 * 10**9
"""Age at which the time of a folder's last change tells that nothing has changed since: file systems count time in
ticks, of up to two seconds in FAT."""


@dataclass(frozen=True)
class VideoPage:
    """A page of a library's videos.

    Attributes:
        records: The readable records, ordered by id.
        broken: Errors by id of all videos of the library whose files are broken.
        total: Number of readable videos in the library.
        last_id: Id to continue after; None at the end.
    """

    records: list[VideoRecord]
    broken: Mapping[str, StoreError]
    total: int
    last_id: str | None


class VideoPages:
    """Reads pages of videos, and remembers the list of ids and which files are broken.

    The list is read again when files were added, replaced or removed; then only the new files and the broken ones are
    checked. The records of a page are always read anew, from the catalogue where its copies are valid. So a file that
    was good and breaks is noticed when its page is read.

    Args:
        store: Makes the library's store.
    """

    def __init__(self, store: Callable[[], ParquetStore]) -> None:
        self._store = store
        self._ids: list[str] = []
        self._known: frozenset[str] = frozenset()
        self._broken: dict[str, StoreError] = {}
        self._state: int | None = None
        self._lock = threading.Lock()

    def page(self, after: str | None, limit: int) -> VideoPage:
        """Read a page.

        Args:
            after: Id after which the page begins, whether or not that video is still there; None for the first page.
            limit: Maximum number of records.

        Raises:
            StoreError: The store cannot be listed.
        """
        store = self._store()
        with self._lock:
            self._renew(store)
            place = 0 if after is None else bisect_right(self._ids, after)
            records: list[VideoRecord] = []
            while place < len(self._ids) and len(records) < limit:
                wanted = self._ids[place : place + limit - len(records)]
                place += len(wanted)
                records += self._read(store, wanted)
            last_id = self._ids[place - 1] if any(one not in self._broken for one in self._ids[place:]) else None
            return VideoPage(records, dict(self._broken), len(self._ids) - len(self._broken), last_id)

    def _read(self, store: ParquetStore, wanted: list[str]) -> list[VideoRecord]:
        """Read records, and take note of files that broke, or were mended, since they were checked."""
        found = dict(store.listing.some(wanted))
        for video_id in wanted:
            one = found.get(video_id)
            if isinstance(one, StoreError):
                self._broken[video_id] = one
            else:
                self._broken.pop(video_id, None)
        return [one for one in found.values() if isinstance(one, VideoRecord)]

    def _renew(self, store: ParquetStore) -> None:
        state = store.listing.state()
        if state is not None and state == self._state:
            return
        ids = store.video_ids()
        known = frozenset(ids)
        # A broken file may have been replaced by a good one of the same name.
        unsure = [one for one in ids if one not in self._known or one in self._broken]
        self._broken = store.listing.errors(unsure)
        self._ids, self._known = ids, known
        is_settled = state is not None and time.time_ns() - state > _SETTLED_NS
        self._state = state if is_settled else None
