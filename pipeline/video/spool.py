"""Copies of remote files on the disk, of bounded size, without a name and only for as long as they are read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from typing import IO

from pipeline.errors import VideoReadError
from pipeline.video.settings import Fetching

__all__ = ["check_room", "spooled"]


def spooled(uri: str, chunks: Iterable[bytes], fetching: Fetching) -> IO[bytes]:
    """A file that holds these bytes; it has no name, so it goes with this process, however that ends.

    Raises:
        VideoReadError: They are too many, or the disk does not take them.
    """
    folder = fetching.spool_folder or tempfile.gettempdir()
    try:
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - whoever reads the copy closes it
    except OSError as error:
        raise _refused(uri, folder, error) from error
    try:
        for chunk in chunks:
            check_room(uri, file.tell() + len(chunk), fetching)
            _write(uri, folder, file, chunk)
    except BaseException:
        file.close()
        raise
    return file


def check_room(uri: str, size_bytes: int | None, fetching: Fetching) -> None:
    """Refuse a file that is too large to be copied.

    Raises:
        VideoReadError: It is.
    """
    if size_bytes is not None and size_bytes > fetching.spool_bytes:
        raise VideoReadError(
            uri,
            f"it must be copied to be read, and its {size_bytes:,} bytes are more than fetching.spool_bytes allows"
            f" ({fetching.spool_bytes:,}); raise that, or put the video where parts of it can be asked for",
        )


def _write(uri: str, folder: str, file: IO[bytes], chunk: bytes) -> None:
    try:
        file.write(chunk)
        file.flush()
    except OSError as error:
        raise _refused(uri, folder, error) from error


def _refused(uri: str, folder: str, error: OSError) -> VideoReadError:
    why = error.strerror or type(error).__name__
    return VideoReadError(
        uri, f"it must be copied to be read, and {folder!r} does not take it ({why}); set fetching.spool_folder"
    )
