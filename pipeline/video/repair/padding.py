"""Detects and hides padding at the ends of recordings.

Recorders reserve space for a file before they write it, and do not truncate it when they are stopped. The padding after
the content is zeros, or ones on flash memory. FFmpeg searches it for packets of MPEG streams, and takes its end as the
video's when it estimates the duration.
"""

from __future__ import annotations

import io
from typing import BinaryIO

__all__ = ["PADDED_CONTAINERS", "ShortenedFile", "content_end"]

PADDED_CONTAINERS = frozenset({"mpegts", "mpeg"})
"""FFmpeg's names of containers whose packets never end in that many equal bytes."""

_LEAST_BYTES = 4096
_CHUNK_BYTES = 2**20


def content_end(file: BinaryIO) -> int | None:
    """Find the start of the padding.

    Args:
        file: The file, at any position, which changes.

    Returns:
        The position in bytes; None without padding.
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
    """A file limited to its first bytes.

    Args:
        file: The underlying file, closed with this one.
        size_bytes: Number of readable bytes.
    """

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self._file = file
        self._size_bytes = size_bytes
        self._place = file.seek(0)

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the current position."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Change the position, as in any file."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size_bytes}[whence]
        self._place = self._file.seek(base + offset)
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # BufferedReader passes nothing else
        """Fill a buffer as far as content is available."""
        left = max(0, self._size_bytes - self._place)
        content = self._file.read(min(len(buffer), left))
        buffer[: len(content)] = content
        self._place += len(content)
        return len(content)

    def close(self) -> None:
        """Close this file and the underlying one."""
        self._file.close()
        super().close()
