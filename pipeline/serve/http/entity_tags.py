"""Entity tags of JSON answers: a client that has the same answer already gets 304 (RFC 9110, section 13)."""

from __future__ import annotations

import hashlib
import re
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["EntityTags", "is_known"]

_TAG = re.compile(r'"[^"]*"')


def is_known(header: str, etag: str) -> bool:
    """Whether an If-None-Match header names an entity tag, by weak comparison.

    Args:
        header: The header; may be empty.
        etag: The entity tag, in quotes.
    """
    return header.strip() == "*" or etag.removeprefix("W/") in _TAG.findall(header)


class EntityTags:
    """Adds an entity tag to each JSON answer to a GET request.

    Args:
        app: What answers the requests.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and tag its answer (ASGI)."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        known = Headers(scope=scope).get("if-none-match", "")
        held: Message | None = None
        parts: list[bytes] = []

        async def send_tagged(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start" and _is_taggable(message):
                held = message
                return
            if held is None:
                await send(message)
                return
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                await _send_held(held, b"".join(parts), known, send)

        await self._app(scope, receive, send_tagged)


def _is_taggable(message: Message) -> bool:
    headers = Headers(raw=message.get("headers", []))
    is_json = headers.get("content-type", "").startswith("application/json")
    return bool(message["status"] == HTTPStatus.OK and is_json and "etag" not in headers)


async def _send_held(start: Message, body: bytes, known: str, send: Send) -> None:
    etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    headers = MutableHeaders(raw=list(start["headers"]))
    headers["ETag"] = etag
    if is_known(known, etag):
        start["status"], body = int(HTTPStatus.NOT_MODIFIED), b""
        del headers["content-length"]
    await send({**start, "headers": headers.raw})
    await send({"type": "http.response.body", "body": body})
