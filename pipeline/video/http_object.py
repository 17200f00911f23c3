"""One file on a web server. fsspec has the connections; what is asked for, and what the answers mean, is said here.

fsspec's own reading takes an answer of 500 for a missing file, loads a whole video where a server ignores ranges, and
does not see that a file has changed.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import fsspec
import fsspec.asyn
import fsspec.config

from pipeline.errors import UnsupportedVideoError, VideoError, VideoNotFoundError, VideoReadError
from pipeline.video.file_kinds import HEAD_BYTES
from pipeline.video.patience import InterruptedReadError
from pipeline.video.remote_object import Facts

if TYPE_CHECKING:
    from aiohttp import ClientResponse

__all__ = ["HttpObject"]

T = TypeVar("T")

_CHUNK_BYTES = 2**20
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_EMPTY_RANGE = re.compile(r"bytes \*/(\d+)")
_MAY_PASS = (408, 425, 429)


class HttpObject:
    """A `RemoteObject` at an http or https URL.

    A request names the version that is meant (If-Match), and answers of another one are refused.

    Args:
        uri: The URL, with its query.
        timeout_seconds: Longest wait for a connection, an answer, or the next bytes.
    """

    def __init__(self, uri: str, *, timeout_seconds: float) -> None:
        self._uri = uri
        self._timeout_seconds = timeout_seconds
        configured = fsspec.config.conf.get("http", {}).get("client_kwargs", {})
        try:
            # Proxies and .netrc count, as they do for other programs.
            self._files = fsspec.filesystem("http", client_kwargs={"trust_env": True, **configured})
        except ImportError as error:
            raise UnsupportedVideoError(uri, f"a package is missing ({error}); pip install aiohttp") from error

    def facts(self) -> Facts:
        """Ask for the first bytes, which says all there is to know."""
        return self._sync(self._facts())

    def read(self, start: int, end: int, facts: Facts) -> bytes:
        """All bytes of [start, end)."""
        return self._sync(self._read(start, end, facts))

    def chunks(self) -> Iterator[bytes]:
        """All bytes, in their order."""
        parts = self._chunks()
        try:
            while chunk := self._sync(anext(parts, b"")):
                yield chunk
        finally:
            self._sync(parts.aclose())

    async def _facts(self) -> Facts:
        async with self._answer({"Range": f"bytes=0-{HEAD_BYTES - 1}"}) as answer:
            version = _version(answer)
            if answer.status == 416:
                empty = _EMPTY_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
                if empty is not None and int(empty.group(1)) == 0:
                    return Facts(size_bytes=0, version=version, takes_ranges=False, head=b"")
                raise VideoReadError(self._uri, "its server refuses to give its first bytes (416)")
            head = b""
            # The rest of an answer that has more is not wanted: leaving it closes the connection.
            while len(head) < HEAD_BYTES and (more := await answer.content.read(HEAD_BYTES - len(head))):
                head += more
            if answer.status == 206:
                size_bytes: int | None = self._range(answer)[2]
            else:
                is_plain = answer.headers.get("Content-Encoding", "identity") == "identity"
                size_bytes = answer.content_length if is_plain else None
            return Facts(size_bytes=size_bytes, version=version, takes_ranges=answer.status == 206, head=head)

    async def _read(self, start: int, end: int, facts: Facts) -> bytes:
        wanted = {"Range": f"bytes={start}-{end - 1}"}
        tag = facts.version.removeprefix("ETag ")
        if tag != facts.version and not tag.startswith("W/"):
            wanted["If-Match"] = tag
        async with self._answer(wanted) as answer:
            if answer.status in (412, 416) or (facts.version and _version(answer) != facts.version):
                raise VideoReadError(self._uri, "it changed while it was read; run it again")
            if answer.status != 206:
                raise InterruptedReadError("its server stopped to answer range requests")
            first, last, size = self._range(answer)
            if size != facts.size_bytes:
                raise VideoReadError(self._uri, "it changed while it was read; run it again")
            data = await answer.read()
            if (first, last) != (start, end - 1) or len(data) != end - start:
                raise InterruptedReadError(f"bytes {first} to {last} came where {start} to {end - 1} were asked for")
            return data

    async def _chunks(self) -> AsyncGenerator[bytes]:
        async with self._answer({}) as answer:
            while chunk := await answer.content.read(_CHUNK_BYTES):
                yield chunk

    def _range(self, answer: ClientResponse) -> tuple[int, int, int]:
        match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if match is None:
            raise VideoReadError(self._uri, "its server answers a range request without saying which bytes these are")
        return int(match.group(1)), int(match.group(2)), int(match.group(3))

    @asynccontextmanager
    async def _answer(self, headers: dict[str, str]) -> AsyncIterator[ClientResponse]:
        """An answer that has bytes, or is about ranges or versions; others are raised as what they mean."""
        import aiohttp

        options = dict(self._files.kwargs)
        headers = {**options.pop("headers", {}), "Accept-Encoding": "identity", **headers}
        seconds = self._timeout_seconds
        timeout = aiohttp.ClientTimeout(total=None, connect=seconds, sock_connect=seconds, sock_read=seconds)
        try:
            session = await self._files.set_session()
            async with session.get(_url(self._uri), headers=headers, timeout=timeout, **options) as answer:
                if answer.status not in (200, 206, 412, 416):
                    raise self._refusal(answer)
                yield answer
        # Without their causes: aiohttp's messages have the whole URL, credentials included.
        except TimeoutError:
            raise InterruptedReadError(f"its server sent nothing for {seconds:g} s") from None
        except (aiohttp.InvalidURL, aiohttp.TooManyRedirects, ValueError):
            raise VideoNotFoundError(self._uri, "not a URL that leads anywhere; check it") from None
        except aiohttp.ClientConnectorError as error:
            raise InterruptedReadError(f"its server cannot be reached ({error.strerror or 'no connection'})") from None
        except (aiohttp.ClientError, OSError) as error:
            raise InterruptedReadError(f"the connection broke off ({type(error).__name__})") from None

    def _refusal(self, answer: ClientResponse) -> VideoError | InterruptedReadError:
        status = f"{answer.status} {answer.reason or ''}".strip()
        if answer.status in (404, 410):
            return VideoNotFoundError(self._uri, f"its server has no such file ({status}); check the URL")
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

        result: T = fsspec.asyn.sync(self._files.loop, awaited)
        return result


def _version(answer: ClientResponse) -> str:
    names = ("ETag", "Last-Modified")
    return next((f"{name} {answer.headers[name]}" for name in names if answer.headers.get(name)), "")


def _url(uri: str) -> Any:
    import yarl

    # What is encoded already stays as it is, since signatures are of the letters.
    is_encoded = uri.isascii() and uri.isprintable() and not set(' "<>\\^`{|}') & set(uri)
    return yarl.URL(uri, encoded=is_encoded)
