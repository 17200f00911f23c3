"""Links and special files inside a library: nothing is followed, read, written or deleted through them."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from canary import OLD, canary_in, state_of
from contracts.word_world import WordModel, video

from pipeline.errors import MomentseekError, StoreError
from pipeline.library import Library
from pipeline.library.identity import claim_library_id, read_library_id
from pipeline.runs.log import RunLog
from pipeline.store import FailureLog, ParquetStore, erase, traces
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.store.frame_sample import SAMPLE_FILE
from pipeline.testing.store import made_frames, made_record
from pipeline.types import FailedSource, Source

pytestmark = pytest.mark.timeout(100)

STORE = "frames/s1-e1"
NAME = "cam.mp4"


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    folder = canary_in(tmp_path)
    before = state_of(folder)
    yield folder
    assert state_of(folder) == before


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library's folder with two videos, names, a sample, a failure and an identity."""
    folder = tmp_path_factory.mktemp("made")
    store = ParquetStore(str(folder), "s1", "e1")
    for video_id in ("v1", "v2"):
        store.write(replace(made_record(video_id), names=(NAME,)), made_frames(video_id))
        store.take_name(video_id, NAME)
    store.add_name("v1", "other.mp4")
    store.frame_sample(2)
    FailureLog(str(folder)).note(
        FailedSource(source=Source("a.mp4"), problem="broken", video_id=None, failed_at="2026")
    )
    claim_library_id(str(folder))
    return folder


@pytest.fixture
def library(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "library")


def store_in(library: Path) -> ParquetStore:
    return ParquetStore(str(library), "s1", "e1")


def replace_by_link(path: Path, target: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.symlink_to(target)


def everything(library: Path) -> list[Callable[[], object]]:
    """All that is done to a library's files."""
    store, failures = store_in(library), FailureLog(str(library))
    return [
        lambda: store.write(made_record(), made_frames()),
        lambda: store.read("v1"),
        lambda: store.record("v1"),
        lambda: store.outline("v1"),
        lambda: store.some_vectors("v1"),
        lambda: list(store.records()),
        lambda: store.frame_sample(2),
        lambda: store.frame_sample(77),
        lambda: store.add_name("v1", "new.mp4"),
        lambda: store.take_name("v1", NAME),
        lambda: list(failures),
        failures.open,
        lambda: failures.note(FailedSource(source=Source("a.mp4"), problem="x", video_id=None, failed_at="2026")),
        lambda: (failures.open(), failures.clear("a.mp4")),
        lambda: list(RunLog(str(library))),
        lambda: RunLog(str(library)).free_id("r1"),
        lambda: AtomicFolder(str(library)).write("runs/r1.json", b"{}"),
        lambda: AtomicFolder(str(library)).write("library.yaml", b"{}"),
        lambda: AtomicFolder(str(library)).read("library.yaml"),
        lambda: read_library_id(str(library)),
        lambda: claim_library_id(str(library)),
        lambda: traces(str(library), "v1"),
        lambda: erase(str(library), "v1"),
        lambda: store.delete("v1"),
        lambda: store.delete("v2"),
    ]


def refusals(library: Path) -> list[str]:
    """What is said when all of it is done; only errors of momentseek's own, and of missing files, are let through."""
    said = []
    for act in everything(library):
        try:
            act()
        except MomentseekError as error:
            said.append(str(error))
        except (FileNotFoundError, IsADirectoryError):
            pass
    return said


LINKED_FOLDERS = (
    "frames",
    STORE,
    f"{STORE}/.partial",
    f"{STORE}/names",
    f"{STORE}/names/v1",
    f"{STORE}/holders",
    "failures",
    "runs",
    ".partial",
)


@pytest.mark.parametrize("name", LINKED_FOLDERS)
@pytest.mark.parametrize("with_same_content", [False, True])
def test_a_folder_that_is_a_link_is_reported_and_not_followed(
    library: Path, canary: Path, tmp_path: Path, name: str, with_same_content: bool
) -> None:
    target = canary
    if with_same_content:
        (library / name).mkdir(parents=True, exist_ok=True)
        target = tmp_path / "moved"
        shutil.copytree(library / name, target)
        for path in target.rglob("*"):
            os.utime(path, (OLD, OLD))
    before = state_of(target)
    replace_by_link(library / name, target)
    said = refusals(library)
    assert state_of(target) == before
    assert (library / name).is_symlink()
    assert any(f"{library / name}: is a symbolic link" in line for line in said)
    assert all("\n" not in line for line in said)


def linked_files(library: Path) -> list[Path]:
    [note] = [file for file in (library / STORE / "names/v1").iterdir() if "other" in file.read_text()]
    return [
        library / STORE / "v1.parquet",
        library / STORE / SAMPLE_FILE,
        note,
        *sorted((library / STORE / "holders").iterdir()),
        *sorted((library / "failures").iterdir()),
        library / "library-id.json",
        library / "library.yaml",
        library / "runs" / "r1.json",
    ]


@pytest.mark.parametrize("number", range(9))
@pytest.mark.parametrize("to", ["canary", "moved", "nothing", "a folder", "itself"])
def test_a_file_that_is_a_link_is_reported_and_not_followed(
    library: Path, canary: Path, tmp_path: Path, number: int, to: str
) -> None:
    file = linked_files(library)[number]
    file.parent.mkdir(exist_ok=True)
    moved = tmp_path / "moved" / file.name
    moved.parent.mkdir()
    moved.write_bytes(file.read_bytes() if file.exists() else b"{}")
    targets = {
        "canary": canary / "v1.parquet",
        "moved": moved,
        "nothing": tmp_path / "new",
        "a folder": canary,
        "itself": file,
    }
    before = moved.read_bytes()
    replace_by_link(file, targets[to])
    said = refusals(library)
    assert file.is_symlink()
    assert moved.read_bytes() == before
    assert not (tmp_path / "new").exists()
    assert any(f"{file}: is a symbolic link" in line for line in said)


def test_a_file_that_was_not_finished_and_is_a_link_is_left_alone(library: Path, canary: Path) -> None:
    link = library / STORE / ".partial" / f"v1.parquet.{'f' * 32}"
    link.symlink_to(canary / "v1.parquet")
    os.utime(link, (OLD, OLD), follow_symlinks=False)
    with pytest.raises(StoreError, match="is a symbolic link"):
        store_in(library).write(made_record("v3"), made_frames("v3"))
    with pytest.raises(StoreError, match="is a symbolic link"):
        erase(str(library), "v1")
    assert link.is_symlink()
    assert store_in(library).record("v1") is not None


@pytest.mark.parametrize("kind", ["fifo", "socket", "device", "folder"])
@pytest.mark.parametrize("number", range(9))
def test_special_files_neither_hang_nor_are_written_through(library: Path, kind: str, number: int) -> None:
    file = linked_files(library)[number]
    file.parent.mkdir(exist_ok=True)
    file.unlink(missing_ok=True)
    with contextlib.ExitStack() as stack:
        if kind == "fifo":
            os.mkfifo(file)
        elif kind == "socket":
            bound = stack.enter_context(socket.socket(socket.AF_UNIX))
            here = os.open(file.parent, os.O_RDONLY)
            stack.callback(os.close, here)
            bound.bind(f"/proc/self/fd/{here}/{file.name}")
        elif kind == "device":
            try:
                os.mknod(file, 0o20666, os.makedev(1, 5))
            except PermissionError:
                pytest.skip("only root makes devices")
        else:
            file.mkdir()
        said = refusals(library)
        assert said or kind == "folder"
        assert file.exists()
        assert not file.is_file()


@pytest.mark.parametrize("name", ["frames", STORE, f"{STORE}/.partial", f"{STORE}/names/v1", "failures", "runs"])
def test_a_fifo_in_place_of_a_folder_does_not_hang(library: Path, name: str) -> None:
    shutil.rmtree(library / name, ignore_errors=True)
    os.mkfifo(library / name)
    assert any("is a FIFO" in line for line in refusals(library))


def test_hard_links_are_not_written_through(library: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (library / "library.yaml").write_text("format: 1")
    for number, file in enumerate(file for file in linked_files(library) if file.exists()):
        os.link(file, kept / str(number))
        os.utime(file, (OLD, OLD))
    before = state_of(kept)
    refusals(library)
    assert state_of(kept) == before


def test_only_names_of_our_own_form_are_deleted(library: Path, canary: Path) -> None:
    strangers = [
        library / STORE / ".partial" / "notes.txt",
        library / STORE / ".partial" / f"v1.parquet.{'F' * 32}",
        library / STORE / "names" / "v1" / "notes.json",
        library / STORE / "v1.parquet.bak",
    ]
    for file in strangers:
        file.write_text("mine")
        os.utime(file, (OLD, OLD))
    said = refusals(library)
    assert all(file.exists() for file in strangers)
    assert any("notes.json: is not a file of momentseek" in line for line in said)


@pytest.mark.parametrize(
    "video_id", ["../canary/v1", "/etc/passwd", "v1\0", "a/../v1", ".", "..", "", "v1\n", "x" * 300]
)
def test_ids_make_no_path_out_of_the_store(library: Path, canary: Path, video_id: str) -> None:
    store = store_in(library)
    assert store.record(video_id) is None
    assert store.some_vectors(video_id) is None
    assert store.delete(video_id) is False
    assert traces(str(library), video_id) == ()
    with pytest.raises(ValueError, match="becomes a file name"):
        store.write(made_record(video_id), made_frames(video_id))
    for file in (library / STORE / "holders").glob("*.json"):
        file.write_text(json.dumps({"video_id": video_id}))
    store.take_name("v1", NAME)


def test_an_id_in_other_case_is_another_video(library: Path) -> None:
    shutil.copy(library / STORE / "v1.parquet", library / STORE / "V1.parquet")
    with pytest.raises(StoreError, match="belongs to another video or store"):
        store_in(library).record("V1")


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/x", "a//x/..", "a\0b", "."])
def test_a_place_takes_no_name_that_leads_out(library: Path, tmp_path: Path, name: str) -> None:
    place = AtomicFolder(str(library))
    for act in (place.open, place.exists, place.delete, place.written_at, lambda name: place.write(name, b"")):
        with contextlib.suppress(StoreError, OSError):
            act(name)
    assert not (tmp_path / "x").exists()


def swapping(monkeypatch: pytest.MonkeyPatch, function: str, after: int, path: Path, target: Path) -> None:
    """Before a call of a function of `os`, a folder becomes a link: the moment between a check and its use."""
    real, rename = getattr(os, function), os.rename
    calls = itertools.count()

    def swap(*arguments: object, **named: object) -> object:
        if next(calls) == after:
            rename(path, path.with_name("aside"))
            Path(path).symlink_to(target)
        return real(*arguments, **named)

    monkeypatch.setattr(os, function, swap)


@pytest.mark.parametrize("function", ["open", "stat", "scandir", "unlink", "rmdir", "replace", "fsync", "mkdir"])
@pytest.mark.parametrize("name", ["frames", STORE, f"{STORE}/.partial", f"{STORE}/names", f"{STORE}/names/v1"])
def test_a_link_swapped_in_between_leads_nowhere(
    made: Path, canary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, function: str
) -> None:
    for after in (0, 1, 2, 5, 9, 14):
        library = shutil.copytree(made, tmp_path / f"library{after}")
        old = library / STORE / ".partial" / f"v1.parquet.{'0' * 32}"
        old.write_text("left by a killed writer")
        os.utime(old, (OLD, OLD))
        (library / STORE / "names/v1" / f"{'a' * 16}.json").write_text('{"name": "x", "added_ns": 1}')
        with monkeypatch.context() as patched:
            if function != "fsync":
                patched.setattr(os, "fsync", lambda _: None)
            swapping(patched, function, after, library / name, canary)
            for video_id in ("v2", "v1"):
                with contextlib.suppress(StoreError):
                    store_in(library).write(made_record(), made_frames())
                with contextlib.suppress(StoreError):
                    erase(str(library), video_id)


def test_a_folder_that_flickers_between_link_and_folder_leads_nowhere(library: Path, canary: Path) -> None:
    names, aside, link = library / STORE / "names", library / STORE / "aside", library / STORE / "link"
    link.symlink_to(canary)
    is_over = threading.Event()

    def flicker() -> None:
        while not is_over.is_set():
            with contextlib.suppress(OSError):
                names.rename(aside)
                link.rename(names)
                names.rename(link)
                aside.rename(names)

    thread = threading.Thread(target=flicker)
    thread.start()
    store, ends = store_in(library), time.monotonic() + 0.7
    while time.monotonic() < ends:
        for act in (lambda: store.add_name("v1", "x.mp4"), lambda: store.write(made_record(), made_frames())):
            with contextlib.suppress(StoreError):
                act()
    is_over.set()
    thread.join()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Library]:
    settings = ("segmentation.strategy=shots", "index.backend=memory")
    with Library.open(str(tmp_path / "whole"), overrides=settings, encoder=WordModel()) as library:
        record, frames = video("v1", "red", "green")
        library.store.write(record, frames)
        library.store.take_name("v1", "v1.mp4")
        yield library


def test_a_search_does_not_sweep_through_a_link(opened: Library, canary: Path, tmp_path: Path) -> None:
    partial = Path(opened.store._folder.root) / ".partial"
    replace_by_link(partial, canary)
    with contextlib.suppress(StoreError):
        opened.ask("red")


def test_a_removal_does_not_delete_through_a_link(opened: Library, canary: Path, tmp_path: Path) -> None:
    names = Path(opened.store._folder.root) / "names"
    names.mkdir(exist_ok=True)
    replace_by_link(names / "v1", canary)
    with pytest.raises(StoreError, match="names/v1: is a symbolic link"):
        opened.remove("v1")


def test_an_index_that_is_a_link_is_not_opened(tmp_path: Path, canary: Path) -> None:
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "index").symlink_to(canary)
    with Library.open(str(folder), encoder=WordModel()) as library, pytest.raises(StoreError, match="index: is a symb"):
        library.moment_index()


@pytest.mark.parametrize("name", ["library.yaml", "library-id.json"])
def test_the_command_says_in_one_line_what_is_a_link(
    library: Path, canary: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipeline.cli import main

    replace_by_link(library / "library.yaml", canary / "library.yaml")
    for command in (("videos",), ("search", "red"), ("remove", "v1"), ("index", "verify"), ("runs",), ("doctor",)):
        code = main([*command, "-l", str(library)])
        printed = capsys.readouterr()
        assert code
        assert "is a symbolic link" in printed.err + printed.out
        assert "Traceback" not in printed.err


def test_a_library_reached_through_a_link_opens(library: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(library)
    store = ParquetStore(str(tmp_path / "alias"), "s1", "e1")
    store.write(made_record("v3"), made_frames("v3"))
    assert [record.video_id for record in store.records()] == ["v1", "v2", "v3"]
    assert erase(str(tmp_path / "alias"), "v3")


def test_a_model_that_the_library_keeps_is_no_link(tmp_path: Path, canary: Path) -> None:
    from pipeline.config import validate
    from pipeline.library.saved_config import LibraryFile, read_library_file, write_library_file
    from pipeline.run_config import RunConfig

    folder = tmp_path / "library"
    (folder / "models").mkdir(parents=True)
    weights = folder / "models" / "a.pt"
    weights.write_bytes(b"weights")
    config = validate(RunConfig, {"library": str(folder), "encoder": {"checkpoint": str(weights)}})
    write_library_file(LibraryFile(config, "a model", "e1", "s1"))
    kept = read_library_file(str(folder))
    assert kept is not None
    assert kept.config.encoder.checkpoint == str(weights)
    replace_by_link(weights, canary / "notes.txt")
    with pytest.raises(StoreError, match="is a symbolic link"):
        read_library_file(str(folder))
    with pytest.raises(StoreError, match="is a symbolic link"):
        write_library_file(LibraryFile(config, "a model", "e1", "s1"))
