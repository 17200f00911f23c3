"""A server that answers with whatever bytes a test wants, at whatever rate: what `http.server` would not send."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator

__all__ = ["WireServer", "endless", "trickled"]


class WireServer:
    """Listens on a port of 127.0.0.1. A context manager.

    Args:
        answer: Given a request's head, what is sent, a piece at a time; then the connection is closed.

    Attributes:
        requests: The heads of requests so far.
        sent_bytes: How many bytes clients have taken so far, in all.
    """

    def __init__(self, answer: Callable[[str], Iterable[bytes]]) -> None:
        self._answer = answer
        self.requests: list[str] = []
        self.sent_bytes = 0
        self.is_over = False

    def __enter__(self) -> WireServer:
        self._socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over = True
        self._socket.close()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def url(self, name: str = "a.mp4", *, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/{name}"

    def _serve(self) -> None:
        while not self.is_over:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            head = b""
            try:
                while b"\r\n\r\n" not in head:
                    more = connection.recv(2**16)
                    if not more:
                        return
                    head += more
                self.requests.append(head.decode())
                for piece in self._answer(head.decode()):
                    if self.is_over:
                        return
                    connection.sendall(piece)
                    self.sent_bytes += len(piece)
            except OSError:
                return  # whoever asked wants no more


def endless(head: str, piece: bytes = bytes(2**16)) -> Iterator[bytes]:
    """A head, and a body that has no end."""
    yield head.encode()
    while True:
        yield piece


def trickled(content: bytes, *, every_seconds: float = 0.05) -> Iterator[bytes]:
    """A byte at a time."""
    for start in range(len(content)):
        yield content[start : start + 1]
        time.sleep(every_seconds)
