"""A Milvus Lite folder whose process was killed while it moved the write-ahead log to data files, or dropped rows."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from pipeline.index import Indexing, MilvusIndex, Owner, open_index
from pipeline.index.milvus.lite_index import LiteIndex
from pipeline.testing.index import DIMENSION, random_rows, row, unit

pytestmark = pytest.mark.slow

KILLED = """
import os, signal, sys
from pathlib import Path
from milvus_lite.storage import manifest, wal
from pipeline.index import Indexing, MilvusIndex
from pipeline.index.milvus.rows import MilvusRows
from pipeline.testing.index import row, unit
folder, step, name = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
index = MilvusIndex(Indexing(), "abc", folder=folder)

def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def kill_after(function):
    def called(*arguments):
        function(*arguments)
        kill()
    return called

if step == "before the data files":
    MilvusRows._flush = kill
elif step == "before the manifest":
    manifest.Manifest.save = kill
elif step == "before the log is removed":
    wal.WAL.close_and_delete = kill
elif step == "between the files of the log":
    os.remove = kill_after(os.remove)
if name == "-":
    index.delete_video("v0")
else:
    index.upsert([row(name, 0, unit(1)), row("v1", 1, unit(0, 1))])
"""
DROPPING = """
import os, shutil, signal, sys
from pathlib import Path
from pipeline.index import Indexing, MilvusIndex
from pipeline.testing.index import DIMENSION, random_rows
folder, taken_over, left = Path(sys.argv[1]), sys.argv[2] == "after", int(sys.argv[3])
remove, removing = shutil.rmtree, os.unlink

def killed(*arguments, **options):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    removing(*arguments, **options)

def killed_within(*arguments, **options):
    os.unlink = killed
    remove(*arguments, **options)

with MilvusIndex(Indexing(), "abc", folder=folder) as index, index.replacement(DIMENSION) as fresh:
    fresh.upsert(random_rows(20, videos=2))
    if taken_over:
        shutil.rmtree = killed_within
        fresh.take_over()
    else:
        shutil.rmtree = killed_within
"""
STEPS = (
    "before the data files",
    "before the manifest",
    "before the log is removed",
    "between the files of the log",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with 30 rows of three videos, which nobody has open."""
    with MilvusIndex(Indexing(), "abc", DIMENSION, folder=tmp_path) as index:
        index.upsert(random_rows(30))
    return tmp_path


def killed(folder: Path, step: str, name: str) -> None:
    """Write a video, or delete "v0" if the name is "-", in a process that is killed meanwhile."""
    run = subprocess.run([sys.executable, "-c", KILLED, str(folder), step, name], check=False)
    assert run.returncode == -signal.SIGKILL


def check_rows(folder: Path, expected: Counter[str]) -> None:
    """Open the folder with Milvus Lite, then read its files, twice."""
    for _ in range(2):
        with MilvusIndex(Indexing(), "abc", folder=folder) as index:
            assert index.videos() == expected
            check_hits(index, expected)
        named = json.loads((folder / "collections/segments_1/manifest.json").read_bytes())["partitions"]["_default"]
        for files in named.values():
            assert len(set(files)) == len(files)
        with open_index(Indexing(), folder=folder, owner=Owner("abc"), is_searched=True) as index:
            assert isinstance(index, LiteIndex)
            check_hits(index, expected)
            assert index._opened is None


def check_hits(index: MilvusIndex | LiteIndex, expected: Counter[str]) -> None:
    (hits,) = index.search(unit(1)[None], top=99)
    assert Counter(hit.segment.video_id for hit in hits) == expected
    assert index.count() == expected.total()


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_write_is_there_once(folder: Path, step: str) -> None:
    killed(folder, step, "killed")
    check_rows(folder, Counter(v0=10, v1=10, v2=10, killed=1))


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_removal_stays_removed(folder: Path, step: str) -> None:
    killed(folder, step, "-")
    check_rows(folder, Counter(v1=10, v2=10))


@pytest.mark.parametrize(("first", "second"), [STEPS[0::2], STEPS[0::3], STEPS[2:]])
def test_several_killed_writes_are_there_once(folder: Path, first: str, second: str) -> None:
    """The second process replays the log of the first one, and is killed in turn."""
    killed(folder, first, "one")
    killed(folder, second, "-")
    killed(folder, first, "two")
    check_rows(folder, Counter(v1=10, v2=10, one=1, two=1))


def test_a_write_after_a_killed_one_replaces_it(folder: Path) -> None:
    """Milvus Lite must not hold the killed process's rows twice, in its buffer and in a segment."""
    killed(folder, "before the log is removed", "killed")
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:
        check_hits(index, Counter(v0=10, v1=10, v2=10, killed=1))
        index.upsert([row("later", 0, unit(1))])
        check_hits(index, Counter(v0=10, v1=10, v2=10, killed=1, later=1))
        index.delete_video("killed")
    check_rows(folder, Counter(v0=10, v1=10, v2=10, later=1))


@pytest.mark.parametrize("left", [0, 3])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_killed_rebuild_does_not_stop_the_next_one(folder: Path, when: str, left: int) -> None:
    """The process is killed while it drops the former collection, or one that does not take over."""
    run = subprocess.run([sys.executable, "-c", DROPPING, str(folder), when, str(left)], check=False)
    assert run.returncode == -signal.SIGKILL
    rows = Counter(v0=10, v1=10) if when == "after" else Counter(v0=10, v1=10, v2=10)
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:
        assert index.videos() == rows
        with index.replacement(DIMENSION) as fresh:
            fresh.upsert([row("rebuilt", 0, unit(1))])
            fresh.take_over()
        assert index.videos() == Counter(rebuilt=1)
    assert len(list((folder / "collections").iterdir())) == 1
