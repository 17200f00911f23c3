"""Reads one file on a web server by range requests, over the connections of `web_client`.

fsspec's own reading takes an answer of 500 for a missing file, loads a whole video where a server ignores ranges, and
does not see that a file has changed.
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

# Eighteen digits are an exabyte: a longer number is no length.
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
_EMPTY_RANGE = re.compile(r"bytes \*/(\d{1,18})")
_MAY_PASS = (408, 425, 429)


class HttpObject:
    """A `RemoteObject` at an http or https URL.

    A request names the version that is meant (If-Match), and answers of another one are refused. Of each answer at most
    the bytes that were asked for are read.

    Args:
        uri: The URL, with its query.
        fetching: Longest wait for a connection, an answer, or the next bytes; the least rate; which hosts are asked.
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
                raise VideoReadError(self._uri, "its server refuses to give its first bytes (416)")
            # The rest of an answer that has more is not wanted: leaving it closes the connection.
            head = await self._body(answer, HEAD_BYTES)
            if answer.status != 206:
                return ObjectInfo(size_bytes=answer.content_length, version=version, takes_ranges=False, head=head)
            first, last, size_bytes = self._range(answer)
            if (first, last) != (0, min(HEAD_BYTES, size_bytes) - 1):
                raise VideoReadError(
                    self._uri,
                    f"its server answers with bytes {first} to {last} of {size_bytes} where the first were asked for",
                )
            if len(head) != last + 1:
                raise InterruptedReadError(f"{len(head)} bytes came where {last + 1} were promised")
            return ObjectInfo(size_bytes=size_bytes, version=version, takes_ranges=True, head=head)

    async def _read(self, start: int, end: int, info: ObjectInfo) -> bytes:
        wanted = {"Range": f"bytes={start}-{end - 1}"}
        tag = info.version.removeprefix("ETag ")
        if tag != info.version and not tag.startswith("W/"):
            wanted["If-Match"] = tag
        async with self._answer(wanted) as answer:
            if answer.status in (412, 416) or (info.version and _version(answer) != info.version):
                raise VideoReadError(self._uri, "it changed while it was read; run it again")
            if answer.status != 206:
                raise InterruptedReadError("its server stopped to answer range requests")
            first, last, size = self._range(answer)
            if size != info.size_bytes:
                raise VideoReadError(self._uri, "it changed while it was read; run it again")
            if (first, last) != (start, end - 1):
                raise InterruptedReadError(f"bytes {first} to {last} came where {start} to {end - 1} were asked for")
            # One more, to see that there is no more: then it cannot be told which are the bytes of the range.
            data = await self._body(answer, end - start + 1)
            if len(data) != end - start:
                came = f"{len(data)} bytes" if len(data) < end - start else "more bytes"
                raise InterruptedReadError(f"{came} came where {end - start} were asked for")
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
            raise VideoReadError(self._uri, "its server answers a range request without saying which bytes these are")
        return int(match.group(1)), int(match.group(2)), int(match.group(3))

    @asynccontextmanager
    async def _answer(self, headers: dict[str, str]) -> AsyncIterator[ClientResponse]:
        """An answer that has bytes, or is about ranges or versions; others are raised as what they mean."""
        import aiohttp

        seconds = self._fetching.timeout_seconds
        try:
            async with self._client.answer(headers) as answer:
                if answer.status not in (200, 206, 412, 416):
                    raise self._refusal(answer)
                yield answer
        # Without their causes: aiohttp's messages have the whole URL, credentials included.
        except TimeoutError:
            raise InterruptedReadError(f"its server sent nothing for {seconds:g} s") from None
        except (aiohttp.InvalidURL, ValueError):
            raise VideoNotFoundError(self._uri, "not a URL that leads anywhere; check it") from None
        except aiohttp.ClientConnectorError as error:
            raise InterruptedReadError(f"its server cannot be reached ({error.strerror or 'no connection'})") from None
        except (aiohttp.ClientError, OSError) as error:
            raise InterruptedReadError(f"the connection broke off ({type(error).__name__})") from None

    def _refusal(self, answer: ClientResponse) -> VideoError | InterruptedReadError:
        status = f"{answer.status} {answer.reason or ''}".strip()
        if answer.status in (404, 410):
            return VideoGoneError(self._uri, f"its server has no such file ({status}); check the URL")
        if answer.status in (401, 403, 407):
            return VideoNotFoundError(
                self._uri,
                f"its server refuses it ({status}): it wants credentials, or those of a signed URL are missing or have"
                " expired; sign it anew",
            )
        if answer.status >= 500 or answer.status in _MAY_PASS:
            return InterruptedReadError(f"its server answers {status}")
        return VideoReadError(self._uri, f"its server answers {status}, and not with a file; check the URL")

    def _sync(self, work: Awaitable[T]) -> T:
        """Run in fsspec's thread, which has the connections."""

        async def awaited() -> T:
            return await work

        result: T = fsspec.asyn.sync(self._client.loop, awaited)
        return result


def _version(answer: ClientResponse) -> str:
    names = ("ETag", "Last-Modified")
    return next((f"{name} {answer.headers[name]}" for name in names if answer.headers.get(name)), "")
