"""An HTTP client with address rules, time limits and checked redirects. Requires aiohttp."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.request import getproxies, proxy_bypass

import aiohttp
import aiohttp.abc
import fsspec
import fsspec.config
import yarl

from pipeline.errors import VideoNotFoundError, VideoReadError
from pipeline.io.address_rules import AddressRules, PrivateHostError
from pipeline.io.retries import InterruptedReadError
from pipeline.io.settings import Fetching

__all__ = ["WebClient", "body_of", "host_of", "proxy_of", "url_of"]

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 10
# A redirect to another server must not take these along.
_CREDENTIAL_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})
# What unpacks to more than was sent, by the names that servers give it (RFC 9110, 8.4.1).
_COMPRESSED = re.compile(r"(?:x-)?(?:gzip|compress)|deflate|br|zstd|dcb|dcz", re.IGNORECASE)
_READ_BYTES = 2**20


class _AllowedResolver(aiohttp.abc.AbstractResolver):
    """A resolver that returns only allowed addresses; connections are made to these."""

    def __init__(self, rules: AddressRules) -> None:
        self._rules = rules
        self._resolver = aiohttp.DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        """Resolve a host to its allowed addresses.

        Raises:
            OSError: It has none.
            PrivateHostError: None is allowed.
        """
        found = {
            ipaddress.ip_address(result["host"]): result for result in await self._resolver.resolve(host, port, family)
        }
        return [found[address] for address in self._rules.allowed(host, found)]

    async def close(self) -> None:
        """Release the resolver beneath."""
        await self._resolver.close()


async def _session(*, rules: AddressRules | None, **options: Any) -> aiohttp.ClientSession:
    """Open a session that connects only to allowed hosts; without rules, to any: that is for the user's own proxy.

    Addresses are not kept, since a name may have others by the next connection, and answers are never unpacked.
    """
    resolver = None if rules is None else _AllowedResolver(rules)
    connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False)
    return aiohttp.ClientSession(connector=connector, **{**options, "auto_decompress": False})


class WebClient:
    """Requests one URL and follows its redirects, connecting only to allowed hosts.

    Connections are kept by fsspec and shared by clients of the same settings. fsspec's own settings for http count, and
    so do proxies and .netrc, as they do for other programs. A proxy resolves names by itself, so behind one only
    hosts that are written as addresses are checked.

    Args:
        uri: The URL.
        fetching: Which hosts may be asked, and how long an answer is waited for.
    """

    def __init__(self, uri: str, fetching: Fetching) -> None:
        self._uri = uri
        self._seconds = fetching.timeout_seconds
        self._rules = fetching.address_rules
        configured = fsspec.config.conf.get("http", {}).get("client_kwargs", {})
        self._options: dict[str, Any] = {"trust_env": True, **configured}
        self._direct = self._file_system(self._rules)
        self.loop = self._direct.loop

    def _file_system(self, rules: AddressRules | None) -> Any:
        return fsspec.filesystem("http", get_client=_session, client_kwargs={**self._options, "rules": rules})

    @asynccontextmanager
    async def answer(self, headers: Mapping[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a GET request and yield the response after all redirects, its body unread.

        Raises:
            VideoNotFoundError: The URL, or one that it redirects to, is none that is asked.
            InterruptedReadError: No answer came in time.
            aiohttp.ClientError: The connection failed.
        """
        try:
            url = url_of(self._uri)
            kept = {**self._direct.kwargs.get("headers", {}), "Accept-Encoding": "identity", **headers}
            for _ in range(_MOST_REDIRECTS + 1):
                async with await self._asked(url, kept) as answer:
                    location = answer.headers.get("Location")
                    if answer.status not in _REDIRECTS or location is None:
                        yield answer
                        return
                following = self._redirected(url, location)
                if following.origin() != url.origin():
                    kept = {name: kept[name] for name in kept if name.lower() not in _CREDENTIAL_HEADERS}
                url = following
        except PrivateHostError as error:
            raise VideoNotFoundError(self._uri, error.problem) from None
        raise VideoNotFoundError(self._uri, f"its server redirects more than {_MOST_REDIRECTS} times; check the URL")

    async def _asked(self, url: yarl.URL, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        self._rules.check_name(host_of(url))
        options = {**self._direct.kwargs, "headers": dict(headers), "allow_redirects": False}
        if self._options["trust_env"]:
            options.setdefault("proxy", proxy_of(url))
        files = self._direct if options.get("proxy") is None else self._file_system(None)
        seconds = self._seconds
        timeout = aiohttp.ClientTimeout(total=None, connect=seconds, sock_connect=seconds, sock_read=seconds)
        session = await files.set_session()
        try:
            # One time for the connection, and one for the headers, which may come a byte at a time.
            async with asyncio.timeout(2 * seconds):
                answer: aiohttp.ClientResponse = await session.get(url, **{**options, "timeout": timeout})
                return answer
        except aiohttp.ServerTimeoutError:
            raise
        except TimeoutError:
            raise InterruptedReadError(f"its server gave no whole answer within {2 * seconds:g} s") from None

    def _redirected(self, url: yarl.URL, location: str) -> yarl.URL:
        """Where a redirect leads: from http to http or https, and from https to https alone."""
        following = url.join(yarl.URL(location))
        if following.scheme not in ("http", "https") or (url.scheme, following.scheme) == ("https", "http"):
            raise VideoNotFoundError(
                self._uri,
                f"its server redirects from {url.scheme} to {following.scheme[:20] or 'nowhere'}, which is not"
                " followed; check the URL",
            )
        host_of(following)
        return following


async def body_of(
    answer: aiohttp.ClientResponse, uri: str, fetching: Fetching, most_bytes: int | None = None
) -> AsyncIterator[bytes]:
    """Read a response's body in chunks, up to a size and no slower than a rate.

    What a server sends beyond `most_bytes` is not read: the connection is closed in its place.

    Raises:
        VideoReadError: The answer is compressed.
        InterruptedReadError: The bytes come too slowly.
    """
    encoding = answer.headers.get("Content-Encoding", "")
    if any(_COMPRESSED.fullmatch(word.strip()) for word in encoding.split(",")):
        raise VideoReadError(
            uri, f"its server compresses its answers ({encoding[:40]!r}), unasked; make it send the file as it is"
        )
    clock = asyncio.get_running_loop().time
    left, came, waited_seconds = most_bytes, 0, 0.0
    while left is None or left > 0:
        began = clock()
        chunk = await answer.content.read(_READ_BYTES if left is None else min(left, _READ_BYTES))
        waited_seconds += clock() - began
        came += len(chunk)
        if waited_seconds >= fetching.timeout_seconds:
            if came < fetching.least_bytes_per_second * waited_seconds and chunk:
                raise InterruptedReadError(
                    f"its server sent {came} bytes in {waited_seconds:.3g} s, and fetching.least_bytes_per_second is"
                    f" {fetching.least_bytes_per_second}"
                )
            came, waited_seconds = 0, 0.0
        if not chunk:
            return
        left = None if left is None else left - len(chunk)
        yield chunk


def host_of(url: yarl.URL) -> str:
    """Extract the host that aiohttp connects to from a URL.

    Raises:
        ValueError: There is none.
    """
    if not url.raw_host:
        raise ValueError("a URL without a host")
    return url.raw_host


def proxy_of(url: yarl.URL) -> str | None:
    """Look up the proxy that the environment sets for a URL."""
    proxy = getproxies().get(url.scheme)
    if not proxy or proxy_bypass(host_of(url)):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def url_of(uri: str) -> yarl.URL:
    """The URL that is requested.

    Raises:
        ValueError: It is none.
    """
    # What is encoded already stays as it is, since signatures are of the letters.
    is_encoded = uri.isascii() and uri.isprintable() and not set(' "<>\\^`{|}') & set(uri)
    return yarl.URL(uri, encoded=is_encoded)
