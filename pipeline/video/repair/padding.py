"""Detects and hides padding at the ends of recordings.

Recorders reserve space for a file before they write it, and cut nothing off when they are stopped. What follows the
content is zeros, or ones on flash memory. FFmpeg searches it for packets of MPEG streams, and takes its end for that of
the video when it guesses how long that is.
"""

from __future__ import annotations

import io
from typing import BinaryIO

__all__ = ["PADDED_CONTAINERS", "ShortenedFile", "content_end"]

PADDED_CONTAINERS = frozenset({"mpegts", "mpeg"})
"""FFmpeg's names of containers whose packets never end in so many equal bytes."""

_LEAST_BYTES = 4096
_CHUNK_BYTES = 2**20


def content_end(file: BinaryIO) -> int | None:
    """Find where the padding begins.

    Args:
        file: Its position does not matter, and changes.

    Returns:
        A place in bytes; None where there is no padding.
    """
    size_bytes = file.seek(0, io.SEEK_END)
    file.seek(max(0, size_bytes - _LEAST_BYTES))
    last = file.read(_LEAST_BYTES)
    if len(last) < _LEAST_BYTES or last[-1] not in (0, 0xFF) or last.strip(last[-1:]):
        return None
    end = size_bytes
    while end:
        start = max(0, end - _CHUNK_BYTES)
        file.seek(start)
        content = file.read(end - start).rstrip(last[-1:])
        if content:
            return start + len(content)
        end = start
    return 0


class ShortenedFile(io.RawIOBase):
    """The beginning of a file.

    Args:
        file: It is closed with this one.
        size_bytes: How much of it there is to be read.
    """

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self._file = file
        self._size_bytes = size_bytes
        self._place = file.seek(0)

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The place that is read next."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, as in any file."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size_bytes}[whence]
        self._place = self._file.seek(base + offset)
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # all that BufferedReader hands over
        """Fill a buffer as far as there is content."""
        left = max(0, self._size_bytes - self._place)
        content = self._file.read(min(len(buffer), left))
        buffer[: len(content)] = content
        self._place += len(content)
        return len(content)

    def close(self) -> None:
        """Close it, and the file."""
        self._file.close()
        super().close()
