"""The index in a Milvus Lite folder that is read from its files while no process has the folder open."""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from test_exact_service import World, merge

from pipeline.errors import FingerprintMismatchError, IndexDamagedError, MomentIndexError, QueryError
from pipeline.index import Filter, Hit, Indexing, MilvusIndex, MomentIndex, Owner, discard, open_index
from pipeline.index.milvus.lite_index import LiteIndex
from pipeline.index.milvus.schema import FIELDS, schema
from pipeline.index.protocol import Replacement
from pipeline.io.process_identity import lock_holder
from pipeline.testing.index import DIMENSION, LastingIndexContract, random_rows, row, unit
from pipeline.types import IndexedSegment

KILLED = """
import os, signal, sys
from pathlib import Path
from pipeline.index import Indexing, MilvusIndex
from pipeline.index.milvus.rows import MilvusRows
from pipeline.testing.index import row, unit
index = MilvusIndex(Indexing(), "abc", folder=Path(sys.argv[1]))
if sys.argv[2] == "unflushed":
    MilvusRows._flush = lambda _: None
index.upsert([row("killed", 0, unit(1))])
index.delete_video("v0")
os.kill(os.getpid(), signal.SIGKILL)
"""


class WrittenElsewhere:
    """A `LiteIndex` to which another index writes, which is closed after each write.

    Its searches and counts must therefore never open the folder, and see each write.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with self._writer():
            pass
        self._searched: LiteIndex | None = None

    def _writer(self) -> MilvusIndex:
        return MilvusIndex(Indexing(), "abc", DIMENSION, folder=self._folder)

    def _lite(self) -> LiteIndex | None:
        """The searched index; None while there is no collection, since Milvus Lite opens such a folder."""
        if self._searched is None and (self._folder / "collections" / "segments_1" / "manifest.json").exists():
            self._searched = LiteIndex(Indexing(), Owner("abc"), self._folder)
        if self._searched is not None:
            assert self._searched._collection() is not None
        return self._searched

    def search(self, vectors: npt.NDArray[np.float32], *, top: int, where: Filter | None = None) -> list[list[Hit]]:
        if (lite := self._lite()) is None:
            with self._writer() as writer:
                return writer.search(vectors, top=top, where=where)
        found = lite.search(vectors, top=top, where=where)
        assert lite._opened is None
        assert lock_holder(self._folder / "LOCK") is None
        return found

    def count(self) -> int:
        return 0 if (lite := self._lite()) is None else lite.count()

    def video_count(self) -> int:
        return 0 if (lite := self._lite()) is None else lite.video_count()

    def upsert(self, rows: Sequence[IndexedSegment]) -> None:
        with self._writer() as writer:
            writer.upsert(rows)

    def delete_video(self, video_id: str) -> int:
        with self._writer() as writer:
            return writer.delete_video(video_id)

    def keys_of(self, *video_ids: str) -> frozenset[str]:
        with self._writer() as writer:
            return writer.keys_of(*video_ids)

    def videos(self) -> Mapping[str, int]:
        with self._writer() as writer:
            return writer.videos()

    def rows_of(self, video_ids: Sequence[str]) -> Iterator[IndexedSegment]:
        with self._writer() as writer:
            yield from writer.rows_of(video_ids)

    def replacement(self, dimension: int) -> Replacement:
        raise NotImplementedError

    def close(self) -> None:
        if self._searched is not None:
            self._searched.close()

    def __enter__(self) -> WrittenElsewhere:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


@pytest.mark.slow
class TestLiteIndexWrittenElsewhere(LastingIndexContract):
    @pytest.fixture
    def open_it(self, tmp_path: Path) -> Callable[[], MomentIndex]:
        return lambda: WrittenElsewhere(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with 30 rows of three videos, which nobody has open."""
    with MilvusIndex(Indexing(), "abc", DIMENSION, folder=tmp_path) as index:
        index.upsert(random_rows(30))
    return tmp_path


def searched(folder: Path, encoder: str = "abc") -> LiteIndex:
    index = open_index(Indexing(), folder=folder, owner=Owner(encoder), is_searched=True)
    assert isinstance(index, LiteIndex)
    return index


def videos_of(index: LiteIndex) -> set[str]:
    (hits,) = index.search(unit(1)[None], top=99)
    assert len(hits) == index.count()
    return {hit.segment.video_id for hit in hits}


def test_the_fields_are_those_of_the_schema() -> None:
    assert {each.name: (each.dtype.name.lower(), each.is_primary) for each in schema(1).fields} == FIELDS


def test_a_search_does_not_open_the_folder_and_answers_like_milvus_lite(folder: Path) -> None:
    queries = np.stack([unit(1), unit(0, 1, -1)])
    with searched(folder) as index:
        before = {path: path.stat() for path in folder.rglob("*")}
        answers = [index.search(queries, top=top, where=where) for top in (1, 7, 99) for where in FILTERS]
        counts = index.count(), index.video_count()
        assert index._opened is None
        assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == {
            path: status.st_mtime_ns for path, status in before.items()
        }
    with MilvusIndex(Indexing(), "abc", folder=folder) as milvus:
        assert answers == [milvus.search(queries, top=top, where=where) for top in (1, 7, 99) for where in FILTERS]
        assert counts == (milvus.count(), milvus.video_count())


FILTERS = (None, Filter(("v1",)), Filter(("v1", "gone")), Filter(metadata={"site": "none"}))


@pytest.mark.parametrize("seed", range(4))
def test_random_writes_are_read_like_by_milvus_lite(tmp_path: Path, seed: int) -> None:
    """With rows that replace others, deleted videos, merged segments, labels, metadata and ties."""
    world = World(seed)
    rng = random.Random(seed)
    queries = np.stack([world.vector() for _ in range(4)])
    with MilvusIndex(Indexing(), "abc", DIMENSION, folder=tmp_path) as writer:
        for _ in range(rng.randint(2, 12)):
            writer.upsert(world.rows(40))
            if rng.random() < 0.4:
                writer.delete_video(f"v{rng.randrange(8)}")
        if rng.random() < 0.5:
            merge(writer)
        expected = writer.search(queries, top=500)
        counts = writer.count(), writer.video_count()
    with searched(tmp_path) as index:
        assert index.search(queries, top=500) == expected
        assert (index.count(), index.video_count()) == counts
        assert index._opened is None


def test_each_write_of_others_is_seen(folder: Path) -> None:
    with searched(folder) as index:
        for number in range(3):
            with MilvusIndex(Indexing(), "abc", folder=folder) as writer:
                writer.upsert([row(f"new{number}", 0, unit(1))])
            assert f"new{number}" in videos_of(index)
        with MilvusIndex(Indexing(), "abc", folder=folder) as writer:
            writer.delete_video("v1")
        assert "v1" not in videos_of(index)
        assert index._opened is None


def test_a_rebuilt_index_is_read(folder: Path) -> None:
    with searched(folder) as index:
        with MilvusIndex(Indexing(), "abc", folder=folder) as writer, writer.replacement(DIMENSION) as replacement:
            replacement.upsert([row("rebuilt", 0, unit(1))])
            replacement.take_over()
        assert videos_of(index) == {"rebuilt"}
        assert index._opened is None


def test_an_index_that_was_emptied_and_filled_again_is_read(tmp_path: Path) -> None:
    """Its manifest is the same to the byte."""

    def fill(vector: npt.NDArray[np.float32]) -> bytes:
        with MilvusIndex(Indexing(), "abc", folder=tmp_path) as writer:
            writer.upsert([row("v0", 0, vector)])
        return (tmp_path / "collections/segments_1/manifest.json").read_bytes()

    first = fill(unit(1))
    with searched(tmp_path) as index:
        assert index.search(unit(1)[None], top=1)[0][0].score == pytest.approx(1, abs=1e-5)
        discard(tmp_path)
        assert fill(unit(0, 1)) == first
        assert index.search(unit(1)[None], top=1)[0][0].score == pytest.approx(0, abs=1e-5)
        assert index._opened is None


def test_a_folder_that_another_index_holds_is_joined(folder: Path) -> None:
    with searched(folder) as index, MilvusIndex(Indexing(), "abc", folder=folder) as holder:
        holder.upsert([row("new", 0, unit(1))])
        assert "new" in videos_of(index)
        assert index._opened is not None
        holder.delete_video("new")
        assert "new" not in videos_of(index)


@pytest.mark.parametrize("how", ["flushed", "unflushed"])
def test_what_a_killed_process_wrote_is_there(folder: Path, how: str) -> None:
    with searched(folder) as index:
        run = subprocess.run([sys.executable, "-c", KILLED, str(folder), how], check=False)
        assert run.returncode == -signal.SIGKILL
        assert videos_of(index) == {"v1", "v2", "killed"}


def test_a_write_opens_the_folder(folder: Path) -> None:
    with searched(folder) as index:
        index.upsert([row("new", 0, unit(1))])
        assert lock_holder(folder / "LOCK") == os.getpid()
        assert index.keys_of("new") == {"new-0"}
        assert [each.key for each in index.rows_of(["new"])] == ["new-0"]
        assert index.delete_video("new") == 1
        assert index.videos() == {"v0": 10, "v1": 10, "v2": 10}
    assert lock_holder(folder / "LOCK") is None


@pytest.mark.parametrize("seconds", [0.3, 4.0])
def test_a_process_that_opens_the_folder_waits_for_readers(folder: Path, seconds: float) -> None:
    """Many processes that search without a pause can lock the folder in turn for longer than one search takes."""
    with (folder / "LOCK").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        reader = threading.Timer(seconds, lambda: fcntl.flock(lock, fcntl.LOCK_UN))
        began = time.monotonic()
        reader.start()
        try:
            MilvusIndex(Indexing(), "abc", folder=folder).close()
        finally:
            reader.join()
        assert time.monotonic() - began >= seconds


def test_readers_do_not_wait_for_each_other(folder: Path) -> None:
    with (folder / "LOCK").open() as lock, searched(folder) as index:
        fcntl.flock(lock, fcntl.LOCK_SH)
        assert index.count() == 30
        assert index._opened is None


def test_another_encoder_or_length_is_refused(folder: Path) -> None:
    with pytest.raises(FingerprintMismatchError):
        searched(folder, "other")
    with searched(folder) as index, pytest.raises(FingerprintMismatchError):
        index.search(np.eye(1, 3, dtype=np.float32), top=1)


def test_too_many_hits_are_refused(folder: Path) -> None:
    with searched(folder) as index, pytest.raises(QueryError, match="16384"):
        index.search(unit(1)[None], top=16_385)


def test_a_closed_index_is_refused(folder: Path) -> None:
    index = searched(folder)
    index.close()
    index.close()
    with pytest.raises(MomentIndexError, match="closed"):
        index.search(unit(1)[None], top=1)


@pytest.mark.parametrize("name", ["manifest.json", "schema.json", "partitions/_default/data/*.parquet"])
def test_damaged_files_are_reported_by_milvus_lite(folder: Path, name: str) -> None:
    [path] = (folder / "collections/segments_1").glob(name)
    path.write_bytes(path.read_bytes()[:40])
    for spare in path.parent.glob("manifest.json.prev"):
        spare.unlink()
    with pytest.raises(IndexDamagedError), searched(folder) as index:
        index.search(unit(1)[None], top=1)


def test_a_link_is_not_followed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    [path] = (folder / "collections/segments_1/partitions/_default/data").glob("*.parquet")
    elsewhere = tmp_path_factory.mktemp("elsewhere") / path.name
    shutil.move(path, elsewhere)
    path.symlink_to(elsewhere)
    with pytest.raises(MomentIndexError, match="a link"):
        searched(folder)


def test_properties_of_others_are_left_to_milvus_lite(folder: Path) -> None:
    """Such as the time after which rows expire."""
    schema_file = folder / "collections/segments_1/schema.json"
    text = schema_file.read_text(encoding="utf-8")
    schema_file.write_text(text.replace('"properties": {', '"properties": {"collection.ttl.seconds": "1",'))
    with searched(folder) as index:
        assert index._opened is not None


def test_many_threads_search_while_another_process_writes(folder: Path) -> None:
    """Each sees a row at the latest when its writer has closed the folder."""
    written = threading.Event()
    with searched(folder) as index, ThreadPoolExecutor(4) as threads:

        def ask() -> set[str]:
            while not written.is_set():
                assert {"v0", "v1", "v2"} <= videos_of_once(index)
            return videos_of_once(index)

        asking = [threads.submit(ask) for _ in range(4)]
        try:
            with MilvusIndex(Indexing(), "abc", folder=folder) as writer:
                writer.upsert([row("new", 0, unit(1))])
        finally:
            written.set()
        assert [found.result() for found in asking] == 4 * [{"v0", "v1", "v2", "new"}]


def videos_of_once(index: LiteIndex) -> set[str]:
    return {hit.segment.video_id for hit in index.search(unit(1)[None], top=99)[0]}
