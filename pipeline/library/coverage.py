"""Detect videos that a library stores but its index lacks."""

from __future__ import annotations

import time

from pipeline.errors import MomentIndexError, QueryError, StoreError
from pipeline.index import MemoryIndex, MomentIndex
from pipeline.library.index_handle import check_writable
from pipeline.library.index_place import index_place, move_command, set_elsewhere
from pipeline.library.saved_config import SavedConfig
from pipeline.quoted_commands import command_for
from pipeline.run_config import RunConfig
from pipeline.search.answer import Incomplete
from pipeline.store import ParquetStore

__all__ = ["IndexCoverage"]

_FRESH_SECONDS = 10.0
_MOST_COUNTING = 100.0
"""A count is used for this multiple of the time that it took: an object store lists 1,000 videos in one request."""


class IndexCoverage:
    """Compares the number of videos in a library's index with the number that the library stores.

    Both are counted, not listed row by row: the index counts first segments, and the store counts files. The result is
    reused for ten seconds, or for longer if it took more than a tenth of a second.

    Args:
        config: The library's configuration.
        saved: The library's saved configuration, which names the place of its index.
    """

    def __init__(self, config: RunConfig, saved: SavedConfig) -> None:
        self._config = config
        self._saved = saved
        self._result: Incomplete | None = None
        self._counted_at: float | None = None
        self._taken_seconds = 0.0

    def forget(self) -> None:
        """Discard the last count."""
        self._counted_at = None

    def check_not_empty(self, index: MomentIndex, store: ParquetStore) -> None:
        """Refuse to search an empty index.

        Raises:
            QueryError: The library stores no video either.
            MomentIndexError: The library stores videos; the message has the remedy.
            StoreError: The stored videos cannot be listed.
        """
        if index.count():
            return
        stored = len(store.video_ids())
        if not stored:
            raise QueryError(f"the library {self._config.library!r} holds no video yet; index some first")
        videos = "1 video is" if stored == 1 else f"{stored} videos are"
        raise MomentIndexError(f"{videos} stored, but this index is empty: {self._remedy(index)}")

    def lacking(self, index: MomentIndex, store: ParquetStore) -> Incomplete | None:
        """Count the videos that the index lacks; None if it has as many as are stored.

        Raises:
            MomentIndexError: The index cannot be counted.
            StoreError: The stored videos cannot be listed.
        """
        now = time.monotonic()
        fresh_seconds = max(_FRESH_SECONDS, _MOST_COUNTING * self._taken_seconds)
        if self._counted_at is None or now - self._counted_at > fresh_seconds:
            # The store is counted first, so that a video indexed in between does not appear to be missing.
            stored = len(store.video_ids())
            indexed = index.video_count()
            self._result = Incomplete(stored, indexed, self._remedy(index)) if indexed < stored else None
            self._counted_at = time.monotonic()
            self._taken_seconds = self._counted_at - now
        return self._result

    def _remedy(self, index: MomentIndex) -> str:
        config = self._config
        saved = self._saved.read()
        if saved is not None and index_place(saved.config) != index_place(config):
            there = index_place(saved.config)
            setting = set_elsewhere(saved.config, config)
            return f"the library's index is in {there}; {setting}, or move it: {move_command(config)}"
        if isinstance(index, MemoryIndex):
            return "open the library again"
        try:
            check_writable(config.library)
        except StoreError:
            return "the library is read-only for this user: set index.backend=memory"
        return command_for(config.library, "index", "rebuild")
