"""Lists of videos from the catalogue are those that their files give, whatever state the catalogue is in."""

from __future__ import annotations

import io
import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from pipeline.errors import StoreError
from pipeline.store import ParquetStore, erase, traces
from pipeline.store.listing import catalogue, record_list
from pipeline.store.listing.catalogue import Catalogue, catalogue_file
from pipeline.store.open_frames_file import FramesFiles
from pipeline.testing.store import made_frames, made_record
from pipeline.types import VideoRecord

IDS = [f"{6 * number:02x}v{number:02}" for number in range(40)]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_list, "LEAST_VIDEOS", 8)


@pytest.fixture(params=["local", "remote"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ParquetStore]:
    root = str(tmp_path) if request.param == "local" else f"memory://{tmp_path.name}/library"
    found = ParquetStore(root, "sampling", "encoder")
    for video_id in IDS:
        write(found, video_id)
    yield found
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


def write(store: ParquetStore, video_id: str, note: str = "") -> None:
    record = replace(made_record(video_id, 1), names=(f"/{video_id}.mp4",), metadata={"note": note})
    store.write(record, made_frames(video_id, 1))


def read_singly(store: ParquetStore) -> list[VideoRecord]:
    """The records as their files have them."""
    found = (store.record(video_id) for video_id in store.video_ids())
    return [record for record in found if record is not None]


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


def test_a_second_list_opens_no_video(store: ParquetStore, opened: list[str]) -> None:
    first = list(store.records())
    assert sorted(opened) == IDS
    opened.clear()
    assert list(store.records()) == first
    assert store.survey() == (first, {})
    assert opened == []


def test_only_what_was_written_since_is_read(store: ParquetStore, opened: list[str]) -> None:
    list(store.records())
    write(store, "2av07", "again")
    write(store, "new")
    opened.clear()
    found = list(store.records())
    assert sorted(opened) == ["2av07", "new"]
    assert found == read_singly(store)
    assert [record.metadata["note"] for record in found if record.video_id == "2av07"] == ["again"]


def test_names_gained_and_lost_later_are_in_the_list(store: ParquetStore) -> None:
    list(store.records())
    store.add_name("12v03", "gained.mp4")
    store.take_name("18v04", "/1ev05.mp4")
    store.take_name("1ev05", "/1ev05.mp4")
    store.take_name("18v04", "/1ev05.mp4")
    found = {record.video_id: record for record in store.records()}
    assert list(found.values()) == read_singly(store)
    assert found["12v03"].names == ("/12v03.mp4", "gained.mp4")
    assert found["1ev05"].names == ()


@pytest.mark.parametrize("remove", ["delete", "erase"])
def test_a_removed_video_leaves_no_copy_of_its_record(store: ParquetStore, remove: str) -> None:
    list(store.records())
    name = f"frames/sampling-encoder/{catalogue_file('42v11')}"
    assert name in traces(store.root_url, "42v11")
    if remove == "delete":
        assert store.delete("42v11")
    else:
        assert name in erase(store.root_url, "42v11")
    assert traces(store.root_url, "42v11") == ()
    assert [record.video_id for record in store.records()] == [one for one in IDS if one != "42v11"]
    assert traces(store.root_url, "42v11") == ()


def test_a_video_that_another_program_deleted_goes_from_the_catalogue(store: ParquetStore) -> None:
    list(store.records())
    store._folder.delete("48v12.parquet")
    assert len(list(store.records())) == len(IDS) - 1
    assert traces(store.root_url, "48v12") == ()


def test_a_broken_video_is_an_error_each_time_and_the_others_are_listed(store: ParquetStore) -> None:
    with store._folder.writing("78v20.parquet") as file:
        file.write(b"not Parquet")
    for _ in range(2):
        records, broken = store.survey()
        assert list(broken) == ["78v20"]
        assert [record.video_id for record in records] == [one for one in IDS if one != "78v20"]
        with pytest.raises(StoreError, match=r"78v20\.parquet"):
            list(store.records())


def rows(**columns: list[object]) -> bytes:
    content = io.BytesIO()
    pq.write_table(pa.table(columns), content)
    return content.getvalue()


def copied(store: ParquetStore, video_id: str) -> tuple[str, str]:
    return Catalogue(store._folder).read(catalogue_file(video_id))[video_id]


@pytest.mark.parametrize("damage", ["empty", "garbage", "cut", "columns", "types", "null", "json", "other", "fields"])
def test_a_damaged_catalogue_costs_time_and_nothing_else(store: ParquetStore, damage: str) -> None:
    expected = list(store.records())
    name = catalogue_file("06v01")
    version, record = copied(store, "06v01")
    other = copied(store, "0cv02")[1]
    fields = json.dumps({**json.loads(record), "frame_count": "many"})
    whole = store._folder.read(name)
    content = {
        "empty": b"",
        "garbage": b"PAR1 garbage PAR1",
        "cut": whole[: len(whole) // 2],
        "columns": rows(video_id=["06v01"], version=[version]),
        "types": rows(video_id=[1], version=[version], record=[record]),
        "null": rows(video_id=["06v01"], version=[version], record=pa.array([None], pa.string())),
        "json": rows(video_id=["06v01"], version=[version], record=["{"]),
        "other": rows(video_id=["06v01"], version=[version], record=[other]),
        "fields": rows(video_id=["06v01"], version=[version], record=[fields]),
    }[damage]
    store._folder.write(name, content)
    assert list(store.records()) == expected
    assert store.survey() == (expected, {})


def test_a_catalogue_that_unpacks_to_too_much_is_not_read(store: ParquetStore, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = list(store.records())
    monkeypatch.setattr(catalogue, "_MOST_BYTES", 10)
    assert Catalogue(store._folder).read(catalogue_file(IDS[0])) == {}
    assert list(store.records()) == expected


def test_a_small_store_has_no_catalogue_and_loses_one_when_it_shrinks(store: ParquetStore) -> None:
    list(store.records())
    assert store._folder.list("catalogue", ".parquet")
    for video_id in IDS[7:]:
        store.delete(video_id)
    list(store.records())
    assert store._folder.list("catalogue", ".parquet") == []
    assert len(list(store.records())) == 7


def test_a_list_that_is_not_read_to_its_end_changes_nothing(store: ParquetStore) -> None:
    assert next(store.records()).video_id == IDS[0]
    assert store._folder.list("catalogue", ".parquet") == []


def test_the_first_record_waits_for_no_other(store: ParquetStore, opened: list[str]) -> None:
    list(store.records())
    for video_id in IDS[1:]:
        write(store, video_id, "again")
    opened.clear()
    next(store.records())
    assert opened == []


def test_few_changes_rewrite_no_file(store: ParquetStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_list, "_RENEWED_SHARE", 0.1)
    together = [f"f{number:x}c" for number in range(12, 16)] + [f"ff{number:02}" for number in range(36)]
    for video_id in together:
        write(store, video_id)
    list(store.records())
    name = catalogue_file("ff00")
    for number, is_renewed in ((4, False), (5, True)):
        before = copied(store, "ff00")
        for video_id in together[4 : 4 + number]:
            write(store, video_id, str(number))
        assert list(store.records()) == read_singly(store)
        assert (copied(store, "ff00") != before) == is_renewed
    assert name == "catalogue/3f.parquet"


def test_a_library_that_cannot_be_written_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ParquetStore(str(tmp_path), "sampling", "encoder")
    for video_id in IDS:
        write(store, video_id)

    def refuse(name: str, content: bytes, **options: bool) -> None:
        raise StoreError("read-only")

    monkeypatch.setattr(store._folder, "write", refuse)
    assert [record.video_id for record in store.records()] == IDS


def test_a_link_among_the_files_is_not_followed(tmp_path: Path) -> None:
    store = ParquetStore(str(tmp_path / "library"), "sampling", "encoder")
    for video_id in IDS:
        write(store, video_id)
    list(store.records())
    path = tmp_path / "library/frames/sampling-encoder/1ev05.parquet"
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    assert "symbolic link" in str(store.survey()[1]["1ev05"])


@pytest.mark.parametrize("seed", range(6))
def test_whoever_writes_the_catalogue_and_when_the_list_is_that_of_the_files(store: ParquetStore, seed: int) -> None:
    """Two programs write, delete and list; old files of the catalogue come back, as a slow writer would leave them."""
    draw = random.Random(seed)
    other = ParquetStore(store.root_url, store.sampling_fingerprint, store.encoder_fingerprint)
    saved: list[tuple[str, bytes]] = []
    for number in range(30):
        one = draw.choice([store, other])
        video_id = draw.choice([*IDS, "new1", "new2"])
        action = draw.choice(["write", "delete", "name", "list", "save", "restore"])
        if action == "write":
            write(one, video_id, str(number))
        elif action == "delete":
            one.delete(video_id)
        elif action == "name" and one.record(video_id) is not None:
            one.add_name(video_id, f"{number}.mp4")
        elif action == "save":
            saved += [(name, store._folder.read(name)) for name in store._folder.list("catalogue", ".parquet")]
        elif action == "restore" and saved:
            for name, content in draw.sample(saved, min(5, len(saved))):
                store._folder.write(name, content)
        else:
            assert list(one.records()) == read_singly(one)
    assert list(store.records()) == read_singly(store)


@pytest.mark.parametrize("is_listed", [False, True])
def test_records_that_contain_a_text_are_found_and_no_other_file_is_opened(
    store: ParquetStore, opened: list[str], is_listed: bool
) -> None:
    if is_listed:
        list(store.records())
    store.add_name(IDS[8], "wanted.mp4")
    write(store, IDS[9], "wanted.mp4")
    opened.clear()
    found = {record.video_id for record in store.records_containing("wanted.mp4")}
    assert {IDS[8], IDS[9]} <= found
    assert (set(opened) == {IDS[9]}) == is_listed


def test_files_of_the_catalogue_have_the_order_of_the_ids() -> None:
    draw = random.Random(1)
    characters = "0123456789abcdefABFGZgz-._"
    ids = sorted({"".join(draw.choices(characters, k=draw.randint(1, 4))) for _ in range(5000)})
    files = [catalogue_file(video_id) for video_id in ids]
    assert files == sorted(files)
    shares = Counter(catalogue_file(f"{draw.getrandbits(64):016x}") for _ in range(6400))
    assert len(shares) == 64
    assert max(shares.values()) < 200


def test_a_batch_updates_only_the_files_with_its_videos(store: ParquetStore, opened: list[str]) -> None:
    store.renew_catalogue(IDS)
    assert sorted(set(opened)) == IDS
    before = {name: store._folder.version(name) for name in store._folder.list("catalogue", ".parquet")}
    assert len(before) == len({catalogue_file(video_id) for video_id in IDS})
    written = [IDS[3], "0100new"]
    for video_id in written:
        write(store, video_id, "again")
    opened.clear()
    store.renew_catalogue(written)
    assert sorted(opened) == sorted(written)
    changed = {name for name, version in before.items() if store._folder.version(name) != version}
    assert changed == {catalogue_file(video_id) for video_id in written}
    opened.clear()
    assert len(list(store.records())) == len(IDS) + 1
    assert opened == []


def test_a_batch_completes_a_catalogue_that_is_missing_in_part(store: ParquetStore, opened: list[str]) -> None:
    list(store.records())
    store._folder.delete(catalogue_file(IDS[20]))
    store.renew_catalogue([IDS[3]])
    opened.clear()
    list(store.records())
    assert opened == []


@pytest.mark.parametrize("seed", range(3))
def test_batches_and_removals_at_once_never_change_a_list(store: ParquetStore, seed: int) -> None:
    """Threads with stores of their own write, renew, delete and list at the same time."""
    draw = random.Random(seed)
    steps = [draw.sample(IDS, 6) for _ in range(4)]
    errors: list[BaseException] = []

    def work(video_ids: list[str], number: int) -> None:
        own = ParquetStore(store.root_url, "sampling", "encoder")
        try:
            for video_id in video_ids:
                if number % 2 and video_id in video_ids[:2]:
                    own.delete(video_id)
                else:
                    write(own, video_id, str(number))
                own.renew_catalogue([video_id])
                list(own.listed())
        except BaseException as error:  # noqa: BLE001 - reported by the test's thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(ids, number)) for number, ids in enumerate(steps)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert list(store.records()) == read_singly(store)
    assert list(store.records()) == read_singly(store)


def test_entries_in_the_wrong_file_are_not_used_and_go(store: ParquetStore, opened: list[str]) -> None:
    """An earlier layout distributed entries by a hash of the id."""
    list(store.records())
    right = catalogue_file(IDS[1])
    wrong = Catalogue(store._folder).read(right)
    for name in (catalogue_file(IDS[30]), "catalogue/02.parquet"):
        Catalogue(store._folder).write(name, {**Catalogue(store._folder).read(name), **wrong})
    assert list(store.records()) == read_singly(store)
    holding = [n for n in store._folder.list("catalogue", ".parquet") if IDS[1] in Catalogue(store._folder).read(n)]
    assert holding == [right]


def test_removing_a_video_keeps_the_copies_of_others(store: ParquetStore, opened: list[str]) -> None:
    list(store.records())
    erase(store.root_url, IDS[11])
    store.delete(IDS[12])
    opened.clear()
    assert len(list(store.records())) == len(IDS) - 2
    assert opened == []
