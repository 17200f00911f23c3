"""Clients that send slowly, nothing, too much at once or half: they are refused in time, and others are served."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import uvicorn
from shots_library import opened

from pipeline.library import Library
from pipeline.serve import ServeSettings, create_app
from pipeline.serve.graceful_server import GracefulServer
from pipeline.serve.http.limited_connection import connections_within

Address = tuple[str, int]


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return opened(tmp_path / "library")


@contextmanager
def listening(library: Library, **limits: float) -> Iterator[Address]:
    """A server with limits, which must end without an error."""
    settings = ServeSettings(**{"header_seconds": 1.0, "body_seconds": 0.5, **limits})
    app = create_app(library, settings)
    config = uvicorn.Config(app, http=connections_within(settings), ws="none", log_level="critical", lifespan="on")
    server = GracefulServer(config, on_stop=app.state.begin_stop)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(256)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive()


def connected(address: Address) -> socket.socket:
    return socket.create_connection(address, timeout=20)


def answer_of(connection: socket.socket) -> bytes:
    answer = b""
    # The connection is reset if the server has not read all that was sent.
    with suppress(ConnectionResetError):
        while part := connection.recv(65_536):
            answer += part
    return answer


def check_served(address: Address) -> None:
    with connected(address) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert answer_of(connection).startswith(b"HTTP/1.1 200 ")


def check_ended(connection: socket.socket, status: int | None, *, within: float = 15.0) -> None:
    began = time.monotonic()
    answer = answer_of(connection)
    assert time.monotonic() - began < within
    if status is None:
        assert not answer
        return
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    assert json.loads(body)["status"] == status


STARTS: tuple[tuple[bytes, int | None], ...] = (
    (b"", None),
    (b"\r\n", 400),
    (b"G", 408),
    (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n", 408),
    (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 1000, 408),
)


@pytest.mark.parametrize(("start", "status"), STARTS)
def test_headers_that_do_not_end(library: Library, start: bytes, status: int | None) -> None:
    with listening(library) as address, connected(address) as slow:
        slow.sendall(start)
        check_served(address)
        check_ended(slow, status)


def test_a_byte_now_and_then_wins_no_time(library: Library) -> None:
    with listening(library) as address, connected(address) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        began = time.monotonic()
        slow.settimeout(0.1)
        answer = b""
        while not answer:
            slow.sendall(b"X-A: a\r\n")
            try:
                answer = slow.recv(100)
            except TimeoutError:
                check_served(address)
            assert time.monotonic() - began < 15
        assert answer.startswith(b"HTTP/1.1 408 ")


def test_the_second_request_of_a_connection_has_the_same_time(library: Library) -> None:
    with listening(library) as address, connected(address) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while not answer.endswith(b"}"):
            answer += slow.recv(65_536)
        # An idle connection stays: browsers keep theirs for the next request.
        time.sleep(1.5)
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHost")
        check_ended(slow, 408)


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/search"])
def test_a_body_that_does_not_end(library: Library, path: str) -> None:
    """Whether or not the route reads it."""
    with listening(library) as address, connected(address) as slow:
        slow.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{{".encode())
        check_served(address)
        began = time.monotonic()
        answer = answer_of(slow)
        assert time.monotonic() - began < 15
        assert answer.startswith(b"HTTP/1.1 4")


def test_a_client_that_reads_nothing_does_not_hold_a_stop(library: Library) -> None:
    with listening(library) as address, ExitStack() as until_the_end:
        for _ in range(3):
            connection = until_the_end.enter_context(connected(address))
            connection.sendall(b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200)
        check_served(address)
        began = time.monotonic()
    assert time.monotonic() - began < 20


def test_many_idle_connections_make_room(library: Library) -> None:
    with listening(library, connections=20, header_seconds=60) as address, ExitStack() as until_the_end:
        idle = [until_the_end.enter_context(connected(address)) for _ in range(50)]
        for _ in range(5):
            check_served(address)
        # The oldest ones were closed, and the latest ones are still open.
        assert idle[0].recv(10) == b""
        idle[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert answer_of(idle[-1]).startswith(b"HTTP/1.1 200 ")


def test_pipelined_requests_are_answered_in_order(library: Library) -> None:
    with listening(library) as address, connected(address) as connection:
        paths = ["/healthz", "/api/v1/videos", "/nowhere", "/healthz"] * 10
        lines = [f"GET {path} HTTP/1.1\r\nHost: localhost\r\n" for path in paths]
        connection.sendall("\r\n".join([*lines, ""]).encode() + b"GET /healthz HT")
        answer = answer_of(connection)
        statuses = [int(part[:3]) for part in answer.decode().split("HTTP/1.1 ")[1:]]
        assert statuses == [200, 200, 404, 200] * 10 + [408]


def test_a_client_that_closes_its_half_is_taken_for_gone(library: Library) -> None:
    with listening(library, header_seconds=60) as address:
        for start in (b"", b"GET /hea", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"):
            with connected(address) as half:
                half.sendall(start)
                half.shutdown(socket.SHUT_WR)
                began = time.monotonic()
                answer_of(half)
                assert time.monotonic() - began < 15
        check_served(address)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS to a server without it
        b"GET /healthz HTTP/1.1\r\n\r\n",  # no Host
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 300_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 300_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /api/v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /api/v1/search HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n{}",
        b"POST /api/v1/search HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX\x00: a\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused_in_time(library: Library, sent: bytes) -> None:
    with listening(library) as address, connected(address) as connection:
        with suppress(ConnectionError):
            connection.sendall(sent)
        answer = answer_of(connection)
        assert answer[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 421", b"HTTP/1.1 408"), answer[:200]
        check_served(address)


def test_old_clients_and_upgrades_are_answered(library: Library) -> None:
    requests: dict[bytes, Callable[[bytes], bool]] = {
        b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n": lambda said: said.startswith(b"HTTP/1.1 200 "),
        b"GET /healthz HTTP/1.0\r\n\r\n": lambda said: said.startswith(b"HTTP/1.1 421 "),
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n": lambda said: (
            said.startswith(b"HTTP/1.1 200 ")
        ),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": lambda said: said.startswith(b"HTTP/1.1 421 "),
    }
    with listening(library) as address:
        for sent, is_right in requests.items():
            with connected(address) as connection:
                connection.sendall(sent)
                connection.settimeout(20)
                said = connection.recv(65_536)
                assert is_right(said), (sent, said)
