"""Answers from the live rows of a Milvus Lite folder: the same as Milvus Lite's own, and as those of an exact index."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from milvus_lite.adapter.grpc.servicer import MilvusServicer

from pipeline.index import Filter, Hit, Indexing, LabelFilter, MemoryIndex, MilvusIndex
from pipeline.index.milvus.lite import live_views
from pipeline.index.milvus.lite.exact_service import ExactService
from pipeline.index.milvus.rows import MilvusRows
from pipeline.testing.index import DIMENSION, labelled, random_rows, row, unit
from pipeline.types import IndexedSegment

VALUES = ("gate", "yard", "", 1, 1.0, True, 0, -3, 0.5)
LABELS = ("person", "car", 'a "b"')


@pytest.fixture
def asked_of_lite(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the requests that Milvus Lite itself answers."""
    asked: list[str] = []
    search, query = MilvusServicer.Search, MilvusServicer.Query

    def searched(*arguments: Any) -> Any:
        asked.append("Search")
        return search(*arguments)

    def queried(*arguments: Any) -> Any:
        asked.append("Query")
        return query(*arguments)

    monkeypatch.setattr(MilvusServicer, "Search", searched)
    monkeypatch.setattr(MilvusServicer, "Query", queried)
    return asked


@pytest.fixture
def index(tmp_path: Path) -> Iterator[MilvusIndex]:
    with MilvusIndex(Indexing(), "abc", DIMENSION, folder=tmp_path / "index") as index:
        yield index


def collection_of(index: MilvusIndex) -> Any:
    """Milvus Lite's own object of an index's collection."""
    lite = index._connection._lite
    assert lite is not None
    assert lite.reference._folder is not None
    return lite.reference._folder._engine.get_collection(index.collection)


def merge(index: MilvusIndex) -> None:
    """Wait until Milvus Lite has merged small segments."""
    collection_of(index)._wait_for_bg()


class World:
    """Random rows, filters and questions, and the exact index that knows the answers."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        self.exact = MemoryIndex(DIMENSION)
        # Rows share vectors, so there are ties.
        self.vectors = [unit(*self.numbers.normal(size=DIMENSION)) for _ in range(20)]

    def rows(self, most: int) -> list[IndexedSegment]:
        keys = {(self.rng.randrange(8), self.rng.randrange(40)) for _ in range(self.rng.randint(1, most))}
        return [self._row(f"v{video}", ordinal) for video, ordinal in sorted(keys)]

    def _row(self, video: str, ordinal: int) -> IndexedSegment:
        rng = self.rng
        metadata = {name: rng.choice(VALUES) for name in ("site", "day") if rng.random() < 0.7}
        made = row(video, ordinal, self.vector(), **metadata)
        if rng.random() < 0.4:
            return made
        some = [name for name in LABELS if rng.random() < 0.5]
        whole = tuple(name for name in some if rng.random() < 0.5)
        return labelled(made, *some, whole=whole, label_set=rng.choice(("s1", "s2")))

    def vector(self) -> npt.NDArray[np.float32]:
        return self.rng.choice(self.vectors) if self.rng.random() < 0.5 else unit(*self.numbers.normal(size=DIMENSION))

    def filter(self) -> Filter:
        rng = self.rng
        videos = tuple(f"v{rng.randrange(10)}" for _ in range(rng.choice((0, 0, 1, 4))))
        metadata = {name: rng.choice(VALUES) for name in ("site", "day", "other") if rng.random() < 0.2}
        wanted, unwanted = (tuple(name for name in LABELS if rng.random() < 0.3) for _ in range(2))
        labels = LabelFilter(rng.choice(("s1", "s2", "s3")), wanted, unwanted) if rng.random() < 0.3 else None
        return Filter(videos, metadata, labels)

    def check(self, index: MilvusIndex, monkeypatch: pytest.MonkeyPatch) -> None:
        """Compare counts, keys and one search, with a random filter, with those of both others."""
        assert (index.count(), index.video_count()) == (self.exact.count(), self.exact.video_count())
        videos = [f"v{self.rng.randrange(9)}" for _ in range(3)]
        assert index.keys_of(*videos) == self.exact.keys_of(*videos)
        queries = np.stack([self.vector() for _ in range(self.rng.choice((1, 1, 3)))])
        where, top = self.filter(), self.rng.choice((1, 5, 30, 1000))
        found = index.search(queries, top=top, where=where)
        with monkeypatch.context() as patched:
            patched.setattr(ExactService, "_searched", lambda *_: None)
            of_lite = index.search(queries, top=top, where=where)
        expected = self.exact.search(queries, top=10_000, where=where)
        for hits, hits_of_lite, ranking in zip(found, of_lite, expected, strict=True):
            check_hits(hits, ranking, top)
            assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in hits_of_lite], abs=1e-6)
            if len(hits) < top:
                assert {hit.key for hit in hits} == {hit.key for hit in hits_of_lite}


def check_hits(hits: list[Hit], ranking: list[Hit], top: int) -> None:
    """Compare hits with the ranking of all rows; of rows that tie for the last place, any may be among them."""
    by_key = {hit.key: hit for hit in ranking}
    assert len({hit.key for hit in hits}) == len(hits) == min(top, len(ranking))
    assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in ranking[:top]], abs=1e-5)
    for hit in hits:
        assert by_key[hit.key].segment == hit.segment
        assert by_key[hit.key].score == pytest.approx(hit.score, abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_random_writes_and_questions_are_answered_as_by_milvus_lite_and_exactly(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(seed)
    flush = MilvusRows._flush
    index = MilvusIndex(Indexing(), "abc", DIMENSION, folder=tmp_path / "index")
    for step in range(25):
        # A process that is killed between a write and its flush leaves rows in the log.
        monkeypatch.setattr(MilvusRows, "_flush", flush if world.rng.random() < 0.7 else lambda _: None)
        match world.rng.choice(("write", "write", "write", "delete", "replace", "reopen", "merge")):
            case "write":
                rows = world.rows(30)
                index.upsert(rows)
                world.exact.upsert(rows)
            case "delete":
                video = f"v{world.rng.randrange(9)}"
                assert index.delete_video(video) == world.exact.delete_video(video), step
            case "replace" if index.count():
                rows = world.rows(50)
                for each in (index, world.exact):
                    with each.replacement(DIMENSION) as fresh:
                        fresh.upsert(rows)
                        fresh.take_over()
            case "reopen":
                index.close()
                index = MilvusIndex(Indexing(), "abc", DIMENSION, folder=tmp_path / "index")
            case "merge" if index.count():
                merge(index)
        world.check(index, monkeypatch)
    index.close()


def test_questions_of_momentseek_are_not_left_to_milvus_lite(index: MilvusIndex, asked_of_lite: list[str]) -> None:
    index.upsert(random_rows(30))
    for where in (None, Filter(("v0",)), Filter(metadata={"a": 1}), Filter(labels=LabelFilter("s", ("a",), ("b",)))):
        index.search(unit(1)[None], top=5, where=where)
    assert (index.count(), index.video_count(), len(index.keys_of("v0", "v1"))) == (30, 1, 20)
    assert asked_of_lite == []


def test_other_questions_are_left_to_milvus_lite(index: MilvusIndex, asked_of_lite: list[str]) -> None:
    index.upsert(random_rows(30))
    search: dict[str, Any] = {
        "data": [unit(1)],
        "limit": 40,
        "anns_field": "embedding",
        "output_fields": ["key", "video_id", "start_seconds", "end_seconds", "ordinal"],
        "search_params": {"metric_type": "COSINE"},
    }

    def searched(**changed: Any) -> int:
        (hits,) = index._connection.ask("search", lambda client: client.search(index.collection, **search | changed))
        return len(hits)

    def queried(expression: str, **changed: Any) -> int:
        ask = index._connection.ask
        return len(ask("read", lambda client: client.query(index.collection, filter=expression, **changed)))

    assert searched() == 30
    assert asked_of_lite == []
    assert searched(filter="ordinal > 20") == 9
    assert searched(filter='video_id == "v0"') == 10
    assert searched(offset=25) == 5
    assert searched(search_params={"metric_type": "COSINE", "params": {"radius": 0.0}}) < 30
    assert searched(search_params={"metric_type": "L2"}) == 30
    assert searched(group_by_field="video_id") == 3
    assert searched(output_fields=["metadata"]) == 30
    assert searched(partition_names=["_default"]) == 30
    assert asked_of_lite == ["Search"] * 8
    assert queried("ordinal > 20", output_fields=["key"]) == 9
    assert queried('video_id in ["v0"]', output_fields=["key"], limit=2) == 2
    assert queried('video_id in ["v0"]', output_fields=["video_id"]) == 10
    assert queried('video_id in ["v0"]', output_fields=["count(*)"]) == 1
    assert asked_of_lite[8:] == ["Query"] * 4


def test_errors_are_those_of_milvus_lite(index: MilvusIndex, asked_of_lite: list[str]) -> None:
    index.upsert(random_rows(3))
    vectors, ask = np.ones((1, DIMENSION + 1), np.float32), index._connection.ask
    for what in (
        lambda client: client.search(
            index.collection,
            data=list(vectors),
            anns_field="embedding",
            search_params={"metric_type": "COSINE"},
            output_fields=["key", "video_id", "start_seconds", "end_seconds", "ordinal"],
        ),
        lambda client: client.query("nowhere", filter="", output_fields=["count(*)"]),
    ):
        with pytest.raises(Exception, match=r"dim|nowhere|mismatch|matmul"):
            ask("search", what)
    assert "Search" in asked_of_lite


def test_a_row_that_milvus_lite_buffers_is_found_and_one_that_it_deletes_is_not(
    index: MilvusIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.upsert([row("v0", 0, unit(1)), row("v1", 0, unit(0, 1))])
    monkeypatch.setattr(MilvusRows, "_flush", lambda _: None)
    index.upsert([row("v0", 0, unit(0, 0, 1)), row("v2", 0, unit(1))])
    index.delete_video("v1")
    assert [hit.key for hit in index.search(unit(1)[None], top=9)[0]] == ["v2-0", "v0-0"]
    assert index.count() == index.video_count() == 2
    index.upsert([row("v1", 0, unit(1, 1))])
    assert [hit.key for hit in index.search(unit(1)[None], top=9)[0]] == ["v2-0", "v1-0", "v0-0"]


def test_what_is_known_of_a_segment_is_kept_when_another_is_written(
    index: MilvusIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    rows_of = live_views.SegmentRows

    def counted(segment: Any) -> Any:
        made.append(segment.num_rows)
        return rows_of(segment)

    monkeypatch.setattr(live_views, "SegmentRows", counted)
    index.upsert(random_rows(30))
    for _ in range(3):
        index.search(unit(1)[None], top=5)
    index.upsert([row("w", 0, unit(1))])
    index.search(unit(1)[None], top=5)
    assert made == [30, 1]


def test_a_question_does_not_wait_for_a_merge_of_segments(index: MilvusIndex) -> None:
    index.upsert(random_rows(30))
    before = index.search(unit(1)[None], top=5)
    merging, is_over = threading.Event(), threading.Event()

    def merge() -> None:
        with collection_of(index)._maintenance_lock:
            merging.set()
            is_over.wait(30)

    thread = threading.Thread(target=merge)
    thread.start()
    merging.wait(30)
    assert index.search(unit(1)[None], top=5) == before
    assert not is_over.is_set()
    is_over.set()
    thread.join()


@pytest.mark.parametrize("length", [0.9995, 1.0005])
def test_vectors_are_compared_by_their_direction(index: MilvusIndex, length: float) -> None:
    index.upsert([row("v0", n, np.asarray(length * unit(1, n), np.float32)) for n in range(4)])
    scores = [hit.score for hit in index.search(unit(1)[None], top=4)[0]]
    assert scores == pytest.approx([1 / (1 + n * n) ** 0.5 for n in range(4)], abs=1e-6)


def test_a_dropped_collection_is_forgotten(index: MilvusIndex) -> None:
    index.upsert(random_rows(30))
    index.search(unit(1)[None], top=5)
    lite = index._connection._lite
    assert lite is not None
    assert lite.reference._folder is not None
    index._connection.ask("write to", lambda client: client.drop_alias(index.collection))
    index._connection.ask("write to", lambda client: client.drop_collection(f"{index.collection}_1"))
    index._forget()
    assert index.search(unit(1)[None], top=5) == [[]]
    index.upsert(random_rows(6))
    assert len(index.search(unit(1)[None], top=99)[0]) == index.count() == 6
