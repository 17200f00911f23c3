from __future__ import annotations

import errno
import json
import multiprocessing
import os
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.errors import StoreError
from pipeline.store import ParquetStore
from pipeline.testing.store import StoreContract, made_frames, made_record


class TestOnTheDisk(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> ParquetStore:
        return ParquetStore(str(tmp_path / "a store"), "s1", "e1")


class TestByFileUrl(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> ParquetStore:
        return ParquetStore(f"file://{tmp_path}", "s1", "e1")


class TestInMemory(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> ParquetStore:
        return ParquetStore(f"memory://{tmp_path.name}", "s1", "e1")


@pytest.fixture
def store(tmp_path: Path) -> ParquetStore:
    return ParquetStore(str(tmp_path), "s1", "e1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "frames" / "s1-e1"


def test_constructing_touches_nothing(store: ParquetStore, tmp_path: Path) -> None:
    assert list(store.records()) == []
    assert list(tmp_path.iterdir()) == []


def test_it_pickles_after_use(store: ParquetStore) -> None:
    store.write(made_record(), made_frames())
    copy = pickle.loads(pickle.dumps(store))
    assert copy == store
    assert copy.record("v1") == made_record()


def test_a_relative_root_is_bound_to_the_working_directory_of_its_making(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = ParquetStore("here", "s1", "e1")
    monkeypatch.chdir("/")
    store.write(made_record(), made_frames())
    assert (tmp_path / "here/frames/s1-e1/v1.parquet").is_file()


def test_stores_of_other_fingerprints_are_apart(store: ParquetStore, tmp_path: Path) -> None:
    store.write(made_record(), made_frames())
    for other in (ParquetStore(str(tmp_path), "s2", "e1"), ParquetStore(str(tmp_path), "s1", "e2")):
        assert other.record("v1") is None


def test_an_outline_is_read_without_embeddings(store: ParquetStore, folder: Path) -> None:
    frames = made_frames()
    store.write(made_record(), frames)
    content = bytearray((folder / "v1.parquet").read_bytes())
    column = pq.ParquetFile(folder / "v1.parquet").metadata.row_group(0).column(2)
    first = column.data_page_offset
    content[first : first + column.total_compressed_size] = bytes(column.total_compressed_size)
    (folder / "v1.parquet").write_bytes(content)
    outline = store.outline("v1")
    np.testing.assert_array_equal(outline.pts, frames.pts)
    assert (outline.pts.dtype, outline.dimension, outline.cuts_seconds) == (np.int64, 8, frames.cuts_seconds)
    with pytest.raises(StoreError, match="is broken"):
        store.read("v1")


def test_the_outline_of_a_video_that_is_not_there_is_an_error(store: ParquetStore) -> None:
    with pytest.raises(StoreError, match="v1: there is no such video"):
        store.outline("v1")


def test_columns_are_as_documented(store: ParquetStore, folder: Path) -> None:
    store.write(made_record(), made_frames())
    schema = pq.read_schema(folder / "v1.parquet")
    assert [(field.name, str(field.type)) for field in schema] == [
        ("time_seconds", "double"),
        ("pts", "int64"),
        ("embedding", "fixed_size_list<element: float>[8]"),
    ]
    details = json.loads(schema.metadata[b"momentseek"])
    assert details["time_base"] == "1/24000"
    assert set(details["versions"]) == {"momentseek", "pyarrow", "numpy"}


def test_records_do_not_read_vectors(store: ParquetStore, folder: Path) -> None:
    store.write(made_record(), made_frames())
    file = folder / "v1.parquet"
    content = bytearray(file.read_bytes())
    start = content.index(b"PAR1") + 4
    content[start : start + 200] = bytes(200)
    file.write_bytes(content)
    assert list(store.records()) == [made_record()]
    with pytest.raises(StoreError, match=r"v1\.parquet: is broken .*delete it and index the video again"):
        store.read("v1")


def test_one_flipped_bit_in_the_vectors_is_noticed(store: ParquetStore, folder: Path) -> None:
    frames = made_frames(count=200)
    store.write(made_record(count=200), frames)
    file = folder / "v1.parquet"
    column = pq.read_metadata(file).row_group(0).column(2)
    whole = file.read_bytes()
    for place in range(100, column.total_compressed_size, 211):
        content = bytearray(whole)
        content[column.data_page_offset + place] ^= 1
        file.write_bytes(content)
        with pytest.raises(StoreError, match="is broken"):
            store.read("v1")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"hello, this is not Parquet at all"])
def test_a_broken_file_is_named_with_its_remedy(store: ParquetStore, folder: Path, content: bytes) -> None:
    folder.mkdir(parents=True)
    (folder / "v1.parquet").write_bytes(content)
    for ask in (store.read, store.record, lambda _: list(store.records())):
        with pytest.raises(StoreError, match=r"s1-e1/v1\.parquet: is broken .*delete it and index the video again"):
            ask("v1")


def test_a_truncated_file_is_noticed(store: ParquetStore, folder: Path) -> None:
    store.write(made_record(), made_frames())
    file = folder / "v1.parquet"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(StoreError, match="is broken"):
        store.record("v1")


def test_a_foreign_parquet_file_is_named(store: ParquetStore, folder: Path) -> None:
    import pyarrow as pa

    folder.mkdir(parents=True)
    pq.write_table(pa.table({"a": [1]}), folder / "v1.parquet")
    with pytest.raises(StoreError, match="is broken"):
        store.record("v1")


def _with_details(file: Path, **changes: object) -> None:
    table = pq.read_table(file)
    details = {**json.loads(table.schema.metadata[b"momentseek"]), **changes}
    pq.write_table(table.replace_schema_metadata({b"momentseek": json.dumps(details)}), file)


def test_another_format_names_its_version(store: ParquetStore, folder: Path) -> None:
    store.write(made_record(), made_frames())
    _with_details(folder / "v1.parquet", format=2, versions={"momentseek": "9.1"})
    with pytest.raises(StoreError, match=r"has format 2, written by momentseek 9\.1; this version reads format 1"):
        store.read("v1")


def test_a_file_moved_from_another_store_is_refused(store: ParquetStore, folder: Path) -> None:
    store.write(made_record(), made_frames())
    _with_details(folder / "v1.parquet", encoder_fingerprint="e9")
    with pytest.raises(StoreError, match=r"belongs to another video or store \(encoder_fingerprint e9 instead of e1\)"):
        store.record("v1")


def test_a_renamed_file_is_refused(store: ParquetStore, folder: Path) -> None:
    store.write(made_record(), made_frames())
    (folder / "v1.parquet").rename(folder / "v2.parquet")
    with pytest.raises(StoreError, match="video_id v1 instead of v2"):
        store.record("v2")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_and_keeps_what_was(
    store: ParquetStore, folder: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    store.write(made_record(), made_frames())

    def full(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"v1\.parquet: cannot be written: there is no space left on"):
        store.write(made_record(count=7), made_frames(count=7))
    monkeypatch.undo()
    assert store.record("v1") == made_record()
    assert list((folder / ".partial").iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "frames").write_text("in the way")
    with pytest.raises(StoreError, match=r"cannot be written: .*; no partial file was left"):
        ParquetStore(str(tmp_path), "s1", "e1").write(made_record(), made_frames())


def test_an_unknown_protocol_is_named() -> None:
    with pytest.raises(StoreError, match=r"'nosuch://bucket/frames.*cannot hold a store"):
        list(ParquetStore("nosuch://bucket", "s1", "e1").records())


def _write_and_die(root: str) -> None:
    def die(descriptor: int) -> None:
        os._exit(9)

    os.fsync = die
    ParquetStore(root, "s1", "e1").write(made_record(), made_frames())


def test_a_killed_writer_leaves_nothing_that_counts(store: ParquetStore, folder: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_write_and_die, args=(store.root_url,))
    process.start()
    process.join()
    assert process.exitcode == 9
    [left_over] = (folder / ".partial").iterdir()
    assert store.record("v1") is None
    assert list(store.records()) == []
    store.write(made_record("v2"), made_frames("v2"))
    assert left_over.exists()
    os.utime(left_over, times=(time.time() - 4000,) * 2)
    store.write(made_record("v2"), made_frames("v2"))
    assert not left_over.exists()


def test_names_added_at_once_are_all_kept(store: ParquetStore) -> None:
    store.write(made_record(), made_frames())
    names = [f"copy-{number}.mp4" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: store.add_name("v1", name), names))
    record = store.record("v1")
    assert record is not None
    assert sorted(record.names[1:]) == sorted(names)


def test_a_reader_never_sees_half_a_file(store: ParquetStore) -> None:
    store.write(made_record(count=300), made_frames(count=300))
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(
            lambda: [store.write(made_record(count=n), made_frames(count=n)) for n in (3000, 300) * 5]
        )
        while not writing.done():
            assert len(store.read("v1")) in (300, 3000)
        writing.result()


def test_adding_a_name_leaves_the_vectors_alone(store: ParquetStore, folder: Path) -> None:
    store.write(made_record(), made_frames())
    before = (folder / "v1.parquet").stat()
    store.add_name("v1", "b.mp4")
    after = (folder / "v1.parquet").stat()
    # It may be read, which changes the time of its last reading.
    assert (after.st_ino, after.st_mtime_ns, after.st_size) == (before.st_ino, before.st_mtime_ns, before.st_size)


def test_a_broken_name_is_reported(store: ParquetStore, folder: Path) -> None:
    store.write(made_record(), made_frames())
    store.add_name("v1", "b.mp4")
    [file] = (folder / "names" / "v1").iterdir()
    file.write_text("{")
    with pytest.raises(StoreError, match="names/v1: the names of a video cannot be read"):
        store.record("v1")


def test_an_unreadable_file_is_not_advised_to_be_deleted(store: ParquetStore, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "v1.parquet").mkdir()
    with pytest.raises(StoreError, match="cannot be read") as caught:
        store.record("v1")
    assert "delete" not in str(caught.value)


def test_record_and_frames_must_fit(store: ParquetStore) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        store.write(made_record("v1"), made_frames("v2"))
    with pytest.raises(ValueError, match="does not fit"):
        store.write(made_record(count=4), made_frames(count=5))


@pytest.mark.parametrize("video_id", ["../v1", "a/b", "", ".v1"])
def test_ids_that_leave_the_folder_are_refused(store: ParquetStore, video_id: str) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        store.write(made_record(video_id), made_frames(video_id))
    with pytest.raises(ValueError, match="becomes part of a path"):
        replace(store, encoder_fingerprint=video_id)


def test_vectors_are_read_only(store: ParquetStore) -> None:
    store.write(made_record(), made_frames())
    with pytest.raises(ValueError, match="read-only"):
        store.read("v1").vectors[0, 0] = np.float32(0)


@pytest.mark.parametrize("count", [4095, 4096, 4097, 10_000])
def test_a_long_video_is_read_exactly_whatever_its_groups_of_rows(
    store: ParquetStore, folder: Path, count: int
) -> None:
    frames = made_frames(count=count)
    frames = replace(frames, seen_until_seconds=frames.times_seconds + 0.001)
    store.write(made_record(count=count), frames)
    groups = pq.read_metadata(folder / "v1.parquet").num_row_groups
    assert groups == -(-count // 4096)
    in_groups = store.read("v1")
    # As all of them were written once: one group, however long the video.
    pq.write_table(pq.read_table(folder / "v1.parquet"), folder / "v1.parquet")
    for read in (in_groups, store.read("v1")):
        for name in ("pts", "times_seconds", "vectors", "seen_until_seconds"):
            np.testing.assert_array_equal(getattr(read, name), getattr(frames, name))


def test_a_failed_put_elsewhere_is_named_and_keeps_what_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ParquetStore(f"memory://{tmp_path.name}", "s1", "e1")
    store.write(made_record(), made_frames())

    def refuse(*_: object, **__: object) -> None:
        raise OSError("the bucket is closed")

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "put_file", refuse)
    with pytest.raises(StoreError, match="cannot be written: the bucket is closed; no partial file was left"):
        store.write(made_record(count=7), made_frames(count=7))
    assert store.record("v1") == made_record()


def test_in_memory_writes_leave_one_file_a_video(tmp_path: Path) -> None:
    store = ParquetStore(f"memory://{tmp_path.name}", "s1", "e1")
    store.write(made_record(), made_frames())
    written = fsspec.filesystem("memory").find(f"/{tmp_path.name}")
    files = [name for name in written if "/filenames/" not in name]
    assert files == [f"/{tmp_path.name}/frames/s1-e1/v1.parquet"]


def test_a_file_from_before_the_step_was_kept_is_read(store: ParquetStore, folder: Path) -> None:
    frames = made_frames()
    store.write(made_record(), replace(frames, seen_until_seconds=frames.times_seconds + 0.001, step_seconds=0.5))
    file = folder / "v1.parquet"
    table = pq.read_table(file)
    details = json.loads(table.schema.metadata[b"momentseek"])
    assert details.pop("step_seconds") == 0.5
    pq.write_table(table.replace_schema_metadata({b"momentseek": json.dumps(details)}), file, write_page_checksum=True)
    assert store.read("v1").step_seconds is None
    np.testing.assert_array_equal(store.read("v1").seen_until_seconds, frames.times_seconds + 0.001)
