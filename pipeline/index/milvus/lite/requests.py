"""Schedules the requests to an index folder's server: writes run one at a time, reads run concurrently.

Milvus Lite's engine does not support concurrent writes to a collection, and the requests of all threads and processes
that use the folder arrive at one server. This module is imported only when a folder is opened.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc

__all__ = ["GUEST_AGENT", "OrderedRequests"]

# User agent of the channels of other processes.
GUEST_AGENT = "momentseek-guest"
_READS = frozenset({"Search", "HybridSearch", "Query"})
_READING_VERBS = ("Has", "Describe", "Show", "Get", "List", "Check")
# These use neither collections nor files.
_FREE = frozenset({"Connect", "GetVersion", "AllocTimestamp"})


class OrderedRequests(grpc.ServerInterceptor):  # type: ignore[misc]
    """Interceptor of a gRPC server of Milvus Lite.

    Attributes:
        has_guests: Whether another process has ever made a request.
    """

    def __init__(self) -> None:
        self.has_guests = False
        self._turns = _Turns()

    def intercept_service(self, continuation: Callable[[Any], Any], handler_call_details: Any) -> Any:
        """Return the handler of a request, which waits for its turn."""
        handler = continuation(handler_call_details)
        agents = [value for name, value in handler_call_details.invocation_metadata if name == "user-agent"]
        self.has_guests = self.has_guests or any(GUEST_AGENT in str(agent) for agent in agents)
        name = handler_call_details.method.rpartition("/")[2]
        if handler is None or handler.unary_unary is None or name in _FREE:
            return handler
        turn = self._turns.read if name in _READS or name.startswith(_READING_VERBS) else self._turns.write
        answer = handler.unary_unary

        def answer_in_turn(request: Any, context: Any) -> Any:
            with turn():
                return answer(request, context)

        return grpc.unary_unary_rpc_method_handler(
            answer_in_turn, handler.request_deserializer, handler.response_serializer
        )


class _Turns:
    """A readers-writer lock; waiting writers take precedence over new readers."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._readers = 0
        self._is_written = False
        self._waiting_writers = 0

    @contextmanager
    def read(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._is_written and not self._waiting_writers)
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    @contextmanager
    def write(self) -> Iterator[None]:
        with self._changed:
            self._waiting_writers += 1
            self._changed.wait_for(lambda: not self._is_written and not self._readers)
            self._waiting_writers -= 1
            self._is_written = True
        try:
            yield
        finally:
            with self._changed:
                self._is_written = False
                self._changed.notify_all()
