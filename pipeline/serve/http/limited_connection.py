"""Connections with limits: how many there are, and how long one may take to send a request.

uvicorn itself limits neither, so a client that opens connections and sends nothing, or a byte now and then, would hold
them for ever (the attack known as slow loris).
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from pipeline.serve.http.problem_details import MEDIA_TYPE, problem_content
from pipeline.serve.settings import ServeSettings

__all__ = ["LimitedConnection", "connections_within"]


class LimitedConnection(H11Protocol):
    """A connection whose requests must arrive in time.

    The time runs from the opening of the connection, or from the first byte of a further request, to the end of the
    request's headers; a byte now and then does not extend it. It also runs if a request was answered before its body
    had arrived. If too many connections are open, the one that has waited longest for a request is closed, or the new
    one if each has a request at work.

    Attributes:
        header_seconds: Maximum time in which a request's headers arrive.
        most_connections: Maximum number of open connections.
        pauses: How often the connection's client had to be waited for, or went on reading, so far.
    """

    header_seconds = 20.0
    most_connections = 400
    pauses = 0
    _deadline: asyncio.TimerHandle | None = None
    _idle_since = 0.0

    @property
    def is_at_work(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Make room for the connection, and let its time begin."""
        super().connection_made(transport)
        self._idle_since = self.loop.time()
        self._watch()
        if len(self.connections) > self.most_connections:
            others = (each for each in self.connections if isinstance(each, LimitedConnection) and each is not self)
            idle = (each for each in others if not each.is_at_work)
            min(idle, key=lambda each: each._idle_since, default=self).end_idle()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._unwatch()
        self._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        """Take bytes of the client."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Go on with the next request, whose beginning may be there already."""
        self._idle_since = self.loop.time()
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        """Wait until the client reads on."""
        self.pauses += 1
        super().pause_writing()

    def resume_writing(self) -> None:
        """Go on writing."""
        self.pauses += 1
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, as a problem like any other."""
        self._refuse(HTTPStatus.BAD_REQUEST, "bad_request", msg)

    def end_idle(self) -> None:
        """Close the connection, on which no request is at work."""
        self._unwatch()
        self.transport.close()

    def _watch(self) -> None:
        """Let the time run while a request is awaited that has begun, or the first one."""
        is_begun = self.cycle is None or bool(self.conn.trailing_data[0]) or self.conn.their_state is h11.SEND_BODY
        if self.is_at_work or not is_begun or self.transport.is_closing():
            self._unwatch()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.header_seconds, self._end_slow)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end_slow(self) -> None:
        self._deadline = None
        if self.transport.is_closing() or self.is_at_work:
            return
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            detail = f"the headers of the request did not arrive within {self.header_seconds:g} s"
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "too_slow", detail)
        else:
            # Browsers open connections in advance; an answer would be taken for one to their next request.
            self.transport.close()

    def _refuse(self, status: HTTPStatus, code: str, detail: str) -> None:
        """Answer with a problem and close the connection; h11 may be in a state in which it cannot answer."""
        self._unwatch()
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            # An answer is under way, and this one would come in the middle of it.
            self.transport.abort()
            return
        body = json.dumps(problem_content(status, code, detail)).encode()
        head = (
            f"HTTP/1.1 {int(status)} {status.phrase}\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\n"
            "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


def connections_within(settings: ServeSettings) -> type[LimitedConnection]:
    """Make the class of connections with the limits of a server."""
    limits: dict[str, Any] = {
        "header_seconds": settings.header_seconds,
        "most_connections": settings.connections,
    }
    return type("LimitedConnection", (LimitedConnection,), limits)
