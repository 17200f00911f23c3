"""Requests of one collection at the edges of their size, with a real Milvus Lite and small requests."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pipeline.index import Filter, Indexing, Owner
from pipeline.index.milvus import rows as milvus_rows
from pipeline.index.milvus.collections import MilvusCollections
from pipeline.index.milvus.connection import MilvusConnection
from pipeline.index.milvus.rows import MilvusRows, _batches, ordered_hits
from pipeline.index.protocol import Hit
from pipeline.index.settings import Flat
from pipeline.testing.index import DIMENSION, row, unit
from pipeline.types import IndexedSegment, Segment


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusConnection]:
    connection = MilvusConnection(Indexing(), tmp_path_factory.mktemp("rows") / "index")
    yield connection
    connection.close()


@pytest.fixture
def small_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rows a request, and two videos a question."""
    monkeypatch.setattr(milvus_rows, "_ROWS_PER_REQUEST", 3)
    monkeypatch.setattr(milvus_rows, "_VIDEOS_PER_QUERY", 2)


@pytest.fixture
def rows(connection: MilvusConnection, small_requests: None) -> MilvusRows:
    name = f"rows{uuid.uuid4().hex[:8]}"
    MilvusCollections(connection, name, Owner("e1"), Flat()).create(DIMENSION)
    return MilvusRows(connection, name, "e1")


def rows_of(*counts: int) -> list[IndexedSegment]:
    return [row(f"v{n}", k, unit(1, n, k)) for n, count in enumerate(counts) for k in range(count)]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 6, 7])
def test_pages_are_read_to_the_last_row_and_each_row_once(rows: MilvusRows, count: int) -> None:
    rows.upsert(rows_of(count, 2))
    found = [each.key for each in rows.rows_of(["v0"])]
    assert sorted(found) == [f"v0-{k}" for k in range(count)]
    assert rows.videos() == {name: n for name, n in (("v0", count), ("v1", 2)) if n}
    assert rows.count() == count + 2
    assert rows.keys_of("v0") == set(found)
    assert rows.delete_video("v0") == count
    assert (rows.keys_of("v0"), rows.count()) == (frozenset(), 2)


def test_more_videos_than_a_question_names_are_all_asked_for(rows: MilvusRows) -> None:
    rows.upsert(rows_of(1, 1, 1, 1, 1))
    names = [f"v{n}" for n in range(5)]
    assert rows.keys_of(*names) == {f"{name}-0" for name in names}
    assert sorted(each.key for each in rows.rows_of(names)) == sorted(f"{name}-0" for name in names)
    assert rows.keys_of() == frozenset()
    assert rows.video_count() == 5


def test_a_row_comes_back_as_it_was_written(rows: MilvusRows) -> None:
    made = row("v0", 3, unit(1, 2, 3), site="straße", day=3, share=0.5)
    rows.upsert([made])
    [found] = rows.rows_of(["v0"])
    assert (found.key, found.segment, dict(found.metadata)) == (made.key, made.segment, dict(made.metadata))
    np.testing.assert_array_equal(found.vector, made.vector)


def test_a_search_waits_for_what_others_wrote_only_where_it_must(
    rows: MilvusRows, connection: MilvusConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows.upsert(rows_of(3))
    asked: list[str] = []
    search = type(connection._client).search

    def noted(*arguments: Any, **keywords: Any) -> Any:
        asked.append(keywords["consistency_level"])
        return search(*arguments, **keywords)

    monkeypatch.setattr(type(connection._client), "search", noted)
    for sees_all in (True, False):
        [hits] = rows.search(unit(1)[None], top=5, where=Filter(), effort={}, sees_all=sees_all)
        assert len(hits) == 3
    assert asked == ["Strong", "Session"]


def test_milvus_lite_is_flushed_after_each_write_and_a_server_never(
    rows: MilvusRows, connection: MilvusConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    flush = type(connection._client).flush

    def noted(client: Any, name: str, **keywords: Any) -> Any:
        flushed.append(name)
        return flush(client, name, **keywords)

    def flushes() -> list[int]:
        flushed.clear()
        counts = []
        for write in (lambda: rows.upsert(rows_of(4)), lambda: rows.delete_video("v0")) * 2:
            write()
            counts.append(len(flushed))
        rows.upsert([])
        rows.delete_video("v0")
        return [*counts, len(flushed)]

    monkeypatch.setattr(type(connection._client), "flush", noted)
    assert flushes() == [1, 2, 3, 4, 4]
    monkeypatch.setattr(connection, "is_lite", False)
    assert flushes() == [0, 0, 0, 0, 0]


def sized(*texts: int) -> list[IndexedSegment]:
    return [
        IndexedSegment(f"k{n}", Segment("v", n, n + 1, n), unit(1), {"a": "x" * size}) for n, size in enumerate(texts)
    ]


def test_requests_are_cut_by_what_their_rows_take(monkeypatch: pytest.MonkeyPatch) -> None:
    # 512 bytes beside the vector of 64, and the text with eight more.
    of_one = 4 * DIMENSION + 512 + 100 + len('{"a": ""}')
    monkeypatch.setattr(milvus_rows, "_BYTES_PER_REQUEST", 3 * of_one)
    assert [len(batch) for batch in _batches(sized(*[100] * 8))] == [3, 3, 2]
    assert [len(batch) for batch in _batches(sized(100, 100, 101, 100, 100, 100))] == [2, 2, 2]
    # One that is larger than a request goes alone.
    assert [len(batch) for batch in _batches(sized(10, 9000, 10))] == [1, 1, 1]
    assert list(_batches([])) == []


def test_requests_are_cut_by_the_number_of_rows(small_requests: None) -> None:
    assert [len(batch) for batch in _batches(sized(*[1] * 7))] == [3, 3, 1]
    assert [len(batch) for batch in _batches(sized(*[1] * 6))] == [3, 3]


def test_what_ties_with_the_first_of_a_run_is_ordered_by_key_and_no_more() -> None:
    def hit(key: str, score: float) -> Hit:
        return Hit(key, Segment("v", 0, 1, 0), score)

    # Each is within 1e-6 of its neighbour, and the third is not of the first.
    scores = {"c": 0.9, "b": 0.9 - 7e-7, "a": 0.9 - 1.4e-6, "d": 0.5}
    assert [each.key for each in ordered_hits([hit(*each) for each in scores.items()])] == ["b", "c", "a", "d"]
