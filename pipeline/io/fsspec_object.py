"""Reads remote files through fsspec, and defines the protocol of all remote files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import fsspec
import fsspec.config
import fsspec.core

from pipeline.errors import UnsupportedVideoError, VideoError, VideoGoneError, VideoNotFoundError
from pipeline.io.file_kinds import HEAD_BYTES
from pipeline.io.retries import InterruptedReadError, within
from pipeline.uris import public_text

__all__ = ["FsspecObject", "ObjectInfo", "RemoteObject", "fault_of", "file_system"]

T = TypeVar("T")

_CHUNK_BYTES = 8 * 2**20
_FOLDER = "a folder, in which no videos were searched for or found (videos are recognised by suffix); name files"
# The extra of momentseek with a protocol's package, if there is one.
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs"}
# Names in file systems' metadata of values that change with the content, best first.
_VERSIONS = ("ETag", "etag", "generation", "md5Hash", "LastModified", "last_modified", "mtime", "updated", "modified")


@dataclass(frozen=True, kw_only=True)
class ObjectInfo:
    """Size, version and first bytes of a remote file, as its server reports them.

    Attributes:
        size_bytes: Size of the file; None if the server does not state it.
        version: A value that changes with the content; empty if the server has none.
        takes_ranges: Whether parts of the file can be requested.
        head: The first `HEAD_BYTES` bytes of the file, or all of a shorter file.
    """

    size_bytes: int | None
    version: str
    takes_ranges: bool
    head: bytes = field(repr=False)

    @property
    def state(self) -> str:
        """A fingerprint of the content: length, version and a hash of the first bytes."""
        return f"{self.size_bytes} {self.version} {hashlib.blake2b(self.head, digest_size=8).hexdigest()}"


class RemoteObject(Protocol):
    """A remote file. Each call makes a single attempt, which waits at most `timeout_seconds`.

    All methods raise `InterruptedReadError` for errors that may be temporary, `VideoNotFoundError` if the file does not
    exist or access is denied, and `VideoReadError` if it has changed.
    """

    def info(self) -> ObjectInfo:
        """Request the current `ObjectInfo`."""

    def read(self, start: int, end: int, info: ObjectInfo) -> bytes:
        """Read the bytes [start, end), within the file's size, of the content that `info` describes."""

    def chunks(self) -> Iterator[bytes]:
        """Read the whole file in order, in chunks."""


class FsspecObject:
    """A `RemoteObject` at a URL of fsspec.

    Args:
        uri: A URI for fsspec, with a scheme that `refusal_of` accepts.
        timeout_seconds: Maximum time to wait for one response.
    """

    def __init__(self, uri: str, *, timeout_seconds: float) -> None:
        self._uri = uri
        self._timeout_seconds = timeout_seconds
        self._files, self._path = file_system(uri)

    def info(self) -> ObjectInfo:
        """Request the current `ObjectInfo`, without fsspec's cached listings."""
        entry = self._ask(self._entry)
        if entry.get("type") == "directory":
            raise VideoNotFoundError(self._uri, _FOLDER)
        size = entry.get("size")
        version = next((f"{name} {entry[name]}" for name in _VERSIONS if entry.get(name)), "")
        if size is None:
            return ObjectInfo(
                size_bytes=None, version=version, takes_ranges=False, head=next(self.chunks(), b"")[:HEAD_BYTES]
            )
        head = self._part(0, min(HEAD_BYTES, int(size)))
        return ObjectInfo(size_bytes=int(size), version=version, takes_ranges=True, head=head)

    def read(self, start: int, end: int, info: ObjectInfo) -> bytes:
        """Read the bytes [start, end), without a check that the content is still that of `info`."""
        del info
        data = self._part(start, end)
        if len(data) != end - start:
            raise InterruptedReadError(f"{len(data)} bytes were received instead of {end - start}")
        return data

    def chunks(self) -> Iterator[bytes]:
        """Read the whole file in order, in chunks."""
        file = self._ask(lambda: self._files.open(self._path, "rb"))
        try:
            while chunk := self._ask(lambda: bytes(file.read(_CHUNK_BYTES))):
                yield chunk
        finally:
            file.close()

    def _entry(self) -> Mapping[str, Any]:
        self._files.invalidate_cache(self._path)
        return dict(self._files.info(self._path))

    def _part(self, start: int, end: int) -> bytes:
        return self._ask(lambda: bytes(self._files.cat_file(self._path, start=start, end=end))) if end > start else b""

    def _ask(self, question: Callable[[], T]) -> T:
        try:
            return within(self._timeout_seconds, question)
        except (InterruptedReadError, VideoError):
            raise
        except Exception as error:  # noqa: BLE001 - each file system has its own exceptions
            # Without its cause, whose message may contain credentials.
            raise fault_of(error, self._uri) from None


def file_system(uri: str) -> tuple[Any, str]:
    """Return the fsspec file system of a URI and the path within it.

    Raises:
        VideoNotFoundError: fsspec does not know the protocol.
        UnsupportedVideoError: A package is missing for it.
    """
    protocol = uri.partition("://")[0].lower()
    try:
        files, path = fsspec.core.url_to_fs(uri, **_options(protocol))
    except ImportError as error:
        extra = _EXTRAS.get(protocol)
        remedy = f"pip install 'momentseek[{extra}]'" if extra else "install it, or copy the video to the disk"
        raise UnsupportedVideoError(
            uri, f"a package is missing to read {protocol}:// ({_short_text(error)}); {remedy}"
        ) from None
    except ValueError as error:
        raise VideoNotFoundError(uri, f"cannot be read ({_short_text(error)}); check the URI") from None
    except Exception as error:  # noqa: BLE001 - each file system has its own exceptions
        raise _final(error, uri) or VideoNotFoundError(uri, f"cannot be read ({_short_text(error)})") from None
    return files, str(path)


def fault_of(error: Exception, uri: str) -> VideoError | InterruptedReadError:
    """Convert a file system's error to a permanent error, or to one that another attempt may resolve."""
    return _final(error, uri) or InterruptedReadError(f"it cannot be read ({_short_text(error)})")


def _final(error: Exception, uri: str) -> VideoError | None:
    if isinstance(error, FileNotFoundError):
        return VideoGoneError(uri, "there is no such object; check its name")
    if isinstance(error, IsADirectoryError):
        return VideoNotFoundError(uri, _FOLDER)
    if isinstance(error, PermissionError) or "credential" in f"{type(error).__name__} {error}".lower():
        return VideoNotFoundError(
            uri, "access denied: the credentials do not allow reading it, or there are none; set those of its provider"
        )
    return None


def _short_text(error: Exception) -> str:
    """Format an error of another library as a short text without credentials."""
    return f"{type(error).__name__}: {public_text(' '.join(str(error).split()))}"[:200]


def _options(protocol: str) -> dict[str, Any]:
    """Return options for a file system, in addition to fsspec's own configuration."""
    if protocol not in ("s3", "s3a"):
        return {}
    # By default, botocore makes five attempts with pauses of up to 20 s; here, retries are left to the callers.
    configured = fsspec.config.conf.get(protocol, {}).get("config_kwargs", {})
    return {"config_kwargs": {"retries": {"max_attempts": 0}, **configured}}
