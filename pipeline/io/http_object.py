"""Reads a file on a web server with range requests, over the connections of `web_client`.

fsspec's own reader is not used: it treats status 500 as a missing file, loads the whole video if a server ignores
ranges, and does not notice that a file has changed.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

import fsspec.asyn

from pipeline.errors import UnsupportedVideoError, VideoError, VideoGoneError, VideoNotFoundError, VideoReadError
from pipeline.io.file_kinds import HEAD_BYTES
from pipeline.io.fsspec_object import ObjectInfo
from pipeline.io.retries import InterruptedReadError
from pipeline.io.settings import Fetching

if TYPE_CHECKING:
    from aiohttp import ClientResponse

__all__ = ["HttpObject"]

T = TypeVar("T")

# Eighteen digits are an exabyte; a longer number is not a valid length.
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
_EMPTY_RANGE = re.compile(r"bytes \*/(\d{1,18})")
_TEMPORARY_STATUSES = (408, 425, 429)


class HttpObject:
    """A `RemoteObject` at an http or https URL.

    Requests state the expected version (If-Match), and responses with another version are rejected. At most the
    requested bytes are read of each response.

    Args:
        uri: The URL, with its query.
        fetching: Timeouts, minimum transfer rate, and allowed hosts.
    """

    def __init__(self, uri: str, fetching: Fetching) -> None:
        self._uri = uri
        self._fetching = fetching
        try:
            from pipeline.io.web_client import WebClient
        except ImportError as error:
            raise UnsupportedVideoError(uri, f"a package is missing ({error}); pip install aiohttp") from error
        self._client = WebClient(uri, fetching)

    def info(self) -> ObjectInfo:
        """Request the first bytes; the response headers give the rest of the `ObjectInfo`."""
        return self._sync(self._info())

    def read(self, start: int, end: int, info: ObjectInfo) -> bytes:
        """Read the bytes [start, end)."""
        return self._sync(self._read(start, end, info))

    def chunks(self) -> Iterator[bytes]:
        """Read the whole file in order, in chunks."""
        parts = self._chunks()
        try:
            while chunk := self._sync(anext(parts, b"")):
                yield chunk
        finally:
            self._sync(parts.aclose())

    async def _info(self) -> ObjectInfo:
        async with self._answer({"Range": f"bytes=0-{HEAD_BYTES - 1}"}) as answer:
            version = _version(answer)
            if answer.status == 416:
                empty = _EMPTY_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
                if empty is not None and int(empty.group(1)) == 0:
                    return ObjectInfo(size_bytes=0, version=version, takes_ranges=False, head=b"")
                raise VideoReadError(self._uri, "its server refuses to send its first bytes (416)")
            # If the response is longer, the rest is not read, and the connection is closed.
            head = await self._body(answer, HEAD_BYTES)
            if answer.status != 206:
                return ObjectInfo(size_bytes=answer.content_length, version=version, takes_ranges=False, head=head)
            first, last, size_bytes = self._range(answer)
            if (first, last) != (0, min(HEAD_BYTES, size_bytes) - 1):
                raise VideoReadError(
                    self._uri,
                    f"its server sent bytes {first} to {last} of {size_bytes} instead of the first ones",
                )
            if len(head) != last + 1:
                raise InterruptedReadError(f"{len(head)} bytes were received instead of the announced {last + 1}")
            return ObjectInfo(size_bytes=size_bytes, version=version, takes_ranges=True, head=head)

    async def _read(self, start: int, end: int, info: ObjectInfo) -> bytes:
        headers = {"Range": f"bytes={start}-{end - 1}"}
        tag = info.version.removeprefix("ETag ")
        if tag != info.version and not tag.startswith("W/"):
            headers["If-Match"] = tag
        async with self._answer(headers) as answer:
            if answer.status in (412, 416) or (info.version and _version(answer) != info.version):
                raise VideoReadError(self._uri, "it changed while it was read; run it again")
            if answer.status != 206:
                raise InterruptedReadError("its server no longer supports range requests")
            first, last, size = self._range(answer)
            if size != info.size_bytes:
                raise VideoReadError(self._uri, "it changed while it was read; run it again")
            if (first, last) != (start, end - 1):
                raise InterruptedReadError(f"bytes {first} to {last} were received instead of {start} to {end - 1}")
            # One byte more is read to detect a longer response, in which the position of the range is unknown.
            data = await self._body(answer, end - start + 1)
            if len(data) != end - start:
                received = f"{len(data)} bytes" if len(data) < end - start else "more bytes"
                raise InterruptedReadError(f"{received} were received instead of {end - start}")
            return data

    async def _chunks(self) -> AsyncGenerator[bytes]:
        from pipeline.io.web_client import body_of

        async with self._answer({}) as answer:
            async for chunk in body_of(answer, self._uri, self._fetching):
                yield chunk

    async def _body(self, answer: ClientResponse, most_bytes: int) -> bytes:
        from pipeline.io.web_client import body_of

        return b"".join([chunk async for chunk in body_of(answer, self._uri, self._fetching, most_bytes)])

    def _range(self, answer: ClientResponse) -> tuple[int, int, int]:
        match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if match is None:
            raise VideoReadError(self._uri, "its server responds to a range request without stating the range")
        return int(match.group(1)), int(match.group(2)), int(match.group(3))

    @asynccontextmanager
    async def _answer(self, headers: dict[str, str]) -> AsyncIterator[ClientResponse]:
        """Yield a response with content, or with a status about ranges or versions; other statuses raise errors."""
        import aiohttp

        seconds = self._fetching.timeout_seconds
        try:
            async with self._client.answer(headers) as answer:
                if answer.status not in (200, 206, 412, 416):
                    raise self._refusal(answer)
                yield answer
        # Without causes, because aiohttp's messages contain the whole URL with credentials.
        except TimeoutError:
            raise InterruptedReadError(f"its server sent nothing for {seconds:g} s") from None
        except (aiohttp.InvalidURL, ValueError):
            raise VideoNotFoundError(self._uri, "not a valid URL; check it") from None
        except aiohttp.ClientConnectorError as error:
            raise InterruptedReadError(f"its server cannot be reached ({error.strerror or 'no connection'})") from None
        except (aiohttp.ClientError, OSError) as error:
            raise InterruptedReadError(f"the connection was lost ({type(error).__name__})") from None

    def _refusal(self, answer: ClientResponse) -> VideoError | InterruptedReadError:
        status = f"{answer.status} {answer.reason or ''}".strip()
        if answer.status in (404, 410):
            return VideoGoneError(self._uri, f"its server has no such file ({status}); check the URL")
        if answer.status in (401, 403, 407):
            return VideoNotFoundError(
                self._uri,
                f"its server denies access ({status}): it requires credentials, or those of a signed URL are missing or"
                " have expired; sign the URL again",
            )
        if answer.status >= 500 or answer.status in _TEMPORARY_STATUSES:
            return InterruptedReadError(f"its server responds with {status}")
        return VideoReadError(self._uri, f"its server responds with {status} instead of a file; check the URL")

    def _sync(self, work: Awaitable[T]) -> T:
        """Run work in fsspec's thread, which owns the connections."""

        async def awaited() -> T:
            return await work

        result: T = fsspec.asyn.sync(self._client.loop, awaited)
        return result


def _version(answer: ClientResponse) -> str:
    names = ("ETag", "Last-Modified")
    return next((f"{name} {answer.headers[name]}" for name in names if answer.headers.get(name)), "")
