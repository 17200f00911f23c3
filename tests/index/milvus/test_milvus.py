from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from own_process import start_script

from pipeline.errors import FingerprintMismatchError, IndexLockedError, MomentIndexError
from pipeline.index import Indexing, MilvusIndex, MomentIndex, Owner, open_index
from pipeline.index.milvus.lite.folder import LiteFolder
from pipeline.io.process_identity import lock_holder
from pipeline.testing.index import DIMENSION, LastingIndexContract, random_rows, row, unit

HOLD = """
import sys
from pathlib import Path
from pipeline.index import Indexing, MilvusIndex
index = MilvusIndex(Indexing(), "abc", folder=Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


class TestMilvusLite(LastingIndexContract):
    @pytest.fixture
    def open_it(self, tmp_path: Path) -> Iterator[Callable[[], MomentIndex]]:
        opened: list[MilvusIndex] = []

        def open_it() -> MomentIndex:
            opened.append(MilvusIndex(Indexing(), "abc", DIMENSION, folder=tmp_path / "index"))
            return opened[-1]

        yield open_it
        for index in opened:
            index.close()


@pytest.mark.milvus_server
class TestMilvusServer(LastingIndexContract):
    @pytest.fixture
    def open_it(self, milvus_collection: Indexing) -> Iterator[Callable[[], MomentIndex]]:
        opened: list[MilvusIndex] = []

        def open_it() -> MomentIndex:
            opened.append(MilvusIndex(milvus_collection, "abc", DIMENSION))
            return opened[-1]

        yield open_it
        for index in opened:
            index.close()


@pytest.mark.milvus_server
def test_a_search_knows_what_its_own_process_has_just_written(milvus_collection: Indexing) -> None:
    with MilvusIndex(milvus_collection, "abc") as index:
        rows = random_rows(30)
        for count, each in enumerate(rows, 1):
            index.upsert([each])
            assert index.search(each.vector[None], top=count)[0][0].key == each.key
            assert len(index.search(each.vector[None], top=30)[0]) == count


@pytest.mark.milvus_server
def test_the_first_search_knows_what_others_have_just_written_and_later_ones_soon_do(
    milvus_collection: Indexing, tmp_path: Path
) -> None:
    script = """
        import sys
        from pipeline.testing.index import random_rows
        from pipeline.index import Indexing, MilvusIndex
        index = MilvusIndex(Indexing.model_validate_json(sys.argv[1]), "abc")
        rows = random_rows(20)
        for first, last in [(0, 10), (10, 20)]:
            index.upsert(rows[first:last])
            print("written", flush=True)
            sys.stdin.readline()
    """
    writer = start_script(script, tmp_path / "writer", milvus_collection.model_dump_json())
    assert writer.stdin is not None
    assert writer.stdout is not None
    assert writer.stdout.readline() == "written\n", writer.communicate()
    with MilvusIndex(milvus_collection, "abc") as index:
        assert len(index.search(unit(1)[None], top=30)[0]) == 10
        writer.stdin.write("go on\n")
        writer.stdin.flush()
        assert writer.stdout.readline() == "written\n"
        until = time.monotonic() + 60
        while (found := len(index.search(unit(1)[None], top=30)[0])) < 20 and time.monotonic() < until:
            time.sleep(0.05)
        assert found == 20
    writer.communicate("\n", timeout=30)


def test_another_encoder_is_refused_and_both_are_named(tmp_path: Path) -> None:
    with MilvusIndex(Indexing(), Owner("abc", "ViT-B-32 (x)"), folder=tmp_path) as index:
        index.upsert([row("v", 0, unit(1))])
    with pytest.raises(FingerprintMismatchError, match=r"ViT-B-32 \(x\) \[abc\].*ViT-L-14 \[def\].*another library"):
        MilvusIndex(Indexing(), Owner("def", "ViT-L-14"), folder=tmp_path)
    with MilvusIndex(Indexing(), "abc", folder=tmp_path) as index:
        assert index.count() == 1


def test_another_dimension_is_refused_at_opening(tmp_path: Path) -> None:
    with MilvusIndex(Indexing(), "abc", folder=tmp_path) as index:
        index.upsert([row("v", 0, unit(1))])
    with pytest.raises(FingerprintMismatchError, match=f"{DIMENSION} dimensions, not 512"):
        MilvusIndex(Indexing(), "abc", 512, folder=tmp_path)


def test_rows_name_their_encoder(tmp_path: Path) -> None:
    with MilvusIndex(Indexing(), "abc", folder=tmp_path) as index:
        index.upsert([row("v", 0, unit(1), site="gate")])
        (kept,) = index._connection.ask(
            "read",
            lambda client: client.query("segments", filter="", output_fields=["model", "metadata"], limit=2),
        )
    assert (kept["model"], kept["metadata"]) == ("abc", {"site": "gate"})


def test_two_collections_live_in_one_folder(tmp_path: Path) -> None:
    with MilvusIndex(Indexing(collection="one"), "abc", folder=tmp_path) as index:
        index.upsert([row("v", 0, unit(1))])
    with MilvusIndex(Indexing(collection="two"), "def", folder=tmp_path) as index:
        assert index.count() == 0


def test_a_strange_collection_is_refused(tmp_path: Path) -> None:
    from pymilvus import MilvusClient

    with MilvusIndex(Indexing(), "abc", folder=tmp_path) as index:
        client = MilvusClient(index._connection.uri)
        client.create_collection("segments", dimension=4)
        client.close()
        with pytest.raises(MomentIndexError, match=r"not made by momentseek.*index\.collection"):
            index.count()


def test_a_folder_that_is_locked_and_not_shared_names_its_holder_and_the_ways_out(tmp_path: Path) -> None:
    """As by an older version of momentseek."""
    MilvusIndex(Indexing(), "abc", folder=tmp_path).close()
    program = "import fcntl, sys; file = open(sys.argv[1]); fcntl.flock(file, fcntl.LOCK_EX); print('held'); input()"
    command = [sys.executable, "-u", "-c", program, str(tmp_path / "LOCK")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            with pytest.raises(IndexLockedError) as caught:
                MilvusIndex(Indexing(), "abc", folder=tmp_path)
        finally:
            process.communicate("\n")
    assert f"process {process.pid} ({sys.executable} -u -c" in str(caught.value)
    [since] = re.findall(r", since (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\)", str(caught.value))
    assert abs(time.mktime(time.strptime(since, "%Y-%m-%d %H:%M:%S")) - time.time()) < 60
    assert f"kill {process.pid}" in str(caught.value)
    assert "momentseek index migrate http://HOST:19530" in str(caught.value)
    MilvusIndex(Indexing(), "abc", folder=tmp_path).close()


def test_a_folder_is_shared_within_a_process_until_the_last_is_closed(tmp_path: Path) -> None:
    first = MilvusIndex(Indexing(), "abc", folder=tmp_path)
    second = MilvusIndex(Indexing(), "abc", folder=Path(os.path.relpath(tmp_path)))
    second.upsert(random_rows(30))
    assert (first.count(), len(first.search(unit(1)[None], top=99)[0])) == (30, 30)
    first.close()
    first.close()
    assert second.delete_video("v0") == 10
    with MilvusIndex(Indexing(), "abc", folder=tmp_path) as third:
        second.close()
        assert third.count() == 20
        assert lock_holder(tmp_path / "LOCK") == os.getpid()
    assert lock_holder(tmp_path / "LOCK") is None
    MilvusIndex(Indexing(), "abc", folder=tmp_path).close()


def test_a_shared_folder_is_checked_for_each_owner(tmp_path: Path) -> None:
    with MilvusIndex(Indexing(), "abc", folder=tmp_path) as index:
        index.upsert(random_rows(3))
        for owner in ("other", "abc"):
            if owner == "other":
                with pytest.raises(FingerprintMismatchError):
                    MilvusIndex(Indexing(), owner, folder=tmp_path)
            else:
                MilvusIndex(Indexing(), owner, folder=tmp_path).close()
            assert index.count() == 3


def test_a_folder_of_another_kind_is_not_shared(tmp_path: Path) -> None:
    with (
        MilvusIndex(Indexing(), "abc", folder=tmp_path),
        pytest.raises(IndexLockedError, match="already open in this process"),
    ):
        MilvusIndex(Indexing(uri=str(tmp_path)), "abc")


def test_a_folder_that_was_made_anew_is_another_one(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    with MilvusIndex(Indexing(), "abc", folder=folder) as gone:
        gone.upsert(random_rows(3))
        shutil.rmtree(folder)
        with MilvusIndex(Indexing(), "abc", folder=folder) as fresh:
            assert fresh.count() == 0
            fresh.upsert(random_rows(5))
    with MilvusIndex(Indexing(), "abc", folder=folder) as again:
        assert again.count() == 5


def test_a_rebuild_of_one_is_seen_by_the_other_and_not_disturbed(tmp_path: Path) -> None:
    with MilvusIndex(Indexing(), "abc", folder=tmp_path) as one, MilvusIndex(Indexing(), "abc", folder=tmp_path) as two:
        one.upsert(random_rows(30))
        assert len(two.search(unit(1)[None], top=99)[0]) == 30
        with one.replacement(DIMENSION) as fresh:
            fresh.upsert(random_rows(9))
            with pytest.raises(MomentIndexError, match="has been rebuilding this index"):
                two.replacement(DIMENSION)
            assert len(two.search(unit(1)[None], top=99)[0]) == 30
            fresh.take_over()
        assert len(two.search(unit(1)[None], top=99)[0]) == 9
        with two.replacement(DIMENSION):
            pass
        with one.replacement(DIMENSION):
            pass
        assert (one.count(), two.count()) == (9, 9)


def test_many_threads_share_a_folder(tmp_path: Path) -> None:
    def count(_: int) -> int:
        with MilvusIndex(Indexing(), "abc", folder=tmp_path) as index:
            return index.count()

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(count, range(12))) == [0] * 12
    assert lock_holder(tmp_path / "LOCK") is None


def test_holder_is_unknown_without_a_table_of_locks(tmp_path: Path) -> None:
    (tmp_path / "LOCK").touch()
    assert lock_holder(tmp_path / "LOCK", tmp_path / "locks") is None
    inode = (tmp_path / "LOCK").stat().st_ino
    (tmp_path / "locks").write_text(
        f"1: POSIX ADVISORY WRITE 7 08:01:{inode} 0 EOF\n2: -> FLOCK ADVISORY WRITE 8 x 0 EOF\n"
    )
    assert lock_holder(tmp_path / "LOCK", tmp_path / "locks") is None
    (tmp_path / "locks").write_text(f"1: FLOCK  ADVISORY  WRITE 4711 08:01:{inode} 0 EOF\n")
    assert lock_holder(tmp_path / "LOCK", tmp_path / "locks") == 4711


def test_uri_names_another_folder(tmp_path: Path) -> None:
    with MilvusIndex(Indexing(uri=str(tmp_path / "there")), "abc", folder=tmp_path / "here") as index:
        index.upsert(random_rows(1))
    assert (tmp_path / "there" / "LOCK").exists()
    assert not (tmp_path / "here").exists()


def test_no_place_is_refused() -> None:
    with pytest.raises(MomentIndexError, match=r"index\.uri"):
        MilvusIndex(Indexing(), "abc")


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(MomentIndexError, match=r"no Milvus server answers at 'http://127.0.0.1:9'.*MILVUS_TOKEN"):
        MilvusIndex(Indexing(uri="http://127.0.0.1:9"), "abc")


def test_lite_behind_its_own_server_is_known_as_such(tmp_path: Path) -> None:
    served = LiteFolder(tmp_path)
    with MilvusIndex(Indexing(uri=served.uri), "abc") as index:
        index.upsert([row("v0", n, unit(1)) for n in range(200)])
        assert len(index.search(unit(1)[None], top=200)[0]) == 200
    served.close()


def test_a_closed_index_says_so(tmp_path: Path) -> None:
    index = MilvusIndex(Indexing(), "abc", folder=tmp_path)
    index.close()
    with pytest.raises(MomentIndexError, match="is closed"):
        index.count()


def test_lite_is_on_a_socket(tmp_path: Path) -> None:
    with MilvusIndex(Indexing(), "abc", folder=tmp_path) as index:
        assert index._connection.uri.startswith("unix:///")


def test_nothing_is_printed(tmp_path: Path) -> None:
    program = "import sys\n" + HOLD.replace("sys.stdin.read()", "index.close()")
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert (done.stdout, done.stderr) == ("held\n", "")


def test_open_index_follows_the_settings(tmp_path: Path) -> None:
    with open_index(Indexing(backend="memory"), folder=None, owner=Owner("abc")) as index:
        assert repr(index) == "MemoryIndex(0 rows)"
    with open_index(Indexing(), folder=tmp_path, owner=Owner("abc")) as index:
        assert repr(index) == f"MilvusIndex({tmp_path}, segments)"
