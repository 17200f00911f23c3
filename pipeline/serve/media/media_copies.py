"""Makes copies and clips of videos on demand, one at a time, and keeps the most recently used within a limit."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import partial
from http import HTTPStatus
from pathlib import Path
from threading import Event

import anyio
import anyio.to_thread

from pipeline.serve.http.problems import ProblemError
from pipeline.serve.media.cache_keys import video_of

__all__ = ["Make", "MediaCopies"]

Make = Callable[[Path, Callable[[], None]], None]
"""Writes a file to a path, and calls a function before each frame, which raises an error if the server stops."""

_RETRY_SECONDS = 5
_MOST_MAKING = 16


class MediaCopies:
    """Files that are made when they are first asked for.

    Requests for the same file share one conversion. Work goes on if nobody waits any more, so that a player
    that asks again finds the file.

    Args:
        most_bytes: Maximum size of all files; the least recently used are removed.
        most_seconds: How long a request waits for a file.
        folder: Parent of the temporary folder of this server; None for the system's.
    """

    def __init__(self, *, most_bytes: int, most_seconds: float, folder: str | None = None) -> None:
        self._most_bytes = most_bytes
        self._most_seconds = most_seconds
        self._parent = folder
        self._folder: Path | None = None
        self._room = anyio.CapacityLimiter(1)
        self._made: OrderedDict[Hashable, Path] = OrderedDict()
        self._making: dict[Hashable, asyncio.Task[Path]] = {}
        self._is_stopped = Event()

    def has(self, key: Hashable) -> bool:
        """Whether a file is there already."""
        return key in self._made

    async def file(self, key: Hashable, make: Make) -> Path:
        """Return a file, and make it first if it is not there.

        Args:
            key: Identifies the file.
            make: Writes it, in a thread.

        Raises:
            ProblemError: Too many files are being made, or this one takes too long; it may be there later.
            VideoError: The video cannot be read.
        """
        if key in self._made:
            self._made.move_to_end(key)
            return self._made[key]
        if key not in self._making:
            if len(self._making) >= _MOST_MAKING:
                raise _busy("too many videos are being prepared")
            task = asyncio.create_task(self._make(key, make))
            self._making[key] = task
            task.add_done_callback(partial(self._end, key))
        try:
            return await asyncio.wait_for(asyncio.shield(self._making[key]), self._most_seconds)
        except TimeoutError as error:
            raise _busy("the video is being prepared; ask again for it") from error

    async def _make(self, key: Hashable, make: Make) -> Path:
        path = self._new_path()
        try:
            await anyio.to_thread.run_sync(make, path, self._check, limiter=self._room)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self._made[key] = path
        self._trim()
        return path

    def _end(self, key: Hashable, task: asyncio.Task[Path]) -> None:
        del self._making[key]
        if not task.cancelled():
            task.exception()  # if nobody waits for the file any more, nobody else looks at its error

    def forget(self, is_gone: Callable[[str], bool]) -> None:
        """Remove the files of videos that are gone, by their ids; one that is being read stays until it is closed."""
        for key in [key for key in self._made if is_gone(video_of(key))]:
            self._made.pop(key).unlink(missing_ok=True)

    def _new_path(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="momentseek-media-", dir=self._parent))
        return self._folder / f"{secrets.token_hex(16)}.mp4"

    def _trim(self) -> None:
        """Remove old files; one that is being read stays readable until it is closed."""
        sizes = {key: path.stat().st_size for key, path in self._made.items()}
        excess = sum(sizes.values()) - self._most_bytes
        for key in list(self._made)[:-1]:
            if excess <= 0:
                break
            excess -= sizes[key]
            self._made.pop(key).unlink(missing_ok=True)

    def _check(self) -> None:
        """Raise an error if the server stops."""
        if self._is_stopped.is_set():
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "busy", "the server is stopping")

    async def stop(self) -> None:
        """End the conversions under way."""
        self._is_stopped.set()
        if self._making:
            await asyncio.wait(self._making.values())

    def close(self) -> None:
        """Remove all files."""
        self._made.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _busy(detail: str) -> ProblemError:
    return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "preparing", detail, retry_seconds=_RETRY_SECONDS)
