"""Streamable HTTP for the tools: on loopback without a token, at any other address only with one.

The SDK checks `Host` and `Origin`, which keeps web pages away (DNS rebinding); the token is checked here.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
import secrets
import socket
import stat
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette

from pipeline.errors import ConfigError

__all__ = ["MCP_PATH", "http_app", "is_loopback", "read_token", "serve_http"]

MCP_PATH = "/mcp"
_MIN_TOKEN = 32
_MAX_TOKEN_BYTES = 4096
_UNAUTHORIZED = b"a valid token is needed: Authorization: Bearer TOKEN\n"

_Message = MutableMapping[str, Any]
_App = Callable[[_Message, Callable[[], Awaitable[_Message]], Callable[[_Message], Awaitable[None]]], Awaitable[None]]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_token(path: Path) -> tuple[str, bool]:
    """Read the token in a file, or create the file; return the token, and whether it is new.

    Raises:
        ConfigError: Others can read the file, or it has no token.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return _kept_token(path), False
    except OSError as error:
        raise ConfigError(f"the token cannot be kept in {str(path)!r}: {error.strerror}") from error
    token = secrets.token_urlsafe(32)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{token}\n")
    return token, True


def _kept_token(path: Path) -> str:
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
                raise ConfigError(f"{str(path)!r} must be a file that only its owner can read: chmod 600 {path}")
            token = file.read(_MAX_TOKEN_BYTES).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the token in {str(path)!r} cannot be read: {error}") from error
    if len(token) < _MIN_TOKEN:
        raise ConfigError(f"{str(path)!r} has no token of at least {_MIN_TOKEN} characters; delete it to have one made")
    return token


class _TokenCheck:
    """Passes on requests that have the token in their header `Authorization`."""

    def __init__(self, app: _App, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(
        self,
        scope: _Message,
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        if scope["type"] == "http":
            given = [value for name, value in scope["headers"] if name == b"authorization"]
            # Compared in constant time.
            if len(given) != 1 or not hmac.compare_digest(given[0], self._expected):
                headers = [(b"www-authenticate", b"Bearer"), (b"content-type", b"text/plain")]
                await send({"type": "http.response.start", "status": 401, "headers": headers})
                await send({"type": "http.response.body", "body": _UNAUTHORIZED})
                return
        await self._app(scope, receive, send)


def http_app(server: MCPServer[Any], host: str, *, names: Sequence[str] = (), token: str | None = None) -> _App:
    """Make the ASGI application.

    Args:
        server: The server with its tools.
        host: Address that the application listens on.
        names: Further host names, with or without a port, by which clients reach it.
        token: The token that requests need; None only on loopback.

    Raises:
        ConfigError: The address is not loopback, and there is no token.
    """
    if token is None and not is_loopback(host):
        raise ConfigError(f"other machines can reach {host!r}, so a token is needed: add --token-file FILE")
    local = ("127.0.0.1", "localhost", "[::1]") if is_loopback(host) else (f"[{host}]" if ":" in host else host,)
    hosts = [*local, *names]
    with_ports = [*hosts, *(f"{name}:*" for name in hosts)]
    origins = [f"{scheme}://{name}" for name in with_ports for scheme in ("http", "https")]
    security = TransportSecuritySettings(allowed_hosts=with_ports, allowed_origins=origins)
    app: Starlette = server.streamable_http_app(
        streamable_http_path=MCP_PATH, json_response=True, transport_security=security, host=host
    )
    return app if token is None else _TokenCheck(app, token)


def serve_http(app: _App, listener: socket.socket) -> None:
    """Serve the application at a listening socket until SIGINT or SIGTERM."""
    import uvicorn

    from pipeline.serve.graceful_server import GracefulServer
    from pipeline.serve.http.limited_connection import LimitedConnection

    config = uvicorn.Config(
        app,
        http=LimitedConnection,
        ws="none",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    GracefulServer(config).run(sockets=[listener])
