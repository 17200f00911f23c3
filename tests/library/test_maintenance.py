from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from contracts.word_world import WordModel, shown, video

from pipeline.errors import ConfigError, MomentIndexError, QueryError, StoreError
from pipeline.index import MilvusIndex
from pipeline.index.rewrite import replace_rows
from pipeline.library import Library
from pipeline.store import traces
from pipeline.types import IndexedSegment

SHOWN = {"park": ("red", "green", "blue"), "gate": ("blue", "", "red green"), "yard": ("green", "")}
ROWS = {"park": 3, "gate": 3, "yard": 2}

FILL = """
import os, sys
sys.path[:0] = [sys.argv[1], os.path.dirname(sys.argv[1])]
from test_maintenance import at, put
with at(sys.argv[2], *sys.argv[4:]) as library:
    library._claim()
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(20):
        put(library, f"{sys.argv[3]}{number}", "red", "green", "blue")
"""

DIE = """
import os, sys
sys.path[:0] = [sys.argv[1], os.path.dirname(sys.argv[1])]
from test_maintenance import at
with at(sys.argv[2], *sys.argv[3:]) as library:
    library.rebuild_index(on_video=lambda done, total: os._exit(7) if done == total else None)
"""

Opener = Callable[..., Library]


def at(folder: Path | str, *overrides: str) -> Library:
    settings = ("segmentation.strategy=shots", "index.backend=milvus", *overrides)
    return Library.open(str(folder), overrides=settings, encoder=WordModel())


def put(library: Library, name: str, *shots: str, metadata: dict[str, str] | None = None) -> None:
    record, frames = video(name, *shots, metadata=metadata)
    library.store.write(record, frames)
    replace_rows(library.moment_index(), name, library.config.row_recipe.rows(frames, record.metadata))


@pytest.fixture(params=["lite", pytest.param("server", marks=pytest.mark.milvus_server)])
def overrides(request: pytest.FixtureRequest) -> Iterator[tuple[str, ...]]:
    if request.param == "lite":
        yield ()
        return
    uri = request.getfixturevalue("milvus_server_uri")
    yield (f"index.uri={uri}", "index.kind.strategy=flat", "index.patience_seconds=60.0")


@pytest.fixture
def library(tmp_path: Path, overrides: tuple[str, ...]) -> Iterator[Library]:
    with at(tmp_path / "library", *overrides) as opened:
        opened._claim()
        for name, shots in SHOWN.items():
            put(opened, name, *shots)
        with pytest.MonkeyPatch.context() as patch:
            # Nobody asks yet, so nobody has to be waited for.
            patch.setattr("pipeline.index.milvus.collections._DRAIN_SECONDS", 0.0)
            opened.rebuild_index()
        yield opened


def generations(library: Library) -> list[str]:
    index = library.moment_index()
    assert isinstance(index, MilvusIndex)
    names = index._connection.ask("read", lambda client: client.list_collections())
    return sorted(name for name in names if name.startswith(index.collection))


def behind(library: Library) -> str:
    index = library.moment_index()
    assert isinstance(index, MilvusIndex)
    found = index._collections.find()
    assert found is not None
    return found.collection


def test_a_rebuild_writes_what_the_store_has(library: Library) -> None:
    before = behind(library)
    index = library.moment_index()
    index.delete_video("park")
    rebuilt = library.rebuild_index()
    assert (rebuilt.videos, rebuilt.segments) == (3, 8)
    assert index.videos() == ROWS
    assert behind(library) != before
    assert generations(library) == [behind(library)]
    assert library.search("green", top=1)[0].video_id in ("park", "yard")


def test_a_search_never_meets_a_half_built_index(library: Library) -> None:
    index, seen = library.moment_index(), []
    library.rebuild_index(on_video=lambda *_: seen.append(len(index.search(shown("red")[None], top=99)[0])))
    assert [*seen, len(index.search(shown("red")[None], top=99)[0])] == [8, 8, 8, 8]


@pytest.mark.milvus_server
def test_other_clients_find_everything_throughout_a_rebuild(tmp_path: Path, milvus_server_uri: str) -> None:
    settings = f"index.uri={milvus_server_uri}", "index.kind.strategy=flat", "index.patience_seconds=0.0"
    seen: list[int] = []
    is_over = threading.Event()

    def search() -> None:
        with at(tmp_path, *settings) as reader:
            while not is_over.is_set():
                seen.append(len(reader.moment_index().search(shown("red")[None], top=99)[0]))

    with at(tmp_path, *settings) as library, ThreadPoolExecutor(1) as pool:
        library._claim()
        for name, shots in SHOWN.items():
            put(library, name, *shots)
        searching = pool.submit(search)
        try:
            for _ in range(3):
                library.rebuild_index()
        finally:
            is_over.set()
        searching.result()
    assert len(seen) > 5
    assert set(seen) == {8}


def test_a_rebuild_that_fails_leaves_the_old_index(library: Library) -> None:
    before = behind(library)

    def fail(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        library.rebuild_index(on_video=fail)
    assert (behind(library), generations(library)) == (before, [before])
    assert library.moment_index().videos() == ROWS


def test_a_killed_rebuild_leaves_the_old_index_and_the_next_one_tidies(
    library: Library, overrides: tuple[str, ...]
) -> None:
    place, before = library.config.library, behind(library)
    library.close()
    command = [sys.executable, "-c", DIE, str(Path(__file__).parent), place, *overrides]
    assert subprocess.run(command, check=False).returncode == 7
    with Library.open(place, encoder=WordModel()) as opened:
        assert behind(opened) == before
        assert len(generations(opened)) == 2
        assert opened.moment_index().videos() == ROWS
        opened.rebuild_index()
        assert generations(opened) == [behind(opened)]
        assert opened.moment_index().videos() == ROWS


def test_what_is_written_and_removed_during_a_rebuild_is_caught_up_with(library: Library) -> None:
    def meddle(done: int, total: int) -> None:
        if done == total:
            put(library, "late", "red", "blue")
            put(library, "gate", *SHOWN["gate"], metadata={"site": "a"})
            library.remove("yard")

    library.rebuild_index(on_video=meddle)
    assert library.moment_index().videos() == {"park": 3, "gate": 3, "late": 2}
    assert library.verify_index().differences == ()


def test_an_old_plain_collection_is_taken_over(library: Library) -> None:
    index = library.moment_index()
    assert isinstance(index, MilvusIndex)
    target, collections, connection = behind(library), index._collections, index._connection
    connection.ask("write to", lambda client: client.drop_alias(index.collection))
    connection.ask("write to", lambda client: client.rename_collection(target, index.collection))
    index._forget()
    assert behind(library) == index.collection
    assert index.videos() == ROWS
    library.rebuild_index()
    assert index.videos() == ROWS
    assert generations(library) == [behind(library)] == [f"{index.collection}_2"]
    assert collections.find() is not None


def test_a_take_over_that_was_killed_between_its_steps_is_mended(library: Library) -> None:
    index = library.moment_index()
    assert isinstance(index, MilvusIndex)
    target = behind(library)
    index._connection.ask("write to", lambda client: client.drop_alias(index.collection))
    index._connection.ask("write to", lambda client: client.rename_collection(target, f"{index.collection}_0"))
    index._forget()
    assert index.videos() == ROWS
    library.rebuild_index()
    assert generations(library) == [behind(library)]


def test_verify_finds_nothing_where_all_is_well(library: Library) -> None:
    comparison = library.verify_index()
    assert (comparison.videos, comparison.segments, comparison.differences) == (3, 8, ())


def test_verify_names_what_is_missing_extra_and_different(library: Library) -> None:
    index = library.moment_index()
    rows = {row.key: row for row in index.rows_of([*ROWS])}
    park = sorted(key for key in rows if key.startswith("park-"))
    times = replace(rows[park[0]], segment=replace(rows[park[0]].segment, end_seconds=9.0))
    vector = replace(rows[park[1]], vector=np.asarray(rows[park[1]].vector[::-1], np.float32))
    named = replace(rows[park[2]], metadata={"site": "b"})
    stray = IndexedSegment("park-stray", rows[park[0]].segment, rows[park[0]].vector)
    ghost = IndexedSegment("ghost-0", replace(rows[park[0]].segment, video_id="ghost"), rows[park[0]].vector)
    index.upsert([times, vector, named, stray, ghost])
    index.delete_video("gate")
    found = {difference.video_id: difference for difference in library.verify_index().differences}
    assert set(found) == {"park", "gate", "ghost"}
    assert len(found["gate"].missing) == 3
    assert (found["ghost"].extra, found["ghost"].names) == (("ghost-0",), ())
    assert found["park"].extra == ("park-stray",)
    said = found["park"].different or {}
    assert set(said) == set(park)
    assert "times 0.000-9.000 s instead of 0.000-2.000 s" in said[park[0]]
    assert "vector off by" in said[park[1]]
    assert "metadata {'site': 'b'} instead of {}" in said[park[2]]
    library.rebuild_index()
    assert library.verify_index().differences == ()


def test_a_removed_video_is_gone_everywhere_and_the_receipt_says_so(library: Library) -> None:
    library.store.add_name("park", "/else/where.mp4")
    other = replace(library.store, sampling_fingerprint="other")
    record, frames = video("park", "red")
    other.write(record, frames)
    receipt = library.remove("where.mp4")
    assert (receipt.video_id, receipt.segments, receipt.frames, receipt.files) == ("park", 3, 12, 6)
    assert receipt.names == ("/videos/park.mp4", "/else/where.mp4")
    assert (receipt.remaining_segments, receipt.remaining_files) == (0, 0)
    assert library.moment_index().videos() == {"gate": 3, "yard": 2}
    assert [path for path in Path(library.config.library).rglob("*") if "park" in path.name] == []
    with pytest.raises(QueryError, match="no video"):
        library.remove("park")


def test_a_removal_that_was_cut_short_is_finished_by_the_next(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise StoreError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.library.maintenance.erase", fail)
        with pytest.raises(StoreError):
            library.remove("park")
    assert library.remove("park.mp4").files == 2
    index = library.moment_index()
    row = next(iter(index.rows_of(["gate"])))
    index.upsert([IndexedSegment("ghost-0", replace(row.segment, video_id="ghost"), row.vector)])
    receipt = library.remove("ghost")
    assert (receipt.segments, receipt.files, index.keys_of("ghost")) == (1, 0, frozenset())


def test_traces_stay_within_the_library(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    assert traces(str(tmp_path), "../x") == ()


@pytest.mark.milvus_server
def test_two_libraries_do_not_share_a_collection(tmp_path: Path, milvus_server_uri: str) -> None:
    with (
        at(tmp_path / "a", f"index.uri={milvus_server_uri}") as one,
        at(tmp_path / "b", f"index.uri={milvus_server_uri}") as two,
    ):
        for library, name in ((one, "park"), (two, "gate")):
            library._claim()
            put(library, name, *SHOWN[name])
        assert (one.moment_index().videos(), two.moment_index().videos()) == ({"park": 3}, {"gate": 3})
        one.rebuild_index()
    (tmp_path / "a").rename(tmp_path / "moved")
    with Library.open(tmp_path / "moved", encoder=WordModel()) as library:
        assert library.moment_index().videos() == {"park": 3}
    shutil.copytree(tmp_path / "moved", tmp_path / "a")
    with (
        Library.open(tmp_path / "moved", encoder=WordModel()) as library,
        pytest.raises(ConfigError, match="is a copy of"),
    ):
        library.moment_index()


@pytest.mark.milvus_server
def test_a_collection_of_another_library_is_refused_and_both_are_named(tmp_path: Path, milvus_server_uri: str) -> None:
    settings = f"index.uri={milvus_server_uri}", f"index.collection=shared_{os.getpid()}"
    with at(tmp_path / "a", *settings) as one, at(tmp_path / "b", *settings) as two:
        one._claim()
        put(one, "park", *SHOWN["park"])
        two._claim()
        with pytest.raises(MomentIndexError, match=r"belongs to the library .*/a \[\w+\], but this is .*/b \[\w+\]"):
            two.moment_index()


@pytest.mark.milvus_server
def test_several_processes_write_to_one_new_library(tmp_path: Path, milvus_server_uri: str) -> None:
    settings = f"index.uri={milvus_server_uri}"
    command = [sys.executable, "-c", FILL, str(Path(__file__).parent), str(tmp_path / "library")]
    writers = [
        subprocess.Popen([*command, name, settings], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for name in "ab"
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.communicate("go\n", timeout=120)
        assert writer.returncode == 0
    with at(tmp_path / "library", settings) as library:
        assert library.moment_index().videos() == {f"{name}{n}": 3 for name in "ab" for n in range(20)}
        assert library.verify_index().differences == ()


@pytest.mark.milvus_server
def test_a_second_rebuild_at_once_is_refused(
    tmp_path: Path, milvus_server_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with at(tmp_path, f"index.uri={milvus_server_uri}", "index.kind.strategy=flat") as library:
        library._claim()
        put(library, "park", *SHOWN["park"])
        index = library.moment_index()
        with monkeypatch.context() as patch:
            patch.setattr("pipeline.index.milvus.collections.os.getpid", os.getppid)
            other = index.replacement(4)
        with other:
            with pytest.raises(MomentIndexError, match=rf"process {os.getppid()} on .* has been rebuilding this index"):
                library.rebuild_index()
            assert index.videos() == {"park": 3}
        library.rebuild_index()
        assert index.videos() == {"park": 3}


def test_the_environment_names_the_server_of_a_new_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOMENTSEEK_MILVUS_URI", "http://127.0.0.1:9")
    assert at(tmp_path / "new").config.index.uri == "http://127.0.0.1:9"
    assert at(tmp_path / "new", "index.uri=there").config.index.uri == "there"
    (tmp_path / "old" / "index").mkdir(parents=True)
    assert at(tmp_path / "old").config.index.uri is None
