"""A uvicorn server that ends gracefully after a signal, so that the command can exit with success."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from pipeline.serve.http.limited_connection import LimitedConnection

__all__ = ["GracefulServer"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_STALL_SECONDS = 2.0
"""A client that has read nothing for so long after the stop has paused: a player whose buffer is full, for instance."""
_CANCEL_SECONDS = 5.0


class GracefulServer(uvicorn.Server):
    """A server that SIGINT and SIGTERM end gracefully: no new requests, and those under way are finished.

    A second signal ends those under way as well. Unlike uvicorn's own server, it does not raise the signal again
    afterwards, so the caller can clean up and end with success; and it does not wait for clients that do not read.

    Args:
        config: uvicorn's configuration.
        on_stop: Called when the stop begins, in the server's event loop, before requests under way are waited for.
    """

    def __init__(self, config: uvicorn.Config, on_stop: Callable[[], None] | None = None) -> None:
        super().__init__(config)
        self._on_stop = on_stop

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Handle the signals while the server runs."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop gracefully at the first signal, and at once at the second."""
        del sig, frame
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for running requests, cancel the slow ones, and always close the application."""
        if self._on_stop is not None:
            self._on_stop()
        ending = asyncio.create_task(self._end_stalled())
        logger = logging.getLogger("uvicorn.error")
        logger.addFilter(_is_no_cancellation)
        try:
            await super().shutdown(sockets)
            if self.force_exit:
                await self._end_requests()
                await self.lifespan.shutdown()
        finally:
            ending.cancel()
            logger.removeFilter(_is_no_cancellation)

    async def _end_requests(self) -> None:
        tasks = set(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CANCEL_SECONDS)

    async def _end_stalled(self) -> None:
        """Close connections whose client reads nothing any more."""
        seen: dict[LimitedConnection, tuple[int, int]] = {}
        while True:
            now = {one: state for one in _limited(self) if (state := _waiting_state(one)) is not None}
            for connection, state in now.items():
                if seen.get(connection) == state:
                    connection.transport.abort()
            seen = now
            await asyncio.sleep(_STALL_SECONDS)


def _limited(server: uvicorn.Server) -> list[LimitedConnection]:
    return [each for each in server.server_state.connections if isinstance(each, LimitedConnection)]


def _waiting_state(connection: LimitedConnection) -> tuple[int, int] | None:
    """A value that changes if the client reads on; None if nothing waits to be read."""
    if not connection.flow.write_paused:
        return None
    return connection.pauses, connection.transport.get_write_buffer_size()


def _is_no_cancellation(record: logging.LogRecord) -> bool:
    """Requests that the stop ends are no errors of the application; their number is logged."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))
