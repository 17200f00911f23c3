from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import numpy as np
import pytest
from milvus_server import MilvusServer
from pymilvus.exceptions import MilvusException

from pipeline.errors import MomentIndexError, QueryError
from pipeline.index import Indexing, MilvusIndex
from pipeline.index.milvus.connection import _to_server, is_temporary
from pipeline.index.milvus.rows import _batches
from pipeline.index.settings import Flat
from pipeline.testing.index import DIMENSION, random_rows, row, unit
from pipeline.types import IndexedSegment, Segment


class Refusing:
    """A client in front of a real one, which refuses some requests as an overloaded server does."""

    def __init__(self, client: object, error: Exception, times: int) -> None:
        self._client = client
        self._error = error
        self.times = times
        self.close = client.close  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> object:
        if self.times:
            self.times -= 1
            raise self._error
        return getattr(self._client, name)


@pytest.mark.parametrize(
    ("code", "message", "passes"),
    [
        (2, "Fail connecting to server", True),
        (101, "collection not loaded", True),
        (8, "request is rejected: rate limit exceeded", True),
        (65535, "quota exceeded[reason=rate limit]", True),
        (65535, "fail to search: node offline", True),
        (1, "wait for loading collection timeout, collection: a", True),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded", True),
        (grpc.StatusCode.UNAVAILABLE, "connection refused", True),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "too many requests", True),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "received message larger than max (70000000 vs. 67108864)", False),
        (grpc.StatusCode.UNAUTHENTICATED, "auth check failure", False),
        (100, "collection not found", False),
        (65535, "invalid index type: NOPE", False),
        (1, "collection 'a' already exists", False),
        (1100, "the dim (3) of field data(embedding) is not equal to schema dim (16)", False),
    ],
)
def test_what_passes_is_told_from_what_does_not(code: object, message: str, passes: bool) -> None:
    assert is_temporary(MilvusException(code=code, message=message)) is passes


@pytest.fixture
def index(tmp_path: Path) -> Iterator[MilvusIndex]:
    with MilvusIndex(Indexing(patience_seconds=5), "abc", DIMENSION, folder=tmp_path) as opened:
        opened.upsert(random_rows(20))
        yield opened


def refuse(index: MilvusIndex, times: int, code: int = 8, message: str = "rate limit exceeded") -> Refusing:
    error = MilvusException(code=code, message=message)
    refusing = Refusing(index._connection._client, error, times)
    index._connection._client = refusing
    return refusing


def test_a_refused_write_is_made_again_and_said_once(index: MilvusIndex, caplog: pytest.LogCaptureFixture) -> None:
    refusing = refuse(index, times=3)
    with caplog.at_level(logging.WARNING, logger="pipeline.index"):
        index.upsert([row("new", 0, unit(1))])
    assert (refusing.times, index.count()) == (0, 21)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "rate limit exceeded; retrying for 5 s" in said[0]
    assert "answers again" in said[1]


def test_what_does_not_pass_is_an_error_at_once(index: MilvusIndex) -> None:
    refusing = refuse(index, times=5, code=1100, message="invalid parameter")
    started = time.monotonic()
    with pytest.raises(MomentIndexError, match="invalid parameter"):
        index.upsert([row("new", 0, unit(1))])
    assert refusing.times == 4
    assert time.monotonic() - started < 4, "sooner than its patience of 5 s ends"


@pytest.mark.parametrize("cause", ["[Errno 28] No space left on device", "[Errno 122] Disk quota exceeded: '/x'"])
def test_a_full_disk_says_what_to_do(index: MilvusIndex, cause: str) -> None:
    refuse(index, times=1, code=1, message=f"[upsert_rows] Retry run out of 0 retry times, message={cause}")
    with pytest.raises(
        MomentIndexError, match=r"there is no space left on the device .* free some space and run the same"
    ) as caught:
        index.upsert([row("new", 0, unit(1))])
    assert "Retry run out" not in str(caught.value)
    index.upsert([row("new", 0, unit(1))])
    assert index.count() == 21


def test_patience_ends(tmp_path: Path) -> None:
    with MilvusIndex(Indexing(patience_seconds=0.5), "abc", folder=tmp_path) as index:
        refuse(index, times=100)
        with pytest.raises(MomentIndexError, match=r"rate limit.*gave up after \d s.*index\.patience_seconds"):
            index.count()


def test_each_request_is_made_once_and_for_a_limited_time(index: MilvusIndex) -> None:
    """By itself pymilvus repeats a request 75 times, and waits without limit until a collection is loaded."""
    asked: dict[str, dict[str, object]] = {}

    class Noting(Refusing):
        def __getattr__(self, name: str) -> object:
            method = getattr(self._client, name)
            return lambda *args, **options: (asked.update({name: options}), method(*args, **options))[1]

    index._connection._client = Noting(index._connection._client, RuntimeError(), 0)
    index.upsert([row("new", 0, unit(1))])
    index.search(unit(1)[None], top=3)
    index.delete_video("new")
    assert index.videos()
    assert {"has_collection", "describe_collection", "search", "upsert", "query_iterator", "query"} <= asked.keys()
    assert asked.pop("load_collection")["timeout"] == 20
    assert {name for name, options in asked.items() if options.get("retry_times") != 0} == set()


def test_a_server_that_lives_and_does_not_answer_meets_a_deadline() -> None:
    let_go = threading.Event()
    method = grpc.unary_unary_rpc_method_handler(lambda _request, _context: let_go.wait(30) or b"")
    handlers = grpc.method_handlers_generic_handler("any.Service", {"Ask": method})
    server = grpc.server(futures.ThreadPoolExecutor(1), handlers=[handlers])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        options = list(_to_server(request_seconds=0.5).items())
        with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
            started = time.monotonic()
            with pytest.raises(grpc.RpcError) as raised:
                channel.unary_unary("/any.Service/Ask")(b"")
        assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert time.monotonic() - started < 20
    finally:
        let_go.set()
        server.stop(None).wait()


def test_more_hits_than_milvus_gives_are_a_wrong_question(index: MilvusIndex) -> None:
    with pytest.raises(QueryError, match=r"at most 16384 segments.*16385 were requested"):
        index.search(unit(1)[None], top=16_385)


def test_requests_are_cut_by_rows_and_by_bytes() -> None:
    vector = np.zeros(8192, np.float32)
    vector[0] = 1
    wide = [IndexedSegment(f"k{n}", Segment("v", n, n + 1, n), vector) for n in range(1100)]
    sizes = [len(batch) for batch in _batches(wide)]
    assert sum(sizes) == 1100
    assert max(sizes) * 8192 * 4 <= 16 * 2**20
    assert [len(batch) for batch in _batches(random_rows(2500))] == [1000, 1000, 500]


@pytest.mark.milvus_server
def test_rows_wider_than_a_request_are_all_written(milvus_collection: Indexing) -> None:
    vector = np.zeros(8192, np.float32)
    vector[0] = 1
    rows = [IndexedSegment(f"k{n}", Segment("v", n, n + 1, n), vector) for n in range(2200)]
    with MilvusIndex(milvus_collection.model_copy(update={"kind": Flat()}), "abc", 8192) as index:
        index.upsert(rows)
        assert index.count() == 2200


@pytest.mark.slow
@pytest.mark.milvus_server
def test_a_server_that_is_away_for_half_a_minute_is_waited_for(
    milvus_collection: Indexing, milvus_server: MilvusServer
) -> None:
    rows = random_rows(4000, videos=8)
    settings = milvus_collection.model_copy(update={"patience_seconds": 240})
    with MilvusIndex(settings, "abc", DIMENSION) as index:
        index.upsert(rows[:1000])
        milvus_server.stop()
        back = threading.Timer(30, milvus_server.start)
        back.start()
        for first in range(1000, 4000, 500):
            index.upsert(rows[first : first + 500])
        index.delete_video("v7")
        back.join()
        assert index.videos() == {f"v{n}": 500 for n in range(7)}
        assert len(index.search(rows[0].vector[None], top=10)[0]) == 10


@pytest.mark.milvus_server
def test_without_patience_a_server_that_is_away_is_an_error(
    milvus_collection: Indexing, milvus_server: MilvusServer
) -> None:
    with MilvusIndex(milvus_collection.model_copy(update={"patience_seconds": 0}), "abc", DIMENSION) as index:
        index.upsert(random_rows(10))
        milvus_server.stop()
        with pytest.raises(MomentIndexError, match=r"cannot .* the index.*patience_seconds"):
            index.upsert(random_rows(10))
        milvus_server.start()
