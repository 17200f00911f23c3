"""Videos are found by name without a list of all, and never another one than a list would find."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from pipeline.errors import QueryError
from pipeline.library.videos import find_video
from pipeline.search.filters.video_names import VideoNames, match_videos
from pipeline.store import ParquetStore, erase, traces
from pipeline.store.listing.file_names import FileNames
from pipeline.store.open_frames_file import FramesFiles
from pipeline.testing.store import made_frames, made_record

NAMES = ["/a/1.mp4", "/b/1.mp4", "/b/1.mkv", "/b/1", "/b/1.mp4.bak", "/b/no dot", "/c/.mp4", "s3://bucket/2.mp4"]
NAMES += ["https://host/3.mp4", "/d/ü \udcff.mp4", "/d/v5", "/d/a b.mp4"]


@pytest.fixture(params=["local", "remote"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ParquetStore]:
    root = str(tmp_path) if request.param == "local" else f"memory://{tmp_path.name}/library"
    yield ParquetStore(root, "sampling", "encoder")
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


def write(store: ParquetStore, video_id: str, *names: str) -> None:
    store.write(replace(made_record(video_id, 1), names=names), made_frames(video_id, 1))


def asked_by_list(store: ParquetStore, name: str) -> tuple[str, ...]:
    try:
        return match_videos(list(store.records()), name)
    except QueryError:
        return ()


def asked(store: ParquetStore, name: str) -> tuple[str, ...]:
    try:
        return find_video(VideoNames(), store, store.survey, name)
    except QueryError:
        return ()


FORMS = [*NAMES, *(name.rpartition("/")[2] for name in NAMES), "1", "2", "no", "", "/", "..", "gone.mp4", ".mp4", "mp4"]
FORMS += ["b/1.mp4", "file:///b/1.mp4", "file:///d/a%20b.mp4", "a%20b.mp4", "/a/../b/1.mp4", "v0", "v5", "../v0", "a b"]


def test_every_form_of_a_name_finds_what_a_list_finds(store: ParquetStore) -> None:
    for number, name in enumerate(NAMES):
        write(store, f"v{number}", name)
    for form in FORMS:
        assert asked(store, form) == asked_by_list(store, form), form
    assert asked(store, "1.mp4") == ("v0", "v1")
    assert asked(store, "/b/1.mp4") == ("v1",)


@pytest.mark.parametrize("seed", range(4))
def test_after_any_changes_a_name_finds_what_a_list_finds(store: ParquetStore, seed: int) -> None:
    draw = random.Random(seed)
    for step in range(40):
        video_id, name = f"v{draw.randrange(6)}", draw.choice(NAMES)
        action = draw.choice(["write", "add", "take", "delete", "erase", "renew"])
        is_there = store.record(video_id) is not None
        if action == "write":
            write(store, video_id, name)
        elif action == "add" and is_there:
            store.add_name(video_id, name)
        elif action == "take" and is_there:
            store.add_name(video_id, name)
            store.take_name(video_id, name)
        elif action == "delete":
            store.delete(video_id)
        elif action == "erase" and is_there:
            erase(store.root_url, video_id)
            assert traces(store.root_url, video_id) == ()
        elif action == "renew":
            store.renew_catalogue([video_id] if step % 2 else None)
        for form in draw.sample(FORMS, 6):
            assert asked(store, form) == asked_by_list(store, form), (action, form)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The videos whose files were opened."""
    found: list[str] = []
    before = FramesFiles.opened

    def count(self: FramesFiles, video_id: str, **options: bool) -> object:
        found.append(video_id)
        return before(self, video_id, **options)

    monkeypatch.setattr(FramesFiles, "opened", count)
    return found


def test_only_the_files_of_possible_videos_are_opened(store: ParquetStore, opened: list[str]) -> None:
    for number in range(30):
        write(store, f"v{number}", f"/films/{number}.mp4")
    opened.clear()
    assert asked(store, "17.mp4") == ("v17",)
    assert set(opened) <= {"17.mp4", "v17"}
    opened.clear()
    assert asked(store, "/films/17.mp4") == ("v17",)
    assert set(opened) <= {"v17"}


def forget_index(store: ParquetStore) -> None:
    """Make the store one of a version without an index of file names."""
    folder = store._folder
    for name in [f"filenames/{number:02x}" for number in range(256)]:
        for entry in folder.list(name, ""):
            folder.delete(entry)
    folder.delete("filenames/complete")


@pytest.mark.parametrize("written", [[], ["v0"], None])
def test_a_store_of_an_older_version_is_searched_and_upgraded(store: ParquetStore, written: list[str] | None) -> None:
    for number, name in enumerate(NAMES):
        write(store, f"v{number}", name)
    forget_index(store)
    old = ParquetStore(store.root_url, "sampling", "encoder")
    assert old.named("1.mp4") is None
    for form in FORMS:
        assert asked(old, form) == asked_by_list(old, form)
    write(old, "v20", "/e/1.mp4")
    assert old.named("1.mp4") is None
    assert asked(old, "1.mp4") == ("v0", "v1", "v20")
    old.renew_catalogue(written)
    assert old.named("1.mp4") is not None
    for form in FORMS:
        assert asked(old, form) == asked_by_list(old, form)


def test_checking_all_restores_entries_that_were_lost(store: ParquetStore) -> None:
    write(store, "v0", "/a/1.mp4")
    write(store, "v1", "/b/1.mp4")
    for number in range(256):
        for entry in store._folder.list(f"filenames/{number:02x}", ""):
            store._folder.delete(entry)
    store.renew_catalogue()
    assert asked(store, "1.mp4") == ("v0", "v1")


def test_a_broken_video_is_left_out_and_others_are_found(store: ParquetStore) -> None:
    write(store, "v0", "/a/1.mp4")
    write(store, "v1", "/b/1.mp4")
    store._folder.write("v0.parquet", b"not Parquet")
    assert asked(store, "1.mp4") == ("v1",)


def test_a_store_that_cannot_be_written_is_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ParquetStore(str(tmp_path), "sampling", "encoder")
    write(store, "v0", "/a/1.mp4")
    forget_index(store)

    def refuse(self: object, name: str, content: bytes, **options: bool) -> None:
        from pipeline.errors import StoreError

        raise StoreError("read-only")

    monkeypatch.setattr("pipeline.store.atomic_folder.AtomicFolder.write", refuse)
    store.renew_catalogue()
    assert asked(store, "1.mp4") == ("v0",)


def test_a_server_gets_few_requests_one_after_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ParquetStore(f"memory://{tmp_path.name}/library", "sampling", "encoder")
    for number in range(30):
        write(store, f"v{number}", f"/films/{number}.mp4")
    found: Counter[str] = Counter()

    def count(name: str) -> None:
        before = getattr(MemoryFileSystem, name)

        def counted(*arguments: Any, **options: Any) -> Any:
            found[name] += 1
            return before(*arguments, **options)

        monkeypatch.setattr(MemoryFileSystem, name, counted)

    for name in ("cat_file", "exists", "ls", "open"):
        count(name)
    assert asked(store, "17.mp4") == ("v17",)
    assert found.total() <= 10, found
    assert FileNames(store._folder).is_complete()
