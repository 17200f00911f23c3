"""A seekable file over range requests, with a block cache and read-ahead."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict

from pipeline.errors import VideoError
from pipeline.io.fsspec_object import ObjectInfo, RemoteObject
from pipeline.io.retries import retried
from pipeline.io.settings import Fetching

__all__ = ["Blocks", "RemoteFile"]

_BLOCK_BYTES = 2**18
_MAX_BLOCKS_PER_REQUEST = 16


class Blocks:
    """A bounded cache of a remote file's blocks, shared by any number of readers.

    A missing block is fetched together with the following ones in one request; their number grows as long as a reader
    continues sequentially. After a permanent error, all later requests fail at once with the same error.

    Args:
        uri: Location of the file, for errors.
        remote: The file.
        info: Description of the expected content.
        fetching: Number of attempts, and size of the cache.
    """

    def __init__(self, uri: str, remote: RemoteObject, info: ObjectInfo, fetching: Fetching) -> None:
        assert info.size_bytes is not None
        self.size_bytes = info.size_bytes
        self.failure: VideoError | None = None
        self._uri = uri
        self._remote = remote
        self._info = info
        self._fetching = fetching
        self._cached: OrderedDict[int, bytes] = OrderedDict()
        self._max_cached = fetching.cache_bytes // _BLOCK_BYTES
        self._next_number = 0
        self._blocks_per_request = 1
        self._lock = threading.Lock()

    def read(self, start: int, size: int) -> bytes:
        """Read at most `size` bytes from `start` on, all from one block; none at the end.

        Raises:
            VideoError: The bytes cannot be read.
        """
        if start >= self.size_bytes or size <= 0:
            return b""
        number, offset = divmod(start, _BLOCK_BYTES)
        with self._lock:
            if number not in self._cached:
                self._fetch(number)
            self._cached.move_to_end(number)
            return self._cached[number][offset : offset + size]

    def _fetch(self, number: int) -> None:
        if self.failure is not None:
            raise self.failure
        is_going_on = number == self._next_number
        self._blocks_per_request = min(2 * self._blocks_per_request, _MAX_BLOCKS_PER_REQUEST) if is_going_on else 1
        most = min(number + self._blocks_per_request, -(-self.size_bytes // _BLOCK_BYTES))
        last = number + 1
        while last < most and last not in self._cached:
            last += 1
        start, end = number * _BLOCK_BYTES, min(last * _BLOCK_BYTES, self.size_bytes)
        try:
            data = retried(self._uri, self._fetching, lambda: self._remote.read(start, end, self._info))
        except VideoError as error:
            self.failure = error
            raise
        for place in range(number, last):
            offset = (place - number) * _BLOCK_BYTES
            self._cached[place] = data[offset : offset + _BLOCK_BYTES]
        while len(self._cached) > self._max_cached:
            self._cached.popitem(last=False)
        self._next_number = last


class RemoteFile(io.RawIOBase):
    """A seekable reader over the `Blocks` of a file, with its own position.

    Args:
        blocks: What it reads.
        name: The file's name, which has no part in reading it.
    """

    def __init__(self, blocks: Blocks, name: str) -> None:
        self.name = name
        self._blocks = blocks
        self._position = 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The position of the next read, in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Change the position, and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._blocks.size_bytes}[whence]
        if base + offset < 0:
            raise ValueError(f"{self.name}: cannot seek to {base + offset}, before its beginning")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # narrower is enough here
        """Fill a buffer, or part of it, from one block; return the number of bytes."""
        data = self._blocks.read(self._position, len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
