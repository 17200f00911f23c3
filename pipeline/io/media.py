"""Opens the bytes of videos: a local file, a remote file read by ranges, or a temporary copy of a remote file."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, Protocol

from pipeline.errors import VideoNotFoundError, VideoReadError
from pipeline.io.fsspec_object import FsspecObject, ObjectInfo, RemoteObject
from pipeline.io.http_object import HttpObject
from pipeline.io.local_files import check_head, readable_file
from pipeline.io.ranged_file import Blocks, RemoteFile
from pipeline.io.retries import InterruptedReadError, retried
from pipeline.io.settings import Fetching
from pipeline.uris import is_remote, is_web, local_path, public_name, refusal_of

__all__ = ["Media", "check_room", "check_state", "open_media", "open_remote", "spooled"]


def spooled(uri: str, chunks: Iterable[bytes], fetching: Fetching) -> IO[bytes]:
    """Copy bytes to an unnamed temporary file, which is removed when this process ends.

    Raises:
        VideoReadError: There are too many bytes, or they cannot be written.
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
    """Reject a file that is too large to be copied.

    Raises:
        VideoReadError: The file is too large.
    """
    if size_bytes is not None and size_bytes > fetching.spool_bytes:
        raise VideoReadError(
            uri,
            f"it must be copied to be read, but its {size_bytes:,} bytes are more than fetching.spool_bytes allows"
            f" ({fetching.spool_bytes:,}); raise that, or store the video on a server that supports range requests",
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
        uri, f"it must be copied to be read, but cannot be written to {folder!r} ({why}); set fetching.spool_folder"
    )


_CHANGED = "it changed while it was read; run it again once it is complete"
_CHUNK_BYTES = 4 * 2**20


class Media(Protocol):
    """A checked video file that can be read until `close`.

    Attributes:
        uri: Location of the file, for messages.
        path: Path of the file on this machine; None if it has none.
        state: State of the content: its size, and values that change with it.
    """

    uri: str
    path: str | None
    state: str

    def target(self) -> str | BinaryIO:
        """Return the argument for PyAV: a path, or a newly opened file."""

    def open(self) -> BinaryIO:
        """Open the file for reading, independently of other readers."""

    def raise_failure(self) -> None:
        """Raise the read failure that a library has swallowed, if there was one.

        Raises:
            VideoError: Reading failed for good.
        """

    def check_unchanged(self) -> None:
        """Check that the content did not change while it was read.

        Raises:
            VideoError: Reading failed, the content changed, or the file no longer exists.
        """

    def close(self) -> None:
        """Release its resources."""


def open_media(uri: str, fetching: Fetching, *, needs_path: bool = False) -> Media:
    """Open a video and check that it may be one.

    Args:
        uri: A path or URI.
        fetching: Settings for reading remote videos.
        needs_path: Whether the video must have a path; if so, a remote one is copied.

    Raises:
        VideoNotFoundError: There is no readable file.
        VideoReadError: The server or store fails or stalls, or the file is too large to be copied.
        UnsupportedVideoError: The file is empty, a still image or text.
    """
    if not is_remote(uri):
        return _LocalMedia(uri)
    return open_remote(uri, fetching, needs_path=needs_path, vet=check_head)


def open_remote(
    uri: str, fetching: Fetching, *, needs_path: bool = False, vet: Callable[[str, bytes], None] | None = None
) -> Media:
    """Open a remote file of any kind.

    Args:
        uri: Location of the file.
        fetching: Settings for reading it.
        needs_path: Whether the file must have a path; if so, it is copied.
        vet: Checks the URI and the first bytes before anything is copied; None for no check.

    Raises:
        VideoNotFoundError: There is no readable file.
        VideoReadError: The server or store fails or stalls, or the file is too large to be copied.
        UnsupportedVideoError: A package is missing.
    """
    remote = _remote_object(uri, fetching)
    info = retried(uri, fetching, remote.info)
    if vet is not None:
        vet(uri, info.head)
    if info.takes_ranges:
        media = _RemoteMedia(uri, remote, info, fetching)
        return _copied(media, fetching) if needs_path else media
    return _whole(uri, remote, info, fetching)


def check_state(uri: str, state: str, fetching: Fetching) -> None:
    """Check that a video's content has not changed.

    Args:
        uri: Location of the video.
        state: The earlier `Media.state`.
        fetching: Settings for reading remote videos.

    Raises:
        VideoReadError: The content has changed, or the server or store fails or stalls.
        VideoNotFoundError: The file no longer exists.
    """
    now = retried(uri, fetching, _remote_object(uri, fetching).info).state if is_remote(uri) else _LocalMedia(uri).state
    if now != state:
        raise VideoReadError(uri, _CHANGED)


def _remote_object(uri: str, fetching: Fetching) -> RemoteObject:
    if (refusal := refusal_of(uri, fetching.schemes)) is not None:
        raise VideoNotFoundError(uri, refusal)
    return HttpObject(uri, fetching) if is_web(uri) else FsspecObject(uri, timeout_seconds=fetching.timeout_seconds)


class _LocalMedia:
    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.path: str | None = readable_file(local_path(uri))
        self.state = self._now()

    def target(self) -> str:
        # Checked again: it may have been replaced, possibly by a FIFO, which would block its reader.
        return readable_file(local_path(self.uri))

    def open(self) -> BinaryIO:
        return Path(self.target()).open("rb")

    def raise_failure(self) -> None:
        pass

    def check_unchanged(self) -> None:
        if self._now() != self.state:
            raise VideoReadError(self.uri, _CHANGED)

    def close(self) -> None:
        pass

    def _now(self) -> str:
        try:
            found = os.stat(str(self.path))  # noqa: PTH116 - takes bytes that are not UTF-8, too
        except OSError as error:
            raise VideoNotFoundError(self.uri, f"it was removed while it was read ({error.strerror})") from error
        return f"{found.st_size} {found.st_mtime_ns}"


class _RemoteMedia:
    def __init__(self, uri: str, remote: RemoteObject, info: ObjectInfo, fetching: Fetching) -> None:
        self.uri = public_name(uri)
        self.path: str | None = None
        self.state = info.state
        self._remote = remote
        self._info = info
        self._fetching = fetching
        self.blocks = Blocks(uri, remote, info, fetching)

    def target(self) -> BinaryIO:
        return self.open()

    def open(self) -> BinaryIO:
        name = PurePosixPath(self.uri).name
        return io.BufferedReader(RemoteFile(self.blocks, name), buffer_size=2**16)

    def raise_failure(self) -> None:
        if self.blocks.failure is not None:
            raise self.blocks.failure

    def check_unchanged(self) -> None:
        self.raise_failure()
        _check_same(self.uri, self._remote, self._info, self._fetching)

    def close(self) -> None:
        pass


class _SpooledMedia:
    def __init__(self, uri: str, file: IO[bytes], state: str) -> None:
        self.uri = public_name(uri)
        self.state = state
        self._file = file
        # The copy has no name, so it is removed when this process ends, even if it is killed.
        self.path: str | None = f"/proc/{os.getpid()}/fd/{file.fileno()}"

    def target(self) -> str:
        return str(self.path)

    def open(self) -> BinaryIO:
        return Path(self.target()).open("rb")

    def raise_failure(self) -> None:
        pass

    def check_unchanged(self) -> None:
        pass

    def close(self) -> None:
        self._file.close()


def _copied(media: _RemoteMedia, fetching: Fetching) -> _SpooledMedia:
    """Copy a file that supports range requests; each range is retried separately."""
    check_room(media.uri, media.blocks.size_bytes, fetching)
    source = media.open()
    file = spooled(media.uri, iter(lambda: source.read(_CHUNK_BYTES), b""), fetching)
    copy = _SpooledMedia(media.uri, file, media.state)
    return _closed_unless(copy, media.check_unchanged)


def _whole(uri: str, remote: RemoteObject, info: ObjectInfo, fetching: Fetching) -> _SpooledMedia:
    """Copy a file that does not support range requests; after an error, it is read again from its beginning."""

    def attempt() -> IO[bytes]:
        file = spooled(uri, _at_most(remote.chunks(), info.size_bytes), fetching)
        size_bytes = file.tell()
        if info.size_bytes is not None and size_bytes != info.size_bytes:
            file.close()
            raise InterruptedReadError(f"{size_bytes} of its {info.size_bytes} bytes were received")
        return file

    check_room(uri, info.size_bytes, fetching)
    copy = _SpooledMedia(uri, retried(uri, fetching, attempt), info.state)
    return _closed_unless(copy, lambda: _check_same(uri, remote, info, fetching))


def _at_most(chunks: Iterator[bytes], size_bytes: int | None) -> Iterator[bytes]:
    """Yield the chunks of a file, and raise an error if they exceed its known size, as a server may send endlessly."""
    received = 0
    for chunk in chunks:
        received += len(chunk)
        if size_bytes is not None and received > size_bytes:
            raise InterruptedReadError(f"more than its {size_bytes} bytes were received")
        yield chunk


def _closed_unless(copy: _SpooledMedia, check: Callable[[], None]) -> _SpooledMedia:
    try:
        check()
    except BaseException:
        copy.close()
        raise
    return copy


def _check_same(uri: str, remote: RemoteObject, info: ObjectInfo, fetching: Fetching) -> None:
    if retried(uri, fetching, remote.info).state != info.state:
        raise VideoReadError(uri, _CHANGED)
