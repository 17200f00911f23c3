"""Web servers that send without an end, too slowly, or something else than was asked for."""

from __future__ import annotations

import gzip
import itertools
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

import pytest
from security.wire_server import WireServer, endless, trickled
from web_server import WebServer

from pipeline.errors import SourceError, VideoError, VideoReadError
from pipeline.io.file_kinds import HEAD_BYTES
from pipeline.io.media import open_media, open_remote
from pipeline.io.settings import Fetching
from pipeline.sources import expand
from pipeline.types import Source
from pipeline.video import content_id

MIB = 2**20
SIZE = 8 * MIB
# A request asks for at most 4 MiB; the kernel takes what fits into its buffers, unread.
MOST_TAKEN_A_REQUEST = 12 * MIB
QUICK = Fetching(timeout_seconds=0.4, pause_seconds=0, tries=2, allow_private=True, least_bytes_per_second=10_000)
PATIENT = QUICK.model_copy(update={"timeout_seconds": 60.0})
"""For what is refused because of what it says, not because of its pace."""

Answer = Callable[[str], Iterable[bytes]]


def asked_range(request: str) -> tuple[int, int]:
    match = re.search(r"Range: bytes=(\d+)-(\d+)", request)
    return (int(match[1]), int(match[2])) if match else (0, SIZE - 1)


def is_head(request: str) -> bool:
    return asked_range(request) == (0, HEAD_BYTES - 1)


def part(request: str, *, more: str = "", length: int | None = None) -> str:
    """The head of a true answer to a range request."""
    start, end = asked_range(request)
    size = end - start + 1 if length is None else length
    return (
        f"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{end}/{SIZE}\r\nContent-Length: {size}\r\n"
        f"{more}Connection: close\r\n\r\n"
    )


def honest_head(then: Answer) -> Answer:
    """Well-behaved for the first bytes, as long as nothing of the file is read."""

    def answer(request: str) -> Iterable[bytes]:
        if is_head(request):
            return [part(request).encode(), bytes(HEAD_BYTES)]
        return then(request)

    return answer


def read_all(server: WireServer, fetching: Fetching = QUICK) -> None:
    with closing(open_media(server.url(), fetching)) as media, media.open() as file:
        while file.read(MIB):
            pass
        media.raise_failure()


def chunked(head: str) -> Iterator[bytes]:
    yield head.encode()
    while True:
        yield b"10000\r\n" + bytes(2**16) + b"\r\n"


BODIES: dict[str, Answer] = {
    "no-length": lambda request: endless(re.sub(r"Content-Length.*\r\n", "", part(request))),
    "too-long": lambda request: endless(part(request, length=10**12)),
    "chunked": lambda request: chunked(re.sub(r"Content-Length.*", "Transfer-Encoding: chunked\r", part(request))),
    "whole-file": lambda _: endless("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"),
    "multipart": lambda _: endless(
        "HTTP/1.1 206 Partial Content\r\nContent-Type: multipart/byteranges; boundary=x\r\nConnection: close\r\n\r\n"
    ),
    "other-range": lambda _: endless(
        f"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-{SIZE - 1}/{SIZE}\r\nConnection: close\r\n\r\n"
    ),
    "huge-range": lambda _: endless(
        f"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-{'9' * 5000}/{'9' * 5000}\r\nConnection: close\r\n\r\n"
    ),
    "error": lambda _: endless("HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n\r\n"),
    "redirect": lambda _: endless("HTTP/1.1 302 Found\r\nLocation: /b.mp4\r\nConnection: close\r\n\r\n"),
}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("begins_well", [True, False])
def test_an_endless_body_is_not_taken(body: str, begins_well: bool) -> None:
    answer = honest_head(BODIES[body]) if begins_well else BODIES[body]
    fetching = QUICK.model_copy(update={"spool_bytes": 1 * MIB})
    with WireServer(answer) as server:
        with pytest.raises(VideoError):
            read_all(server, fetching)
        assert server.sent_bytes < MOST_TAKEN_A_REQUEST * len(server.requests)
        assert len(server.requests) <= 1 + 11 * QUICK.tries


def test_a_copy_ends_where_the_file_was_said_to_end() -> None:
    def answer(request: str) -> Iterable[bytes]:
        if "Range" in request:
            return [f"HTTP/1.1 200 OK\r\nContent-Length: {MIB}\r\nConnection: close\r\n\r\n".encode(), bytes(MIB)]
        return endless("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")

    with WireServer(answer) as server:
        with pytest.raises(VideoReadError, match="more than its 1048576 bytes were received"):
            read_all(server, PATIENT)
        assert server.sent_bytes < MOST_TAKEN_A_REQUEST * len(server.requests)


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "br", "zstd", "identity, gzip", "GZIP"])
def test_compressed_answers_are_refused_unread(encoding: str) -> None:
    bomb = gzip.compress(bytes(64 * MIB))

    def answer(request: str) -> Iterable[bytes]:
        assert "Accept-Encoding: identity" in request
        return [part(request, more=f"Content-Encoding: {encoding}\r\n", length=len(bomb)).encode(), bomb]

    with WireServer(answer) as server, pytest.raises(VideoReadError, match="compresses its answers"):
        read_all(server, PATIENT)


TRICKLES: dict[str, Answer] = {
    "body": lambda request: itertools.chain([part(request).encode()], trickled(bytes(10**6))),
    "chunked": lambda _: itertools.chain(
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
        (piece for _ in range(10**6) for piece in trickled(b"1\r\n0\r\n")),
    ),
    "whole": lambda _: itertools.chain([b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"], trickled(bytes(10**6))),
    "headers": lambda _: itertools.chain([b"HTTP/1.1 200 OK\r\n"], trickled(b"X-Some: header\r\n" * 10**6)),
    "interim": lambda _: (piece for _ in range(10**6) for piece in trickled(b"HTTP/1.1 102 Processing\r\n\r\n")),
}


@pytest.mark.parametrize("trickle", TRICKLES)
@pytest.mark.parametrize("begins_well", [True, False])
def test_a_trickle_ends_with_its_cause(trickle: str, begins_well: bool) -> None:
    answer = honest_head(TRICKLES[trickle]) if begins_well else TRICKLES[trickle]
    began = time.monotonic()
    with WireServer(answer) as server, pytest.raises(VideoReadError, match=r"its server .*; tried 2 times"):
        read_all(server)
    assert time.monotonic() - began < 30


def test_the_rate_that_is_wanted_is_named() -> None:
    with (
        WireServer(TRICKLES["body"]) as server,
        pytest.raises(VideoReadError, match=r"sent \d+ bytes in .* s, and fetching.least_bytes_per_second is 10000"),
    ):
        content_id(server.url(), QUICK)


def test_a_slow_link_above_the_rate_lives() -> None:
    content = bytes(HEAD_BYTES + 60_000)

    def slowly(request: str) -> Iterator[bytes]:
        start, end = asked_range(request)
        end = min(end, len(content) - 1)
        yield (
            f"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{end}/{len(content)}\r\n"
            f"Content-Length: {end - start + 1}\r\nConnection: close\r\n\r\n"
        ).encode()
        for place in range(start, end + 1, 2000):
            yield content[place : min(place + 2000, end + 1)]
            time.sleep(0.08)

    # A busy machine makes the link slower still.
    patient = QUICK.model_copy(update={"timeout_seconds": 1.5, "least_bytes_per_second": 1000})
    began = time.monotonic()
    with WireServer(slowly) as server, closing(open_remote(server.url(), patient)) as media, media.open() as file:
        assert file.read() == content
    assert time.monotonic() - began > 1.5


def test_endless_headers_are_refused() -> None:
    with WireServer(lambda _: endless("HTTP/1.1 200 OK\r\n", b"X-Some: header\r\n" * 1000)) as server:
        with pytest.raises(VideoReadError, match="the connection was lost"):
            read_all(server)
        assert server.sent_bytes < MOST_TAKEN_A_REQUEST * len(server.requests)


def test_redirects_end() -> None:
    with WebServer() as server:
        counter = itertools.count()
        server.redirect = lambda: f"/{next(counter)}.mp4"
        with pytest.raises(VideoError, match="redirects more than 10 times"):
            content_id(server.url("a.mp4"), QUICK)
        assert len(server.requests) == 11


@pytest.mark.parametrize("name", ["m.csv", "m.jsonl", "m.parquet", "list.txt"])
@pytest.mark.parametrize("fault", ["endless", "trickle"])
def test_lists_and_manifests_are_bounded_too(name: str, fault: str) -> None:
    endless_text = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    answers = {"endless": lambda _: endless(endless_text, b"a.mp4\n" * 10_000), "trickle": TRICKLES["whole"]}
    fetching = QUICK.model_copy(update={"spool_bytes": 1 * MIB})
    with WireServer(answers[fault]) as server:
        with pytest.raises(SourceError, match=r"cannot be read: (it must be copied|its server sent)"):
            list(expand([server.url(name)], fetching))
        assert server.sent_bytes < MOST_TAKEN_A_REQUEST * len(server.requests)


def test_a_list_is_read_up_to_a_size(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("pipeline.sources.expansion._MAX_LIST_BYTES", 20)
    (tmp_path / "list.txt").write_text("a.mp4\n" * 3)
    assert list(expand([str(tmp_path / "list.txt")])) == [Source(str(tmp_path / "a.mp4"))]
    (tmp_path / "list.txt").write_text("a.mp4\n" * 4)
    with pytest.raises(SourceError, match="is larger than 20 bytes; split it"):
        list(expand([str(tmp_path / "list.txt")]))
