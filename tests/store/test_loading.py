"""Several videos read at once: in order, each by one request, few at a time, and no error takes others along."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from pipeline.errors import StoreError
from pipeline.store import ParquetStore, loading, open_frames_file
from pipeline.store.loading import LoadedVideo, load_videos, map_in_threads, read_ahead
from pipeline.testing.store import made_frames, made_record
from pipeline.types import VideoRecord
from tests.contracts.word_world import DictStore, video


def is_wanted(record: VideoRecord) -> bool:
    return record.video_id != "c"


@pytest.fixture(params=["local", "remote"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ParquetStore]:
    root = str(tmp_path) if request.param == "local" else f"memory://{tmp_path.name}/library"
    found = ParquetStore(root, "sampling", "encoder")
    for number, video_id in enumerate("abcd"):
        found.write(made_record(video_id, 5 + number), made_frames(video_id, 5 + number, seed=number))
    yield found
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


def test_videos_come_in_the_order_of_their_ids_with_what_is_wanted(store: ParquetStore) -> None:
    store.add_name("d", "gained.mp4")
    order = ["d", "gone", "c", "a", "../a", "b"]
    found = list(store.load_many(order, is_wanted))
    assert [None if one is None else one.record.video_id for one in found if not isinstance(one, StoreError)] == [
        "d", None, "c", "a", None, "b",
    ]  # fmt: skip
    for one in found:
        if isinstance(one, LoadedVideo):
            video_id = one.record.video_id
            assert one.record == store.record(video_id)
            if one.frames is None:
                assert video_id == "c"
            else:
                np.testing.assert_array_equal(one.frames.vectors, store.read(video_id).vectors)
    assert isinstance(found[0], LoadedVideo)
    assert found[0].record.names[-1] == "gained.mp4"


def test_a_broken_file_is_an_error_in_its_place(store: ParquetStore) -> None:
    with store._folder.writing("b.parquet") as file:
        file.write(b"PAR1 and nothing else")
    one, broken, other = store.load_many("abd", is_wanted)
    assert isinstance(one, LoadedVideo)
    assert isinstance(other, LoadedVideo)
    assert isinstance(broken, StoreError)
    assert "b.parquet" in str(broken)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """What an object store was asked for."""
    found: Counter[str] = Counter()

    def counted(name: str) -> None:
        before = getattr(MemoryFileSystem, name)

        def count(*arguments: Any, **options: Any) -> Any:
            found[name] += 1
            return before(*arguments, **options)

        monkeypatch.setattr(MemoryFileSystem, name, count)

    for name in ("cat_file", "open", "info", "ls"):
        counted(name)
    return found


@pytest.fixture
def remote(tmp_path: Path, asked: Counter[str]) -> Iterator[ParquetStore]:
    found = ParquetStore(f"memory://{tmp_path.name}/library", "sampling", "encoder")
    for video_id in "abc":
        found.write(made_record(video_id), made_frames(video_id))
    asked.clear()
    yield found
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


def test_a_server_is_asked_once_a_video_and_once_for_all_names(remote: ParquetStore, asked: Counter[str]) -> None:
    assert sum(isinstance(one, LoadedVideo) for one in remote.load_many("abc", lambda _: True)) == 3
    assert asked == {"cat_file": 3, "ls": 1}


def test_a_large_file_of_a_server_is_opened_and_read_in_parts(
    remote: ParquetStore, asked: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_frames_file, "_TOGETHER_BYTES", 100)
    monkeypatch.setattr(open_frames_file, "_WHOLE_BYTES", 1000)
    (one,) = remote.load_many("a", lambda _: True)
    assert isinstance(one, LoadedVideo)
    assert one.frames is not None
    np.testing.assert_array_equal(one.frames.vectors, made_frames("a").vectors)
    assert asked["open"] == 1


def test_a_file_as_large_as_the_limit_is_whole(remote: ParquetStore, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(remote._folder.read("a.parquet"))
    for limit in ("_WHOLE_BYTES", "_TOGETHER_BYTES"):
        for limit_bytes in (size - 1, size, size + 1):
            monkeypatch.setattr(open_frames_file, limit, limit_bytes)
            (one,) = remote.load_many("a", lambda _: True)
            assert isinstance(one, LoadedVideo)


def test_many_files_of_a_server_are_read_in_batches_in_order(remote: ParquetStore, asked: Counter[str]) -> None:
    order = [*"cab", "gone", *(["a", "b", "c", "../a"] * 40)]
    found = list(remote.load_many(order, lambda _: True))
    ids = [one.record.video_id if isinstance(one, LoadedVideo) else None for one in found]
    assert ids == [video_id if video_id in "abc" else None for video_id in order]
    assert asked["ls"] == 1
    assert asked["open"] == 0


@pytest.fixture
def local(tmp_path: Path) -> ParquetStore:
    found = ParquetStore(str(tmp_path), "sampling", "encoder")
    for video_id in "abc":
        found.write(made_record(video_id), made_frames(video_id))
    return found


def threads_that_load(store: ParquetStore, order: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Load videos on a machine with two processors, check their order, and return the names of the loading threads."""
    names: set[str] = set()
    monkeypatch.setattr(loading, "usable_processors", lambda: 2)

    def is_noted(_: VideoRecord) -> bool:
        names.add(threading.current_thread().name.partition("_")[0])
        return True

    found = list(store.load_many(order, is_noted))
    ids = [one.record.video_id if isinstance(one, LoadedVideo) else None for one in found]
    assert ids == [video_id if video_id in "abc" else None for video_id in order]
    return names


def test_small_local_files_are_decoded_by_one_thread(local: ParquetStore, monkeypatch: pytest.MonkeyPatch) -> None:
    order = [*"cab", "gone", *(["a", "b", "c", "../a"] * 40)]
    assert threads_that_load(local, order, monkeypatch) == {threading.current_thread().name.partition("_")[0]}


def test_large_local_files_are_decoded_in_parallel(local: ParquetStore, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(local._folder.read("a.parquet"))
    for limit_bytes in (100, size):
        monkeypatch.setattr(open_frames_file, "_TOGETHER_LOCAL_BYTES", limit_bytes)
        assert threads_that_load(local, [*"cab", "gone", *"abc"], monkeypatch) == {"store"}


def test_a_link_in_place_of_a_local_file_is_an_error_in_its_place(local: ParquetStore, tmp_path: Path) -> None:
    [path] = tmp_path.rglob("b.parquet")
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    one, broken, other = local.load_many("abc", lambda _: True)
    assert isinstance(one, LoadedVideo)
    assert isinstance(other, LoadedVideo)
    assert isinstance(broken, StoreError)


def test_a_batch_is_read_while_the_one_before_is_used() -> None:
    begun: list[Sequence[int]] = []
    is_second_begun = threading.Event()

    def read(batch: Sequence[int]) -> int:
        begun.append(batch)
        if len(begun) == 2:
            is_second_begun.set()
        return sum(batch)

    results = read_ahead(read, range(10), 4)
    assert next(results) == 6
    assert is_second_begun.wait(5)
    assert list(results) == [22, 17]
    assert begun == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_a_store_that_reads_one_video_at_a_time_is_read_so() -> None:
    store = DictStore()
    for video_id in ("a", "c"):
        store.write(*video(video_id, "red"))
    found = list(load_videos(store, ["a", "b", "c"], is_wanted))
    assert isinstance(found[0], LoadedVideo)
    assert found[0].frames is not None
    assert found[1] is None
    assert isinstance(found[2], LoadedVideo)
    assert found[2].frames is None
    assert store.reads == 1


@pytest.mark.parametrize("is_remote", [False, True])
def test_results_come_in_order_and_few_items_are_under_way(is_remote: bool) -> None:
    begun = []

    def slow(number: int) -> int:
        begun.append(number)
        time.sleep(0.002 * (number % 3))
        return number

    results = map_in_threads(slow, range(200), is_remote=is_remote)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert len(begun) <= 5 + 32
    assert list(results) == list(range(5, 200))


def test_an_error_is_raised_in_its_place_and_no_thread_stays() -> None:
    before = set(threading.enumerate())

    def refuse(number: int) -> int:
        if number == 3:
            raise OSError("no")
        return number

    results = map_in_threads(refuse, range(1000), is_remote=True)
    assert [next(results), next(results), next(results)] == [0, 1, 2]
    with pytest.raises(OSError, match="no"):
        next(results)
    assert set(threading.enumerate()) <= before


def test_results_that_nobody_takes_end_the_threads() -> None:
    before = set(threading.enumerate())
    results = map_in_threads(lambda number: number, range(1000), is_remote=True)
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]
    assert set(threading.enumerate()) <= before
