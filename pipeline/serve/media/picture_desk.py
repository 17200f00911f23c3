"""Decodes pictures of a library's videos, a few at a time, and caches them as JPEG files."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from http import HTTPStatus

import anyio
import anyio.to_thread

from pipeline.library.wiring import indexed_videos
from pipeline.run_config import RunConfig
from pipeline.serve.http.problems import ProblemError
from pipeline.serve.media.cache_keys import video_of
from pipeline.store import ParquetStore
from pipeline.video import IndexedVideos
from pipeline.video.protocol import VideoStream

__all__ = ["PictureDesk"]

_AT_ONCE = 2
_RETRY_SECONDS = 1

OpenVideo = Callable[[str], AbstractContextManager[VideoStream]]


class PictureDesk:
    """Makes pictures, at most two at a time, and caches the most recently used.

    Args:
        config: The library's configuration.
        store: The library's store.
        most_waiting: Maximum number of pictures that wait to be made.
        cache_bytes: Memory for the cache.

    Attributes:
        room: Admits two at a time to decoding.
    """

    def __init__(self, config: RunConfig, store: ParquetStore, *, most_waiting: int, cache_bytes: int) -> None:
        self._config = config
        self._store = store
        self._most_waiting = most_waiting
        self.room = anyio.CapacityLimiter(_AT_ONCE)
        self._cache_bytes = cache_bytes
        self._cached: OrderedDict[Hashable, bytes] = OrderedDict()
        self._size_bytes = 0
        self._lock = threading.Lock()
        self._known = threading.local()

    @property
    def waiting(self) -> int:
        """Number of pictures that wait to be made."""
        return self.room.statistics().tasks_waiting

    @property
    def videos(self) -> IndexedVideos:
        """Opens the library's videos; each thread has its own, which remembers what it identified."""
        found: IndexedVideos | None = getattr(self._known, "videos", None)
        if found is None:
            found = self._known.videos = indexed_videos(self._config, self._store)
        return found

    async def made(self, key: Hashable, make: Callable[[IndexedVideos], bytes]) -> bytes:
        """Return a cached picture, or make it in a thread.

        Args:
            key: Identifies the picture; it contains the id of the video.
            make: Makes it.

        Raises:
            ProblemError: Too many pictures wait.
            VideoError: The video cannot be read.
        """
        with self._lock:
            if key in self._cached:
                self._cached.move_to_end(key)
                return self._cached[key]
        if self.waiting >= self._most_waiting:
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE, "busy", "too many pictures wait", retry_seconds=_RETRY_SECONDS
            )
        picture = await anyio.to_thread.run_sync(lambda: make(self.videos), limiter=self.room, abandon_on_cancel=True)
        with self._lock:
            self._keep(key, picture)
        return picture

    def forget(self, is_gone: Callable[[str], bool]) -> None:
        """Drop the pictures of the videos, by their ids, that are gone."""
        with self._lock:
            for key in [key for key in self._cached if is_gone(video_of(key))]:
                self._size_bytes -= len(self._cached.pop(key))

    def _keep(self, key: Hashable, picture: bytes) -> None:
        if len(picture) > self._cache_bytes or key in self._cached:
            return
        self._cached[key] = picture
        self._size_bytes += len(picture)
        while self._size_bytes > self._cache_bytes:
            _, dropped = self._cached.popitem(last=False)
            self._size_bytes -= len(dropped)
