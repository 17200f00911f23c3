from __future__ import annotations

import hashlib
import logging
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.library.text_model.tower_cache import TowerCache, cache_folder

CONTENT = b"a tower" * 1000
HASH = hashlib.sha256(CONTENT).hexdigest()


class Library:
    """A library that counts its downloads."""

    def __init__(self, content: bytes = CONTENT) -> None:
        self.content, self.downloads = content, 0

    def __call__(self) -> bytes:
        self.downloads += 1
        return self.content


def _read(folder: Path, library: Library, *, max_bytes: int = 2**20) -> bytes:
    sha256 = hashlib.sha256(library.content).hexdigest()
    return TowerCache(folder, max_bytes).read(sha256, len(library.content), library)


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_is_downloaded_once(tmp_path: Path) -> None:
    library, folder = Library(), tmp_path / "new/cache"
    assert [_read(folder, library) for _ in range(3)] == [CONTENT] * 3
    assert library.downloads == 1
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / HASH).stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", ["changed", "truncated", "longer", "empty", "link", "pipe"])
def test_a_damaged_file_is_replaced(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    library = Library()
    _read(tmp_path, library)
    file = tmp_path / HASH
    if damage == "link":
        file.rename(tmp_path / "other")
        file.symlink_to(tmp_path / "other")
    elif damage == "pipe":
        file.unlink()
        os.mkfifo(file)
    else:
        changes = {"changed": b"b" + CONTENT[1:], "truncated": CONTENT[:-1], "longer": CONTENT + b"x", "empty": b""}
        file.write_bytes(changes[damage])
    caplog.set_level(logging.WARNING, logger="pipeline")
    assert _read(tmp_path, library) == CONTENT
    assert (library.downloads, "damaged" in caplog.text) == (2, True)
    assert (_read(tmp_path, library), library.downloads) == (CONTENT, 2)
    assert file.is_file()
    assert not file.is_symlink()


def test_a_download_with_another_hash_is_not_kept(tmp_path: Path) -> None:
    """The caller compares the hash and reports a difference."""
    library = Library(b"another")
    assert TowerCache(tmp_path).read(HASH, len(CONTENT), library) == b"another"
    assert _names(tmp_path) == set()


def test_the_file_used_longest_ago_goes_first(tmp_path: Path) -> None:
    libraries = [Library(bytes([number]) * 400) for number in range(4)]
    for age, library in enumerate(libraries[:2]):
        _read(tmp_path, library, max_bytes=1000)
        name = hashlib.sha256(library.content).hexdigest()
        os.utime(tmp_path / name, (1000 + age, 1000 + age))
    # A use makes it the latest.
    _read(tmp_path, libraries[0], max_bytes=1000)
    _read(tmp_path, libraries[2], max_bytes=1000)
    kept = {hashlib.sha256(libraries[number].content).hexdigest() for number in (0, 2)}
    assert _names(tmp_path) == kept
    # What exceeds the whole cache is not kept, and nothing has to go for it.
    _read(tmp_path, Library(b"x" * 2000), max_bytes=1000)
    assert _names(tmp_path) == kept


def test_partial_files_of_killed_processes_are_removed_after_an_hour(tmp_path: Path) -> None:
    for name, age in ((".partial-old", 7200), (".partial-new", 60), ("notes.txt", 7200)):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (time.time() - age, time.time() - age))
    _read(tmp_path, Library())
    assert _names(tmp_path) == {HASH, ".partial-new", "notes.txt"}


@pytest.mark.parametrize("kind", ["file", "link", "full"])
def test_a_folder_that_cannot_be_used_only_costs_the_download(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cache"
    if kind == "file":
        folder.write_bytes(b"")
    elif kind == "link":
        (tmp_path / "elsewhere").mkdir()
        folder.symlink_to(tmp_path / "elsewhere")
    else:

        def no_space(*_: object) -> int:
            raise OSError(28, "No space left on device")

        folder.mkdir()
        monkeypatch.setattr(TowerCache, "_make_room", no_space)
    library = Library()
    assert [_read(folder, library) for _ in range(2)] == [CONTENT] * 2
    assert library.downloads == 2
    assert kind != "full" or _names(folder) == set()


def test_threads_and_processes_share_it(tmp_path: Path) -> None:
    code = (
        "import hashlib, sys; from pathlib import Path\n"
        "from pipeline.library.text_model.tower_cache import TowerCache\n"
        "for number in range(60):\n"
        "    content = bytes([number % 5]) * 50_000\n"
        "    name = hashlib.sha256(content).hexdigest()\n"
        "    cache = TowerCache(Path(sys.argv[1]), 120_000)\n"
        "    assert cache.read(name, len(content), lambda: content) == content\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], env=environment, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    found: list[bytes] = []

    def read() -> None:
        found.extend(_read(tmp_path, Library(bytes([number % 5]) * 50_000), max_bytes=120_000) for number in range(60))

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(process.communicate()[1], process.returncode) for process in processes] == [(b"", 0)] * 2
    assert (len(found), {len(content) for content in found}) == (120, {50_000})
    assert not [name for name in _names(tmp_path) if name.startswith(".")]


def test_a_name_that_is_no_hash_is_refused(tmp_path: Path) -> None:
    for name in ("", "../x", HASH.upper(), f"{HASH}\n"):
        with pytest.raises(ValueError, match="SHA-256"):
            TowerCache(tmp_path).read(name, 1, Library())


@pytest.mark.parametrize(("value", "place"), [("/somewhere", "/somewhere"), ("relative", "~/.cache"), ("", "~/.cache")])
def test_the_folder_follows_the_xdg_specification(value: str, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    monkeypatch.setenv("HOME", "/home/someone")
    assert str(cache_folder()) == f"{place.replace('~', '/home/someone')}/momentseek/text-towers"
