"""The books of a batch, with a real store and a real index, at times that a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.errors import FingerprintMismatchError, IndexLockedError, MomentIndexError, StoreError, StoreFullError
from pipeline.execution import LibrarySink, StoreSink, stage_times
from pipeline.execution.ledger import ledger
from pipeline.execution.ledger.ledger import Ledger
from pipeline.execution.per_video.messages import Failure, Lost, VideoEnd
from pipeline.index import MemoryIndex
from pipeline.segment import FixedWindows, MeanPooling
from pipeline.segment.row_recipe import RowRecipe
from pipeline.store import ParquetStore
from pipeline.testing.index import row
from pipeline.testing.store import made_frames, made_record
from pipeline.types import FrameEmbeddings, IndexedSegment, Scalar, Source, Status, VideoRecord, VideoReport

FOREVER = 1e9


class ToldIndex(MemoryIndex):
    """Notes what is asked of it, and fails where a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.error: MomentIndexError | None = None
        self.fails_at: tuple[str, ...] = ()
        self.refused: str | None = None
        self.on_upsert: Callable[[], None] = lambda: None

    def upsert(self, rows: Sequence[IndexedSegment]) -> None:
        self.on_upsert()
        self._note("upsert", *sorted({row.segment.video_id for row in rows}))
        if any(row.segment.video_id == self.refused for row in rows):
            raise MomentIndexError("these rows are refused")
        super().upsert(rows)

    def delete_video(self, video_id: str) -> int:
        self._note("delete_video", video_id)
        return super().delete_video(video_id)

    def keys_of(self, *video_ids: str) -> frozenset[str]:
        self._note("keys_of", *video_ids)
        return super().keys_of(*video_ids)

    def count(self) -> int:
        self._note("count")
        return super().count()

    def _note(self, name: str, *video_ids: str) -> None:
        self.asked.append((name, video_ids))
        if self.error is not None and name in self.fails_at:
            raise self.error


class ToldStore(ParquetStore):
    """Fails to write where a test says so."""

    def write(self, record: VideoRecord, frames: FrameEmbeddings) -> None:
        error = _REFUSED.get(record.video_id)
        if error is not None:
            raise error
        super().write(record, frames)


_REFUSED: dict[str, Exception] = {}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Books:
    """A store, an index, and ledgers over them."""

    store: ParquetStore
    index: ToldIndex
    clock: Clock
    sink: LibrarySink

    def ledger(self, *, rows_per_write: int = 1000, max_wait_seconds: float = FOREVER) -> Ledger:
        return Ledger(self.sink, rows_per_write=rows_per_write, max_wait_seconds=max_wait_seconds)

    def kept(self, *video_ids: str, metadata: dict[str, Scalar] | None = None) -> None:
        """Have videos indexed by a batch before."""
        before = self.ledger()
        for video_id in video_ids:
            assert done(before, video_id, metadata=metadata)
        before.flush()
        self.index.asked.clear()


def source(video_id: str, metadata: dict[str, Scalar] | None = None) -> Source:
    return Source(f"/videos/{video_id}.mp4", metadata or {})


def frames_of(video_id: str, count: int = 6) -> FrameEmbeddings:
    return replace(made_frames(video_id, count), times_seconds=np.arange(count) * 1.0, duration_seconds=float(count))


def end_of(count: int = 6) -> VideoEnd:
    return VideoEnd(
        info=made_record().info,
        duration_seconds=float(count),
        covered_seconds=float(count),
        frames_decoded=count,
        frames_seen=count,
        batches=1,
        cuts_seconds=None,
        seen_until_seconds=None,
        damage=(),
    )


def done(book: Ledger, video_id: str, *, count: int = 6, metadata: dict[str, Scalar] | None = None) -> bool:
    """Admit a video and finish it; whether it was admitted."""
    if not book.admit(source(video_id, metadata), video_id):
        return False
    book.finish(source(video_id, metadata), frames_of(video_id, count), end_of(count))
    return True


def said(reports: Iterator[VideoReport]) -> list[tuple[str, Status, str | None]]:
    return [(Path(each.source.uri).stem, each.status, each.problem) for each in reports]


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Books:
    clock = Clock()
    monkeypatch.setattr(ledger, "time", SimpleNamespace(monotonic=clock))
    monkeypatch.setattr(stage_times, "time", SimpleNamespace(perf_counter=clock, monotonic=clock))
    monkeypatch.setattr(f"{__name__}._REFUSED", {})
    store, index = ToldStore(str(tmp_path), "s", "e"), ToldIndex()
    sink = LibrarySink(
        store=store,
        recipe=RowRecipe(
            segmenter=FixedWindows(length_seconds=2.0, overlap_seconds=0.0), aggregator=MeanPooling(), fingerprint="w"
        ),
        index=index,
    )
    return Books(store, index, clock, sink)


def keys(video_id: str) -> set[str]:
    return {f"{video_id}-w-{ordinal}" for ordinal in range(3)}


def stray(video_id: str) -> IndexedSegment:
    """A row of another segmentation, as a batch that was killed leaves it."""
    return row(video_id, 9, made_frames().vectors[0], key=f"{video_id}-old-9")


def test_the_report_of_a_written_video_comes_once_its_rows_are_in_the_index(books: Books) -> None:
    book = books.ledger()
    assert done(book, "a")
    assert list(book.reports()) == []
    assert books.store.record("a") is not None
    assert books.index.count() == 0
    [report] = book.reports(all_written=True)
    assert (report.status, report.segments, books.index.keys_of("a")) == (Status.DONE, 3, keys("a"))
    assert list(book.reports(all_written=True)) == []
    assert book.counts.ended == 1


def test_rows_are_written_as_soon_as_there_are_enough(books: Books) -> None:
    book = books.ledger(rows_per_write=6)
    done(book, "a")
    assert list(book.reports()) == []
    done(book, "b")
    assert [name for name, *_ in said(book.reports())] == ["a", "b"]
    assert ("upsert", ("a", "b")) in books.index.asked
    done(book, "c")
    assert list(book.reports()) == []


def test_a_video_waits_no_longer_than_the_patience(books: Books) -> None:
    book = books.ledger(max_wait_seconds=5.0)
    books.clock.now += 100
    done(book, "a")
    books.clock.now += 4
    done(book, "b")
    books.clock.now += 1
    assert list(book.reports()) == []
    books.clock.now += 0.5
    assert len(list(book.reports())) == 2
    done(book, "c")
    books.clock.now += 5
    assert list(book.reports()) == []
    books.clock.now += 0.5
    assert len(list(book.reports())) == 1


@pytest.mark.parametrize(("write_seconds", "waits_seconds"), [(0.05, 1.0), (0.3, 3.0), (7.0, 10.0)])
def test_where_writing_is_slow_more_is_gathered_but_not_for_ever(
    books: Books, write_seconds: float, waits_seconds: float
) -> None:
    def take_long() -> None:
        books.clock.now += write_seconds

    book = books.ledger(max_wait_seconds=1.0)
    books.index.on_upsert = take_long
    done(book, "a")
    assert len(list(book.reports(all_written=True))) == 1
    for video_id in ("b", "c"):
        done(book, video_id)
        books.clock.now += 0.99 * waits_seconds
        assert list(book.reports()) == []
        books.clock.now += 0.02 * waits_seconds
        assert len(list(book.reports())) == 1


@pytest.mark.parametrize("other", [{}, {"camera": 1}])
def test_new_metadata_is_not_in_the_store_before_the_old_rows_are_out_of_the_index(
    books: Books, other: dict[str, Scalar]
) -> None:
    books.kept("a", metadata=other or {"camera": "before"})
    before = books.store.record("a")
    books.index.error, books.index.fails_at = MomentIndexError("the index is away"), ("delete_video",)
    with pytest.raises(MomentIndexError, match="away"):
        books.ledger().admit(source("a", {"camera": 2}), "a")
    # The next batch sees that something is to be done.
    assert books.store.record("a") == before
    books.index.error = None
    book = books.ledger()
    assert not book.admit(source("a", {"camera": 2}), "a")
    [(_, status, problem)] = said(book.reports(all_written=True))
    assert (status, problem) == (Status.SKIPPED, "already indexed; its metadata was replaced")
    assert {row.metadata["camera"] for row in books.index.rows_of(["a"])} == {2}
    assert books.index.keys_of("a") == keys("a")


def test_a_batch_that_ends_after_new_metadata_was_stored_is_mended_by_the_next(books: Books) -> None:
    books.kept("a", metadata={"camera": 1})
    books.ledger().admit(source("a", {"camera": 2}), "a")
    assert books.index.keys_of("a") == frozenset()
    book = books.ledger()
    book.admit(source("a", {"camera": 2}), "a")
    [(_, _, problem)] = said(book.reports(all_written=True))
    assert problem == "already indexed; its 3 rows were missing from the index and were written again"
    assert {row.metadata["camera"] for row in books.index.rows_of(["a"])} == {2}


def test_a_video_that_is_well_is_only_asked_for(books: Books) -> None:
    books.kept("a", "b")
    book = books.ledger()
    for video_id in ("a", "b"):
        assert not book.admit(source(video_id), video_id)
    assert list(book.reports()) == []
    assert said(book.reports(all_written=True)) == [(name, Status.SKIPPED, "already indexed") for name in ("a", "b")]
    assert books.index.asked == [("keys_of", ("a", "b"))]


def test_surplus_rows_beside_complete_ones_are_removed(books: Books) -> None:
    books.kept("a", "b", "c")
    books.index.upsert([stray("b")])
    books.index.asked.clear()
    book = books.ledger()
    for video_id in ("a", "b", "c"):
        book.admit(source(video_id), video_id)
    reports = {name: problem for name, _, problem in said(book.reports(all_written=True))}
    assert reports == {
        "a": "already indexed",
        "b": "already indexed; its 3 rows were missing from the index and were written again",
        "c": "already indexed",
    }
    assert books.index.keys_of("a", "b", "c") == keys("a") | keys("b") | keys("c")
    assert [asked for asked in books.index.asked if asked[0] == "delete_video"] == [("delete_video", ("b",))]


@pytest.mark.parametrize("missing", [{"b-w-0"}, {"b-w-1", "b-w-2"}, {"b-w-0", "b-w-1", "b-w-2"}])
def test_one_row_that_is_missing_is_enough_to_write_all_of_its_video_again(books: Books, missing: set[str]) -> None:
    books.kept("a", "b", metadata={"site": "gate"})
    for key in missing:
        del books.index._rows[key]
    book = books.ledger()
    for video_id in ("a", "b"):
        book.admit(source(video_id), video_id)
    problems = {name: problem for name, _, problem in said(book.reports(all_written=True))}
    assert problems["a"] == "already indexed"
    assert "written again" in str(problems["b"])
    assert books.index.keys_of("b") == keys("b")
    assert {row.metadata["site"] for row in books.index.rows_of(["b"])} == {"gate"}


def test_surplus_rows_of_one_do_not_hide_what_another_misses(books: Books) -> None:
    books.kept("a", "b")
    books.index.upsert([stray("a")])
    del books.index._rows["b-w-1"]
    book = books.ledger()
    for video_id in ("a", "b"):
        book.admit(source(video_id), video_id)
    assert all("written again" in str(problem) for _, _, problem in said(book.reports(all_written=True)))
    assert books.index.keys_of("a") == keys("a")
    assert books.index.keys_of("b") == keys("b")


def test_many_known_videos_are_asked_for_in_one_go(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "_KNOWN_AT_ONCE", 3)
    books.kept("a", "b", "c", "d")
    book = books.ledger()
    for name in ("a", "b"):
        book.admit(source(name), name)
        assert list(book.reports()) == []
    assert books.index.asked == []
    book.admit(source("c"), "c")
    # Their reports are ready, and nothing else is written for them.
    assert [name for name, *_ in said(book.reports())] == ["a", "b", "c"]
    assert books.index.asked == [("keys_of", ("a", "b", "c"))]


def test_known_videos_wait_no_longer_than_others(books: Books) -> None:
    books.kept("a")
    book = books.ledger(max_wait_seconds=5.0)
    book.admit(source("a"), "a")
    books.clock.now += 4.9
    assert list(book.reports()) == []
    books.clock.now += 0.2
    assert len(list(book.reports())) == 1


def test_a_video_that_comes_later_does_not_make_a_known_one_wait_longer(books: Books) -> None:
    books.kept("a")
    book = books.ledger(max_wait_seconds=5.0)
    book.admit(source("a"), "a")
    books.clock.now += 4
    done(book, "b")
    books.clock.now += 1.5
    assert sorted(name for name, *_ in said(book.reports())) == ["a", "b"]


def test_a_source_that_says_no_metadata_leaves_what_is_kept(books: Books) -> None:
    books.kept("a", metadata={"site": "gate"})
    book = books.ledger()
    book.admit(source("a"), "a")
    assert said(book.reports(all_written=True)) == [("a", Status.SKIPPED, "already indexed")]
    record = books.store.record("a")
    assert record is not None
    assert record.metadata == {"site": "gate"}
    assert books.index.asked == [("keys_of", ("a",))]


@pytest.mark.parametrize("first", [{"site": "gate"}, {"site": "yard"}])
def test_the_first_metadata_of_a_known_video_counts_too(books: Books, first: dict[str, Scalar]) -> None:
    books.kept("a", metadata={"site": "gate"})
    book = books.ledger()
    for metadata in (first, {"site": "roof"}):
        book.admit(source("a", metadata), "a")
    last = said(book.reports(all_written=True))[-1]
    assert last[2] == "named twice in this batch; the metadata given first is used"
    record = books.store.record("a")
    assert record is not None
    assert record.metadata == first


def test_a_known_video_whose_file_cannot_be_read_fails_alone(books: Books, tmp_path: Path) -> None:
    books.kept("a", "b")
    (tmp_path / "frames" / "s-e" / "a.parquet").write_bytes(b"broken")
    book = books.ledger()
    for video_id in ("a", "b"):
        assert not book.admit(source(video_id), video_id)
    found = {name: (status, problem) for name, status, problem in said(book.reports(all_written=True))}
    assert found["b"] == (Status.SKIPPED, "already indexed")
    assert found["a"][0] is Status.FAILED
    assert "is broken" in str(found["a"][1])


def test_every_source_ends_in_one_report(books: Books) -> None:
    books.kept("known")
    book = books.ledger()
    for video_id in ("good", "bad", "known", "good", "bad", "known"):
        book.admit(source(video_id), video_id)
    book.admit(replace(source("odd"), metadata={"bad]name": 1}), "odd")
    book.fail(source("none"), Failure("there is no such file"))
    book.finish(source("good"), frames_of("good"), end_of())
    assert book.fail(source("bad"), Failure("the file is broken"), "bad") == []
    assert not book.admit(source("bad"), "bad")
    assert not book.admit(source("good"), "good")
    found = said(book.reports(all_written=True))
    assert sorted(name for name, _, _ in found) == ["bad"] * 3 + ["good"] * 3 + ["known"] * 2 + ["none", "odd"]
    counts = book.counts
    assert (counts.ended, counts.failed, counts.skipped) == (10, 5, 4)
    same = "named twice in this batch"
    assert [problem for name, _, problem in found if name == "bad"] == [
        "the file is broken",
        *[f"{same}, which failed: the file is broken"] * 2,
    ]
    assert [problem for name, _, problem in found if name == "good"] == [None, same, same]
    assert [problem for name, _, problem in found if name == "known"] == ["already indexed", same]


@pytest.mark.parametrize("failure", [Lost("its node left"), Failure("its server is silent", is_path_specific=True)])
def test_where_a_place_is_to_blame_its_copies_are_entered_again(books: Books, failure: Failure | Lost) -> None:
    book = books.ledger()
    first, copies = Source("/videos/a.mp4"), [Source("/videos/b.mp4"), Source("/videos/c.mp4")]
    assert book.admit(first, "v1")
    assert [book.admit(copy, "v1") for copy in copies] == [False, False]
    assert book.fail(first, failure, "v1") == copies
    assert said(book.reports(all_written=True)) == [("a", Status.FAILED, failure.problem)]
    assert [book.admit(copy, "v1") for copy in copies] == [True, False]
    book.finish(copies[0], frames_of("v1"), end_of())
    assert [(name, status) for name, status, _ in said(book.reports(all_written=True))] == [
        ("b", Status.DONE),
        ("c", Status.SKIPPED),
    ]
    assert not book.admit(first, "v1")


def test_the_first_metadata_that_a_batch_says_of_a_video_counts(books: Books) -> None:
    book = books.ledger()
    named = [Source(f"/videos/{n}.mp4", metadata) for n, metadata in enumerate(({}, {"site": "a"}, {"site": "b"}))]
    for each in named:
        book.admit(each, "v1")
    book.finish(named[0], frames_of("v1"), end_of())
    problems = [problem for _, _, problem in said(book.reports(all_written=True))]
    record = books.store.record("v1")
    assert record is not None
    assert (record.metadata, record.names) == ({"site": "a"}, tuple(each.uri for each in named))
    assert problems == [
        None,
        "same content as '/videos/0.mp4'",
        "same content as '/videos/0.mp4'; the metadata given first is used",
    ]
    assert not book.admit(Source("/videos/9.mp4", {"site": "c"}), "v1")
    [(_, _, late)] = said(book.reports(all_written=True))
    assert late == "same content as '/videos/0.mp4'; the metadata given first is used"
    assert {row.metadata["site"] for row in books.index.rows_of(["v1"])} == {"a"}


def test_metadata_that_a_later_source_says_first_is_taken(books: Books) -> None:
    book = books.ledger()
    done(book, "a")
    list(book.reports(all_written=True))
    assert not book.admit(source("a", {"site": "late"}), "a")
    [(_, status, problem)] = said(book.reports(all_written=True))
    assert (status, problem) == (Status.SKIPPED, "already indexed; its metadata was replaced")
    assert {row.metadata["site"] for row in books.index.rows_of(["a"])} == {"late"}


def test_time_is_counted_from_when_the_work_begins(books: Books) -> None:
    book = books.ledger()
    book.admit(source("a"), "a")
    books.clock.now += 100
    book.begin("a")
    books.clock.now += 7
    book.finish(source("a"), frames_of("a"), end_of())
    [report] = book.reports(all_written=True)
    assert report.elapsed_seconds == pytest.approx(7)
    book.admit(source("b"), "b")
    books.clock.now += 3
    book.fail(source("b"), Failure("broken"), "b")
    [failed] = book.reports()
    assert failed.elapsed_seconds == pytest.approx(3)


def test_a_place_that_holds_another_video_now_is_taken_from_the_one_before(books: Books) -> None:
    book = books.ledger()
    for video_id in ("v1", "v2"):
        book.admit(Source("/videos/cam.mp4"), video_id)
        book.finish(Source("/videos/cam.mp4"), frames_of(video_id), end_of())
    first, second = book.reports(all_written=True)
    assert (first.replaced, second.replaced) == ((), ("v1",))
    record = books.store.record("v1")
    assert record is not None
    assert (record.names, record.former_names) == ((), ("/videos/cam.mp4",))


def test_one_video_that_cannot_be_stored_fails_alone(books: Books) -> None:
    _REFUSED["bad"] = StoreError("cannot be written")
    book = books.ledger()
    for video_id in ("bad", "good"):
        done(book, video_id)
    assert said(book.reports(all_written=True)) == [
        ("bad", Status.FAILED, "cannot be written"),
        ("good", Status.DONE, None),
    ]
    assert books.index.keys_of("bad") == frozenset()


def test_a_full_disk_ends_the_batch(books: Books) -> None:
    _REFUSED["bad"] = StoreFullError("no space is left")
    with pytest.raises(StoreFullError):
        done(books.ledger(), "bad")


def test_the_video_whose_rows_are_refused_fails_alone(books: Books) -> None:
    books.index.refused = "bad"
    book = books.ledger()
    for video_id in ("a", "bad", "b"):
        done(book, video_id)
    books.clock.now += 5
    reports = {Path(each.source.uri).stem: each for each in book.reports(all_written=True)}
    assert {name: (each.status, each.problem) for name, each in reports.items()} == {
        "a": (Status.DONE, None),
        "bad": (Status.FAILED, "these rows are refused"),
        "b": (Status.DONE, None),
    }
    assert books.index.keys_of("a", "bad", "b") == keys("a") | keys("b")
    assert ("count", ()) in books.index.asked


@pytest.mark.parametrize(
    "error",
    [
        FingerprintMismatchError("another encoder's"),
        IndexLockedError("held by another process"),
        MomentIndexError("cannot write: No space left on device"),
    ],
)
def test_an_index_that_takes_no_row_at_all_ends_the_batch(books: Books, error: MomentIndexError) -> None:
    book = books.ledger()
    done(book, "a")
    done(book, "b")
    books.index.error, books.index.fails_at = error, ("upsert",)
    with pytest.raises(type(error)):
        book.flush()
    assert [name for name, _ in books.index.asked].count("upsert") == 1


def test_an_index_that_is_away_ends_the_batch(books: Books) -> None:
    book = books.ledger()
    done(book, "a")
    books.index.error, books.index.fails_at = MomentIndexError("away"), ("upsert", "count")
    with pytest.raises(MomentIndexError, match="away"):
        book.flush()


def test_a_video_without_rows_waits_as_others_do(books: Books) -> None:
    book = books.ledger(max_wait_seconds=5.0)
    books.clock.now += 100
    done(book, "a", count=0)
    assert list(book.reports()) == []
    books.clock.now += 4
    done(book, "b")
    books.clock.now += 1.5
    assert [(each.video_id, each.segments) for each in book.reports()] == [("a", 0), ("b", 3)]


def test_sources_that_come_while_a_video_waits_are_settled_in_their_order(books: Books) -> None:
    book = books.ledger()
    done(book, "a")
    for site in ("first", "second"):
        assert not book.admit(source("a", {"site": site}), "a")
    problems = [problem for _ in range(2) for _, _, problem in said(book.reports(all_written=True))]
    assert problems == [
        None,
        "already indexed; its metadata was replaced",
        "named twice in this batch; the metadata given first is used",
    ]
    assert {row.metadata["site"] for row in books.index.rows_of(["a"])} == {"first"}


def test_rows_of_another_segmentation_go_as_the_new_ones_come(books: Books) -> None:
    books.kept("a", "b")
    recipe = RowRecipe(segmenter=FixedWindows(length_seconds=3.0), aggregator=MeanPooling(), fingerprint="x")
    book = Ledger(replace(books.sink, recipe=recipe), rows_per_write=1000)
    book.admit(source("a"), "a")
    list(book.reports(all_written=True))
    assert {key.split("-")[1] for key in books.index.keys_of("a")} == {"x"}
    assert books.index.keys_of("b") == keys("b")


def test_a_sink_that_only_stores_gets_no_rows(books: Books) -> None:
    sink = StoreSink(books.store)
    book = Ledger(sink, rows_per_write=1000)
    done(book, "a")
    [first] = book.reports(all_written=True)
    assert not book.admit(source("a", {"camera": 2}), "a")
    [again] = book.reports(all_written=True)
    assert [(each.status, each.segments) for each in (first, again)] == [(Status.DONE, 0), (Status.SKIPPED, 0)]
    assert books.store.read("a").vectors.tolist() == frames_of("a").vectors.tolist()
    assert books.store.record("a").metadata == {"camera": 2}
    assert books.index.count() == 0


def test_seconds_of_store_and_index_are_counted(books: Books) -> None:
    def take_long() -> None:
        books.clock.now += 2

    books.index.on_upsert = take_long
    book = books.ledger()
    done(book, "a")
    list(book.reports(all_written=True))
    assert book.counts.index_seconds == pytest.approx(2)
    assert book.counts.store_seconds == pytest.approx(0)
