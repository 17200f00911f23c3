"""A connection to a server: HTTP over a private Unix socket, or over TCP with or without TLS."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pipeline.client.problem_codes import error_named
from pipeline.errors import ConfigError, MomentseekError, ServerError

__all__ = ["Address", "Connection", "NoServerError", "RefusedError"]

_MOST_TRIES = 4
_MOST_PAUSE_SECONDS = 5.0
_MOST_EMPTY_STREAMS = 5
_RECONNECT_SECONDS = 0.5


class NoServerError(ServerError):
    """Nothing listens at the server's address, or the connection was lost before an answer came."""


class RefusedError(ServerError):
    """The server refuses a request.

    Args:
        message: What is wrong, and what to do.
        code: The code of the server's problem, such as "run_active"; empty if it names none.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class Address:
    """Where a server listens.

    Attributes:
        url: Its address.
        socket: Its private socket; None if there is none.
        prefix: Path below which it serves.

    Args:
        url: Its address, as "https://search.example:8737"; with a private socket, only for messages.
        socket: Its private socket on this machine; None for a connection to `url`.

    Raises:
        ConfigError: The address is not one of an HTTP server.
    """

    def __init__(self, url: str, socket: Path | None = None) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ConfigError(f"{url[:200]!r} is not the address of a server ({error})") from error
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ConfigError(f"{url[:200]!r} is not the address of a server; write it as http://127.0.0.1:8737")
        self.url = url.rstrip("/")
        self.socket = socket
        self.prefix = parts.path.rstrip("/")
        self._is_tls, self._host, self._port = parts.scheme == "https", parts.hostname, port

    def connection(self, timeout_seconds: float) -> http.client.HTTPConnection:
        """Make a connection, which connects with the first request."""
        if self.socket is not None:
            return _SocketConnection(self.socket, timeout_seconds, is_tls=self._is_tls)
        kind = http.client.HTTPSConnection if self._is_tls else http.client.HTTPConnection
        return kind(self._host, self._port, timeout=timeout_seconds)


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a private Unix socket; a server with a certificate speaks TLS there as well.

    The certificate is not verified, as it is that of another name: only processes of this user can own the socket.
    """

    def __init__(self, path: Path, timeout_seconds: float, *, is_tls: bool) -> None:
        super().__init__("localhost", timeout=timeout_seconds)
        self._path = path
        self._is_tls = is_tls

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
        if self._is_tls:
            import ssl

            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.sock = context.wrap_socket(self.sock)


class Connection:
    """Sends requests to a server, and turns its problems into the errors of this package.

    Args:
        address: Where the server listens.
        token: The token to send; None for none.
        timeout_seconds: Maximum time without an answer.
    """

    def __init__(self, address: Address, *, token: str | None = None, timeout_seconds: float = 60.0) -> None:
        self._address = address
        self._timeout_seconds = timeout_seconds
        self._headers = {"Accept": "application/json", "User-Agent": "momentseek"}
        if token:
            if not token.isascii() or not token.isprintable():
                raise ConfigError("the server's token has characters that no token has; copy it again")
            self._headers["Authorization"] = f"Bearer {token}"
        self._open: http.client.HTTPConnection | None = None

    @property
    def url(self) -> str:
        """The server's address."""
        return self._address.url

    def close(self) -> None:
        """Close the connection; a further request opens it again."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def json(self, method: str, path: str, content: object = None) -> Any:
        """Send a request, and return the JSON value of its answer; if the server is busy, try again.

        Args:
            method: The HTTP method.
            path: Path and query below the server's address, as "/api/v1/videos?limit=100".
            content: A JSON value to send; None for no body.

        Raises:
            NoServerError: Nothing listens at the address, or the connection was lost.
            ServerError: The server refuses the request or remains busy.
            MomentseekError: An error of the library, as it is raised without a server.
        """
        for attempt in range(_MOST_TRIES):
            status, pause, body = self._answer(method, path, content)
            is_busy = status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE) and pause is not None
            if not is_busy or attempt == _MOST_TRIES - 1:
                break
            time.sleep(min(pause or 0.0, _MOST_PAUSE_SECONDS))
        found = _parsed(body)
        if status >= HTTPStatus.BAD_REQUEST:
            raise self._error(status, found)
        if found is None:
            raise ServerError(f"{self.url}: the answer is not JSON; is this the address of momentseek serve?")
        return found

    def events(self, path: str) -> Iterator[tuple[str, Any]]:
        """Follow a stream of server-sent events, on a connection of its own, until the caller stops iterating.

        If the stream ends or is interrupted, it is requested again from where it ended.

        Args:
            path: As for `json`.

        Yields:
            The kind of each event, and its JSON value.

        Raises:
            NoServerError: The server is gone.
            ServerError: The server refuses the request, or streams no event any more.
            MomentseekError: As for `json`.
        """
        last_id, empty_streams = "", 0
        while empty_streams < _MOST_EMPTY_STREAMS:
            is_empty = True
            try:
                for event in self._stream(path, last_id):
                    is_empty = False
                    last_id = event.id or last_id
                    yield event.kind, event.value
            except NoServerError:
                if is_empty:
                    raise
            empty_streams = empty_streams + 1 if is_empty else 0
            time.sleep(_RECONNECT_SECONDS)
        raise ServerError(f"{self.url}: the server streams no event any more; see its log")

    def _stream(self, path: str, last_id: str) -> Iterator[_StreamEvent]:
        """Follow one stream to its end, after the event with an id."""
        headers = {**self._headers, "Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})}
        with closing(self._address.connection(self._timeout_seconds)) as connection:
            try:
                connection.request("GET", self._address.prefix + path, None, headers)
                response = connection.getresponse()
                if response.status >= HTTPStatus.BAD_REQUEST:
                    raise self._error(response.status, _parsed(response.read()))
                yield from _stream_events(response)
            except (OSError, http.client.HTTPException) as error:
                raise self._lost(error) from error

    def _answer(self, method: str, path: str, content: object) -> tuple[int, float | None, bytes]:
        """Send a request; return the status, the pause that the server asks for, and the body."""
        body = None if content is None else json.dumps(content).encode()
        headers = self._headers if body is None else {**self._headers, "Content-Type": "application/json"}
        is_fresh = self._open is None
        if self._open is None:
            self._open = self._address.connection(self._timeout_seconds)
        try:
            self._open.request(method, self._address.prefix + path, body, headers)
            response = self._open.getresponse()
            answer = response.status, _seconds(response.headers.get("retry-after")), response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if not is_fresh and isinstance(error, http.client.RemoteDisconnected | BrokenPipeError):
                return self._answer(method, path, content)  # the server closed an idle connection
            raise self._lost(error) from error
        return answer

    def _lost(self, error: Exception) -> ServerError:
        if isinstance(error, TimeoutError):
            return ServerError(f"{self.url}: no answer within {self._timeout_seconds:g} s; try again later")
        what = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return NoServerError(f"{self.url}: the server does not answer ({what}); is it running? (momentseek serve)")

    def _error(self, status: int, found: Any) -> MomentseekError:
        """Make the error of a problem (RFC 9457): one of the library's own, or a refusal of the server."""
        fields = found if isinstance(found, dict) else {}
        detail, code = str(fields.get("detail") or HTTPStatus(status).phrase), str(fields.get("code") or "")
        own = error_named(code, detail, uri=fields.get("uri"), problem=fields.get("problem"))
        return own or RefusedError(f"{self.url}: {detail}", code)


class _StreamEvent(NamedTuple):
    """A server-sent event: its kind, its id (empty for none), and its JSON value."""

    kind: str
    id: str
    value: Any


def _stream_events(lines: Iterable[bytes]) -> Iterator[_StreamEvent]:
    """Parse server-sent events (HTML Living Standard, section 9.2); comments keep the connection alive."""
    kind, id_, data = "message", "", []
    for line in lines:
        name, _, value = line.decode().rstrip("\r\n").partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "id":
            id_ = value
        elif name == "data":
            data.append(value)
        elif not name and not value and data:
            yield _StreamEvent(kind, id_, _parsed("\n".join(data).encode()))
            kind, id_, data = "message", "", []


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdigit() else None
