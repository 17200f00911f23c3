"""Checks of host, origin and token that every request must pass before anything else reads it.

Browsers let any web page send requests to this machine. A page that resolves its own name to 127.0.0.1 (DNS rebinding)
sends that name as Host, so only known names are served. A page of another site sends its Origin, or `Sec-Fetch-Site`
for a picture or a video, so requests from other sites are refused; answers carry no CORS headers.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from http import HTTPStatus
from urllib.parse import urlencode

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.serve.http.problems import ProblemError
from pipeline.serve.http.sessions import COOKIE, Sessions, cookie_value
from pipeline.serve.settings import ServeSettings, is_loopback

__all__ = ["HEADERS", "OPEN_PATHS", "RequestGuard"]

OPEN_PATHS = ("/healthz", "/readyz", "/login", "/static/")
"""Paths that need no token: they tell nothing of the library."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:;"
        " connect-src 'self'; font-src 'self'; manifest-src 'self'; form-action 'self'; frame-ancestors 'none';"
        " base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""Headers of every answer."""

_NEVER_IN_PATHS = re.compile(r"[\\\x00-\x1f\x7f]")
# Not by urlsplit, for which "a@b", "b/a" and "b?a" name the host b as well.
_HOST = re.compile(r"(?P<name>\[(?P<address>[0-9A-Fa-f:.]+)\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{0,5}))?")
_MOST_PORT = 65_535
_SAFE_SITES = ("same-origin", "none")


class RequestGuard:
    """Refuses requests by host, origin, path and token, and adds the headers of every answer.

    Args:
        app: What answers the requests that pass.
        settings: Settings of the server.
        sessions: The sessions of browsers; None if no token is needed.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings, sessions: Sessions | None) -> None:
        self._app = app
        self._tokens = settings.tokens
        self._sessions = sessions
        self._names = {"localhost", socket.gethostname().lower(), *(name.lower() for name in settings.host_names)}
        self._takes_addresses = not is_loopback(settings.host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request, and answer it or pass it on (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message.get("headers", ())}
                added = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                if b"cache-control" not in own:
                    # Static files have an entity tag, by which a browser asks whether they changed.
                    added.append((b"cache-control", b"no-cache" if b"etag" in own else b"no-store"))
                message["headers"] = [*message.get("headers", ()), *(pair for pair in added if pair[0] not in own)]
            await send(message)

        try:
            self._check(scope)
        except ProblemError as problem:
            response: Response = problem.response()
            if problem.status == HTTPStatus.UNAUTHORIZED:
                response.headers["WWW-Authenticate"] = 'Bearer realm="momentseek"'
                if _is_visit(scope):
                    response = RedirectResponse(f"/login?{urlencode({'next': _place(scope)})}", HTTPStatus.SEE_OTHER)
            await response(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)

    def _check(self, scope: Scope) -> None:
        if _is_of_this_user(scope):
            scope.setdefault("state", {}).update(client_name="local", role="admin", is_owner=True)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_known(host):
            raise ProblemError(
                HTTPStatus.MISDIRECTED_REQUEST,
                "unknown_host",
                f"this server does not answer to the name {host[:100]!r}; allow it with: momentseek serve --host-name",
            )
        if not _is_of_this_site(scope, headers, host):
            raise ProblemError(HTTPStatus.FORBIDDEN, "foreign_origin", "requests from pages of other sites are refused")
        path: str = scope["path"]
        if any(part in (".", "..") for part in path.split("/")) or _NEVER_IN_PATHS.search(path):
            detail = "the path has dot segments, backslashes or control characters"
            raise ProblemError(HTTPStatus.BAD_REQUEST, "bad_path", detail)
        self._authenticate(scope, headers, path)

    def _is_known(self, host: str) -> bool:
        """Whether a Host header names this server; an address cannot be rebound, but a loopback server has only its."""
        found = _HOST.fullmatch(host)
        if found is None or int(found["port"] or 0) > _MOST_PORT:
            return False
        name = found["name"].lower().removesuffix(".")
        if name in self._names:
            return True
        try:
            address = ipaddress.ip_address(found["address"] or name)
        except ValueError:
            return False
        plain = getattr(address, "ipv4_mapped", None) or address
        return plain.is_loopback or self._takes_addresses

    def _authenticate(self, scope: Scope, headers: Headers, path: str) -> None:
        state = scope.setdefault("state", {})
        if self._tokens is None:
            state["client_name"], state["role"] = "local", "admin"
            return
        kind, _, given = headers.get("authorization", "").partition(" ")
        token = given.strip() if kind.lower() == "bearer" else ""
        session = cookie_value(headers.get("cookie", ""), COOKIE)
        found = self._tokens.find(token) if token else None
        if found is None and not token and session and self._sessions is not None:
            found = self._sessions.find(session)
        if found is not None:
            state["client_name"], state["role"] = found.name, found.role
        elif not path.startswith(OPEN_PATHS):
            detail = "send a token as `Authorization: Bearer TOKEN`, or log in at /login"
            raise ProblemError(HTTPStatus.UNAUTHORIZED, "wrong_token" if token else "no_token", detail)


def _is_of_this_user(scope: Scope) -> bool:
    """Whether a request came over the private socket, to which only processes of this user can connect."""
    server = scope.get("server")
    # The local address of a connection: a path without a port only for a Unix socket.
    return server is not None and server[1] is None and str(server[0]).startswith("/")


def _is_of_this_site(scope: Scope, headers: Headers, host: str) -> bool:
    origin = headers.get("origin")
    if origin is not None:
        # The scheme is that of a reverse proxy, if there is one.
        return origin.lower() in (f"http://{host}".lower(), f"https://{host}".lower())
    site = headers.get("sec-fetch-site")
    # A link on another site may open the page itself.
    is_link = scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate"
    return site is None or site in _SAFE_SITES or (is_link and headers.get("sec-fetch-dest") == "document")


def _is_visit(scope: Scope) -> bool:
    """Whether a browser opens a page, rather than a program calling the API."""
    is_page = scope["method"] == "GET" and not scope["path"].startswith("/api/")
    return is_page and "text/html" in Headers(scope=scope).get("accept", "")


def _place(scope: Scope) -> str:
    path: str = scope["path"]
    query: str = scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path
