"""Limits on the size and the time of a request's body, and on the number of requests at work."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.serve.http.problems import ProblemError
from pipeline.serve.settings import ServeSettings

__all__ = ["UPLOAD_PATH", "RequestLimits"]

UPLOAD_PATH = "/api/v1/uploads"
"""Path whose requests may have large bodies."""

_BATCH_PATH = "/api/v1/runs"
_RETRY_SECONDS = 1
_STOPPING = ProblemError(
    HTTPStatus.SERVICE_UNAVAILABLE, "busy", "the server is stopping; ask again later", retry_seconds=_RETRY_SECONDS
)


class RequestLimits:
    """Refuses bodies that are too large (413) or too slow (408), and clients with too many requests at work (429).

    Args:
        app: What answers the requests that pass.
        settings: Settings of the server.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self._app = app
        self._settings = settings
        self._at_work: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request, and answer it or pass it on (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client = _client_of(scope)
        try:
            most_bytes = self._most_bytes(scope)
            self._check_number(client)
        except ProblemError as problem:
            await problem.response()(scope, receive, send)
            return
        self._at_work[client] += 1
        is_begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal is_begun
            is_begun = True
            await send(message)

        try:
            await self._app(scope, _limited(receive, most_bytes, self._settings.body_seconds), send_and_note)
        except asyncio.CancelledError:
            # A stop of the server ends what takes too long.
            if not is_begun:
                await _STOPPING.response()(scope, receive, send)
            raise
        finally:
            self._at_work[client] -= 1
            if not self._at_work[client]:
                del self._at_work[client]

    def _check_number(self, client: str) -> None:
        if self._at_work[client] >= self._settings.client_requests:
            detail = f"{self._settings.client_requests} requests of this client are at work; wait for their answers"
            raise ProblemError(HTTPStatus.TOO_MANY_REQUESTS, "too_many", detail, retry_seconds=_RETRY_SECONDS)
        if self._at_work.total() >= self._settings.requests:
            detail = "too many requests are at work"
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "busy", detail, retry_seconds=_RETRY_SECONDS)

    def _most_bytes(self, scope: Scope) -> int:
        # A command of the server's user lists the videos of a batch itself.
        is_owners_batch = scope["path"] == _BATCH_PATH and scope.get("state", {}).get("is_owner", False)
        is_large = scope["path"] == UPLOAD_PATH or is_owners_batch
        most_bytes = self._settings.upload_bytes if is_large else self._settings.body_bytes
        stated = Headers(scope=scope).get("content-length", "0")
        if not stated.isdecimal() or len(stated) > 18:
            raise ProblemError(HTTPStatus.BAD_REQUEST, "bad_length", "Content-Length is not a number of bytes")
        if int(stated) > most_bytes:
            raise _too_large(most_bytes)
        return most_bytes


def _client_of(scope: Scope) -> str:
    state = scope.get("state", {})
    address = (scope.get("client") or ("socket", 0))[0]
    return f"{state.get('client_name', '')} {address}"


def _too_large(most_bytes: int) -> ProblemError:
    return ProblemError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", f"the body may have at most {most_bytes:,} bytes"
    )


def _limited(receive: Receive, most_bytes: int, most_seconds: float) -> Receive:
    """Limit a request's body; after its end, the client may be silent for as long as it waits for its answer."""
    ends_at = time.monotonic() + most_seconds
    received, is_whole = 0, False

    async def limited() -> Message:
        nonlocal received, is_whole
        if is_whole:
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), max(0.0, ends_at - time.monotonic()))
        except TimeoutError as error:
            detail = f"the body did not arrive within {most_seconds:g} s"
            raise ProblemError(HTTPStatus.REQUEST_TIMEOUT, "too_slow", detail) from error
        received += len(message.get("body", b""))
        if received > most_bytes:
            raise _too_large(most_bytes)
        is_whole = not message.get("more_body", False)
        return message

    return limited
