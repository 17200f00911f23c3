"""What survives a crash: the order of write, fsync and rename, and a kill between any two of these steps."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest

from pipeline.errors import StoreError, StoreFullError
from pipeline.store import ParquetStore, erase
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.store.listing.file_names import file_name_entries
from pipeline.store.local_folder import PARTIAL, PRIVATE_MARK, LocalFolder, shown_path
from pipeline.testing.store import made_frames, made_record

CONTENT = b"new content"
STEPS = ("fsync", "replace", "link", "unlink", "rmdir")

Do = Callable[[LocalFolder], None]


def write(folder: LocalFolder) -> None:
    with folder.writing("inner/a.json") as file:
        file.write(CONTENT)


def filled_by(folder: LocalFolder, fill: Callable[[IO[bytes]], None]) -> None:
    with folder.writing("inner/a.json") as file:
        fill(file)


def interrupted(file: IO[bytes]) -> None:
    file.write(b"half")
    raise KeyboardInterrupt


def create(folder: LocalFolder) -> None:
    folder.create("inner/a.json", CONTENT)


class Recorder:
    """Wraps the calls of the system that matter after a crash, and notes them in their order.

    Each is noted as its name and what it was called on: a folder by its name, a file by its length at that moment, as
    the system sees it.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, str]] = []
        self.stop_before: int | None = None
        for name in STEPS:
            monkeypatch.setattr(os, name, self._wrapped(name, getattr(os, name)))

    def _wrapped(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            if self.stop_before == len(self.calls):
                os._exit(7)
            self.calls.append((name, _told(name, arguments, keywords)))
            return original(*arguments, **keywords)

        return call


def _told(name: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> str:
    if name != "fsync":
        return str(arguments[-1])
    found = os.fstat(arguments[0])
    if stat.S_ISDIR(found.st_mode):
        return Path(f"/proc/self/fd/{arguments[0]}").readlink().name
    return str(found.st_size)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return Recorder(monkeypatch)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A library, beside which the recorder sees nothing."""
    (tmp_path / "library" / "store" / "inner").mkdir(parents=True)
    return tmp_path / "library"


@pytest.fixture
def folder(root: Path) -> LocalFolder:
    return LocalFolder(str(root), "store")


def content(root: Path) -> bytes | None:
    path = root / "store" / "inner" / "a.json"
    return path.read_bytes() if path.exists() else None


def partial(root: Path) -> list[Path]:
    return sorted((root / "store" / PARTIAL).iterdir())


def test_a_file_is_on_the_disk_before_it_has_its_name_and_its_name_before_the_write_is_over(
    folder: LocalFolder, recorder: Recorder, root: Path
) -> None:
    write(folder)
    assert recorder.calls == [("fsync", str(len(CONTENT))), ("replace", "a.json"), ("fsync", "inner")]
    assert (content(root), partial(root)) == (CONTENT, [])


def test_so_is_a_file_whose_name_must_be_free(folder: LocalFolder, recorder: Recorder, root: Path) -> None:
    create(folder)
    names = [name for name, _ in recorder.calls]
    assert names == ["fsync", "link", "unlink", "fsync"]
    assert [recorder.calls[0], recorder.calls[1], recorder.calls[-1]] == [
        ("fsync", str(len(CONTENT))),
        ("link", "a.json"),
        ("fsync", "inner"),
    ]
    assert (content(root), partial(root)) == (CONTENT, [])


def test_a_file_in_the_folder_itself_has_that_folder_synced(folder: LocalFolder, recorder: Recorder) -> None:
    with folder.writing("a.json") as file:
        file.write(CONTENT)
    assert recorder.calls[-1] == ("fsync", "store")


def killed_before(step: int, folder: LocalFolder, recorder: Recorder, do: Do) -> int:
    """Do something in a process that dies before one of the steps; its exit code."""
    process = os.fork()
    if process == 0:
        recorder.stop_before = step
        try:
            do(folder)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


@pytest.mark.parametrize("step", [0, 1, 2])
@pytest.mark.parametrize("before", [b"old content", None])
def test_killed_between_two_steps_the_old_file_is_there_or_the_new_one_whole(
    folder: LocalFolder, recorder: Recorder, root: Path, step: int, before: bytes | None
) -> None:
    if before is not None:
        (root / "store" / "inner" / "a.json").write_bytes(before)
    assert killed_before(step, folder, recorder, write) == 7
    assert content(root) == (CONTENT if step == 2 else before)
    assert len(partial(root)) == (0 if step == 2 else 1)
    write(folder)
    assert content(root) == CONTENT


@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_killed_while_it_was_created_it_is_not_there_or_whole(
    folder: LocalFolder, recorder: Recorder, root: Path, step: int
) -> None:
    assert killed_before(step, folder, recorder, create) == 7
    assert content(root) == (CONTENT if step >= 2 else None)
    assert len(partial(root)) == (0 if step == 3 else 1)


def test_of_two_that_create_a_file_the_second_is_refused_and_changes_nothing(folder: LocalFolder, root: Path) -> None:
    create(folder)
    with pytest.raises(FileExistsError):
        folder.create("inner/a.json", b"other")
    assert (content(root), partial(root)) == (CONTENT, [])


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_an_error_at_any_step_keeps_the_old_file_and_leaves_nothing(
    folder: LocalFolder, root: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    (root / "store" / "inner" / "a.json").write_bytes(b"old content")

    def fail(*arguments: object, **keywords: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="Input/output"):
        write(folder)
    assert (content(root), partial(root)) == (b"old content", [])


def test_an_error_of_whoever_fills_it_keeps_the_old_file(folder: LocalFolder, root: Path, recorder: Recorder) -> None:
    write(folder)
    recorder.calls.clear()
    with pytest.raises(KeyboardInterrupt):
        filled_by(folder, interrupted)
    assert (content(root), partial(root)) == (CONTENT, [])
    assert [name for name, _ in recorder.calls] == ["unlink"]


@pytest.mark.parametrize(("age_seconds", "is_kept"), [(0.0, True), (3500.0, True), (3700.0, False)])
def test_what_a_killed_writer_left_goes_after_an_hour(
    folder: LocalFolder, recorder: Recorder, root: Path, age_seconds: float, is_kept: bool
) -> None:
    killed_before(1, folder, recorder, write)
    [left] = partial(root)
    other = left.with_name("notes.txt")
    other.write_text("somebody's own")
    for path in (left, other):
        os.utime(path, (time.time() - age_seconds,) * 2)
    write(folder)
    assert left.exists() == is_kept
    assert other.exists()


def test_a_file_of_the_same_name_as_a_folder_is_refused_in_time(folder: LocalFolder, root: Path) -> None:
    (root / "store" / "inner" / "a.json").symlink_to(root / "elsewhere")
    with pytest.raises(StoreError, match="symbolic link"):
        write(folder)
    assert partial(root) == []


def test_one_that_becomes_a_link_while_it_is_written_is_refused(folder: LocalFolder, root: Path) -> None:
    path = root / "store" / "inner" / "a.json"
    with pytest.raises(StoreError, match="symbolic link"):
        filled_by(folder, lambda _: path.symlink_to(root / "elsewhere"))
    assert path.is_symlink()
    assert partial(root) == []


def test_a_video_is_kept_before_its_old_names_go(tmp_path: Path, recorder: Recorder) -> None:
    store = ParquetStore(str(tmp_path), "s", "e")
    store.write(made_record(), made_frames())
    store.add_name("v1", "other.mp4")
    recorder.calls.clear()
    store.write(made_record(), made_frames())
    [entry] = file_name_entries("v1", made_record().names)
    assert [call for call in recorder.calls if call[0] in ("replace", "rmdir")] == [
        ("replace", entry.rpartition("/")[2]),
        ("replace", "v1.parquet"),
        ("rmdir", "v1"),
    ]


def test_of_an_erased_video_the_embeddings_go_last(tmp_path: Path, recorder: Recorder) -> None:
    store = ParquetStore(str(tmp_path), "s", "e")
    store.write(made_record(), made_frames())
    store.take_name("v1", "other.mp4")
    store.add_name("v1", "other.mp4")
    recorder.calls.clear()
    files = erase(str(tmp_path), "v1")
    assert len(files) == 6
    assert files[-1] == "frames/s-e/v1.parquet"
    assert [name for call, name in recorder.calls if call == "unlink"][-1] == "v1.parquet"
    assert store.record("v1") is None


def test_elsewhere_a_file_is_whole_before_it_is_put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = AtomicFolder(f"memory://{tmp_path}")
    put: list[bytes] = []
    original = place._files.put_file

    def put_file(source: str, target: str, **keywords: Any) -> None:
        put.append(Path(source).read_bytes())
        original(source, target, **keywords)

    monkeypatch.setattr(place._files, "put_file", put_file)
    with place.writing("a.json") as file:
        file.write(CONTENT)
        assert not place.exists("a.json")
    assert put == [CONTENT]
    assert place.read("a.json") == CONTENT
    with pytest.raises(KeyboardInterrupt), place.writing("b.json") as file:
        raise KeyboardInterrupt
    assert not place.exists("b.json")


def test_a_private_library_has_no_file_or_folder_that_others_may_open(folder: LocalFolder, root: Path) -> None:
    (root / PRIVATE_MARK).touch()
    for do in (write, lambda at: at.create("new/b.json", CONTENT)):
        do(folder)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (root / "store").rglob("*")}
    assert (modes["a.json"], modes["b.json"], modes["new"]) == (0o600, 0o600, 0o700)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_want_of_space_is_told_from_other_errors(tmp_path: Path, number: int) -> None:
    def fill(at: AtomicFolder, error: int) -> None:
        with at.writing("a.json"):
            raise OSError(error, os.strerror(error))

    with pytest.raises(StoreFullError, match="no space left on the device"):
        fill(AtomicFolder(str(tmp_path)), number)
    with pytest.raises(StoreError, match="no partial file was left") as raised:
        fill(AtomicFolder(str(tmp_path)), errno.EIO)
    assert not isinstance(raised.value, StoreFullError)


@pytest.mark.parametrize("scheme", ["", "memory://"])
def test_a_place_creates_and_deletes_once_and_reads_no_more_than_it_may(tmp_path: Path, scheme: str) -> None:
    place = AtomicFolder(f"{scheme}{tmp_path}/library")
    assert [place.create("a.json", CONTENT), place.create("a.json", b"other")] == [True, False]
    assert place.read("a.json", len(CONTENT)) == CONTENT
    with pytest.raises(StoreError, match="has more than 10 bytes"):
        place.read("a.json", len(CONTENT) - 1)
    assert [place.delete("a.json"), place.delete("a.json")] == [True, False]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/films/straße.mp4", "/films/straße.mp4"),
        ("/a\n\x1b[31m\u202e\x00", "/a\\n\\x1b[31m\\u202e\\x00"),
        ("/" + 199 * "a", "/" + 199 * "a"),
        ("/" + 199 * "a" + "b", "/" + 96 * "a" + "..." + 99 * "a" + "b"),
        ("/" + 100 * "\n", "/" + 48 * "\\n" + "..." + 50 * "\\n"),
    ],
)
def test_a_path_in_a_message_is_short_and_without_control_characters(path: str, shown: str) -> None:
    assert shown_path(path) == shown
    assert len(shown) <= 200
