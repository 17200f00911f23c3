"""Several real processes use one Milvus Lite folder: one holds it, others join it, and take over when it ends."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from own_process import start_script

from pipeline.errors import FingerprintMismatchError, IndexDamagedError, IndexLockedError, MomentIndexError
from pipeline.index import Indexing, MilvusIndex
from pipeline.index.milvus.lite import client as lite_client
from pipeline.index.milvus.lite import shared_folders
from pipeline.index.milvus.lite.holder_file import HOLDER_FILE, Holder, read_holder, write_holder
from pipeline.io.process_identity import Process, lock_holder, this_process
from pipeline.testing.index import DIMENSION, random_rows, row, unit

# Opens an index, and evaluates the lines of its standard input. It kills itself before or after the function that its
# second argument names.
_PEER = """
import importlib, json, os, signal, sys
from pathlib import Path
from pipeline.index import Indexing, MilvusIndex
from pipeline.testing.index import random_rows, row, unit

def die_in(place, when):
    module, _, path = place.partition(":")
    *parents, name = path.split(".")
    owner = importlib.import_module(module)
    for parent in parents:
        owner = getattr(owner, parent)
    original = getattr(owner, name)
    def dying(*args, **options):
        if when == "after":
            original(*args, **options)
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(owner, name, dying)

if sys.argv[2:]:
    die_in(*sys.argv[2:])
index = MilvusIndex(Indexing(), "abc", folder=Path(sys.argv[1]))
print(json.dumps(os.getpid()), flush=True)
for line in sys.stdin:
    print(json.dumps(eval(line)), flush=True)
index.close()
"""


class Peer:
    """Another process with an index in the same folder."""

    def __init__(self, folder: Path, work: Path, *die_in: str) -> None:
        self.process = start_script(_PEER, work, str(folder), *die_in)

    def opened(self) -> Peer:
        self._answer()
        return self

    def ask(self, expression: str) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{expression}\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate(timeout=60)
        return json.loads(line)

    def end(self) -> None:
        """Let it close its index and end."""
        _, error = self.process.communicate("", timeout=60)
        assert (self.process.returncode, error) == (0, "")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


MakePeer = Callable[..., Peer]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "index"


@pytest.fixture
def peer(folder: Path, tmp_path: Path) -> Iterator[MakePeer]:
    peers: list[Peer] = []

    def make(*die_in: str, at: Path = folder) -> Peer:
        peers.append(Peer(at, tmp_path / "work", *die_in))
        return peers[-1]

    yield make
    for each in peers:
        with suppress(ProcessLookupError):
            os.killpg(each.process.pid, signal.SIGKILL)
        each.process.wait()
        for stream in (each.process.stdin, each.process.stdout, each.process.stderr):
            assert stream is not None
            with suppress(BrokenPipeError):
                stream.close()


def is_joined(index: MilvusIndex) -> bool:
    lite = index._connection._lite
    assert lite is not None
    return lite.reference.is_joined


def test_two_processes_use_one_folder_and_each_sees_what_the_other_wrote(folder: Path, peer: MakePeer) -> None:
    other = peer().opened()
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:
        assert is_joined(index)
        assert other.ask("index.upsert(random_rows(30))") is None
        assert (index.count(), len(index.search(unit(1)[None], top=99)[0])) == (30, 30)
        index.upsert([row("mine", 0, unit(7))])
        assert other.ask("index.search(unit(7)[None], top=1)[0][0].key") == row("mine", 0, unit(7)).key
        assert other.ask("index.delete_video('v0')") == 10
        assert index.videos() == {"v1": 10, "v2": 10, "mine": 1}
        with index.replacement(DIMENSION) as fresh:
            fresh.upsert(random_rows(6))
            fresh.take_over()
        assert other.ask("[index.count(), len(index.search(unit(1)[None], top=99)[0])]") == [6, 6]
    assert lock_holder(folder / "LOCK") == other.process.pid
    other.end()
    assert not (folder / HOLDER_FILE).exists()


def test_processes_that_begin_at_once_in_a_new_folder_share_it(folder: Path, peer: MakePeer) -> None:
    peers = [peer() for _ in range(3)]
    for number, each in enumerate(peers):
        each.opened().ask(f"[index.upsert([row('of{number}', n, unit(1, n))]) for n in range(5)]")
    assert [each.ask("index.count()") for each in peers] == [15, 15, 15]
    assert sum(each.ask("not index._connection._lite.reference.is_joined") for each in peers) == 1


def test_who_joins_does_not_import_milvus_lite(folder: Path, peer: MakePeer) -> None:
    """It takes a second."""
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:
        index.upsert(random_rows(3))
        other = peer().opened()
        assert other.ask("[index.count(), 'milvus_lite' in sys.modules]") == [3, False]
        assert not index._connection.is_exclusive
        other.end()


def test_the_file_that_names_the_holder_is_its_users_alone(folder: Path) -> None:
    before = os.umask(0)
    try:
        with MilvusIndex(Indexing(), "abc", folder=folder) as index:
            assert stat.S_IMODE((folder / HOLDER_FILE).lstat().st_mode) == 0o600
            holder = read_holder(folder)
            assert holder is not None
            assert holder.process == this_process()
            assert f"unix://{holder.socket}" == index._connection.uri
    finally:
        os.umask(before)


_SERVICER = "milvus_lite.adapter.grpc.servicer:MilvusServicer"
_STEPS = {
    "write not begun": (f"{_SERVICER}.Upsert", "before"),
    "write done and not answered": (f"{_SERVICER}.Upsert", "after"),
    "flush": (f"{_SERVICER}.Flush", "before"),
    "flush in the engine": ("milvus_lite.engine.flush:write_data_file", "before"),
    "flush, table written": ("milvus_lite.engine.flush:write_data_file", "after"),
    "closing": ("milvus_lite.engine.collection:Collection.close", "before"),
    "closed and still locked": ("pipeline.index.milvus.lite.folder:remove_holder", "before"),
}


@pytest.mark.parametrize("step", _STEPS)
def test_where_the_holder_is_killed_no_row_is_lost_and_the_other_goes_on(
    folder: Path, peer: MakePeer, step: str
) -> None:
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:
        index.upsert(random_rows(30))
    other = peer(*_STEPS[step]).opened()
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:
        assert is_joined(index)
        if "clos" in step:
            assert other.process.stdin is not None
            other.process.stdin.close()
        began = time.monotonic()
        index.upsert([row("mine", n, unit(n + 1)) for n in range(5)])
        if "clos" in step:
            other.process.wait(timeout=60)
            index.upsert([row("mine", n, unit(n + 1)) for n in range(5)])
        assert time.monotonic() - began < 60, "sooner than its patience ends"
        assert other.process.wait(timeout=60) == -signal.SIGKILL
        assert not is_joined(index)
        assert index.videos() == {"v0": 10, "v1": 10, "v2": 10, "mine": 5}
        assert len(index.search(unit(1)[None], top=99)[0]) == 35
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:
        assert index.count() == 35


def test_a_holder_that_is_killed_before_it_serves_is_not_waited_for(folder: Path, peer: MakePeer) -> None:
    MilvusIndex(Indexing(), "abc", folder=folder).close()
    other = peer("pipeline.index.milvus.lite.folder:PrivateSocket", "before")
    assert other.process.wait(timeout=60) == -signal.SIGKILL
    holder = read_holder(folder)
    assert holder is not None
    assert (holder.socket, holder.process.is_running) == (None, False)
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:
        assert (is_joined(index), index.count()) == (False, 0)


def test_when_the_holder_ends_requests_under_way_are_answered_once(folder: Path, peer: MakePeer) -> None:
    """The other process writes and searches without a pause while the folder changes hands."""
    holder = MilvusIndex(Indexing(), "abc", folder=folder)
    holder.upsert(random_rows(3))
    other = peer().opened()
    step = "index.upsert([row('mine', n, unit(n + 1))]) or len(index.search(unit(1)[None], top=9999)[0])"
    work = f"[{step} for n in range(60)]"
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(other.ask(work)))
    thread.start()
    time.sleep(0.5)
    holder.close()
    thread.join(timeout=60)
    assert answers == [[3 + n + 1 for n in range(60)]]
    assert other.ask("index._connection._lite.reference.is_joined") is False
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:
        assert is_joined(index)
        assert index.videos() == {"v0": 1, "v1": 1, "v2": 1, "mine": 60}


def test_several_threads_of_one_index_outlast_the_holder(folder: Path, peer: MakePeer) -> None:
    other = peer().opened()
    other.ask("index.upsert(random_rows(30))")
    found: list[int] = []
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:

        def search() -> None:
            found.extend(len(index.search(unit(1)[None], top=99)[0]) for _ in range(15))

        threads = [threading.Thread(target=search) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        other.kill()
        for thread in threads:
            thread.join(timeout=60)
    assert found == [30] * 60


@pytest.mark.parametrize("kind", ["killed", "reused number", "no JSON", "list", "other values", "link", "folder"])
def test_a_file_that_was_left_or_changed_is_overwritten(folder: Path, tmp_path: Path, kind: str) -> None:
    folder.mkdir()
    path = folder / HOLDER_FILE
    here = Holder(this_process(), is_own=True, socket=tmp_path / "a.sock")
    if kind == "killed":
        write_holder(folder, replace(here, process=replace(here.process, number=2**22 + 1)))
    elif kind == "reused number":
        write_holder(folder, replace(here, process=Process(os.getppid(), 1, here.process.place)))
    elif kind == "link":
        (tmp_path / "elsewhere").write_text("kept")
        path.symlink_to(tmp_path / "elsewhere")
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_text({"no JSON": "{", "list": "[1]", "other values": '{"process": true}'}[kind])
    if kind == "link":
        with pytest.raises(IndexDamagedError, match="contains a link"):
            MilvusIndex(Indexing(), "abc", folder=folder)
        assert (tmp_path / "elsewhere").read_text() == "kept"
        return
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:
        assert (is_joined(index), index.count()) == (False, 0)
        if kind != "folder":
            holder = read_holder(folder)
            assert holder is not None
            assert holder.process == this_process()
    assert path.exists() == (kind == "folder")


def test_a_long_path(tmp_path: Path, peer: MakePeer) -> None:
    folder = tmp_path / ("x" * 200) / ("é" * 100) / "index"
    folder.parent.mkdir(parents=True)
    other = peer(at=folder).opened()
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:
        index.upsert(random_rows(3))
        assert other.ask("index.count()") == 3
        other.end()
        assert index.count() == 3


def test_a_suspended_holder_is_waited_for_a_limited_time(
    folder: Path, peer: MakePeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lite_client, "_CONNECT_SECONDS", 0.5)
    other = peer().opened()
    os.kill(other.process.pid, signal.SIGSTOP)
    began = time.monotonic()
    try:
        with pytest.raises(IndexLockedError, match=rf"process {other.process.pid} .*suspended; .*kill -CONT"):
            MilvusIndex(Indexing(patience_seconds=1), "abc", folder=folder)
    finally:
        os.kill(other.process.pid, signal.SIGCONT)
    assert time.monotonic() - began < 30
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:
        assert is_joined(index)


def test_another_encoder_is_refused_in_a_folder_that_another_process_holds(folder: Path, peer: MakePeer) -> None:
    other = peer().opened()
    other.ask("index.upsert(random_rows(3))")
    with pytest.raises(FingerprintMismatchError):
        MilvusIndex(Indexing(), "def", folder=folder)
    with pytest.raises(IndexLockedError):
        MilvusIndex(Indexing(uri=str(folder)), "abc")
    assert other.ask("index.count()") == 3


def test_a_damaged_collection_is_one_error_in_every_process(folder: Path, peer: MakePeer) -> None:
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:
        index.upsert(random_rows(30))
        name = index._collections.target()
    (folder / "collections" / str(name) / "manifest.json").write_text("[]")
    with MilvusIndex(Indexing(collection="beside"), "abc", folder=folder):
        program = "from pathlib import Path; from pipeline.index import Indexing, MilvusIndex; import sys;"
        program += "MilvusIndex(Indexing(), 'abc', folder=Path(sys.argv[1]))"
        done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=False)
        assert "IndexDamagedError" in done.stderr.splitlines()[-1]
        assert "manifest.json is not a JSON object" in done.stderr
        assert "momentseek index rebuild" in done.stderr


def in_child(work: Callable[[], object]) -> int:
    """Run a function in a forked process and return its exit code: 0 if it returned true."""
    child = os.fork()
    if child == 0:
        code = 1
        with suppress(BaseException):
            code = 0 if work() else 2
        os._exit(code)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_neither_unlocks_nor_keeps_the_folder(folder: Path) -> None:
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:
        index.upsert(random_rows(3))
        assert in_child(lambda: index.close() or not shared_folders._open) == 0
        # A child that uses the index joins its parent.
        assert in_child(lambda: index.count() == 3 and is_joined(index)) == 0
        assert lock_holder(folder / "LOCK") == os.getpid()
        assert read_holder(folder) is not None
        assert index.count() == 3
        waiting, wake = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(wake)
            os.read(waiting, 1)
            os._exit(0)
    try:
        assert lock_holder(folder / "LOCK") is None
        with MilvusIndex(Indexing(), "abc", folder=folder) as index:
            assert (is_joined(index), index.count()) == (False, 3)
    finally:
        os.close(wake)
        os.waitpid(child, 0)


def test_a_full_disk_keeps_nobody_from_searching(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the file, the folder is as it was before: open to one process."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.index.milvus.lite.folder.write_holder", fail)
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:
        assert index.count() == 0
        assert not (folder / HOLDER_FILE).exists()


def test_a_process_that_locks_and_says_nothing_is_named_soon(folder: Path) -> None:
    folder.mkdir()
    program = (
        "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX); print('held'); input()"
    )
    command = [sys.executable, "-u", "-c", program, str(folder / "LOCK")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        began = time.monotonic()
        with pytest.raises(MomentIndexError, match=f"in use by process {process.pid}"):
            MilvusIndex(Indexing(), "abc", folder=folder)
        assert 1.5 < time.monotonic() - began < 30
        process.communicate("\n")
