"""All files of one video below a root, in every store, and no file of another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import StoreError
from pipeline.store import ParquetStore, erase, traces
from pipeline.store.frame_sample import SAMPLE_FILE
from pipeline.store.listing.file_names import file_name_entries
from pipeline.store.listing.video_names import holder_file
from pipeline.testing.store import made_frames, made_record

STORES = ("s1-e1", "s2-e1")
HASH = "0123456789abcdef"


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Videos v1 and v10 in two stores, each with names of its own, unfinished files, and samples."""
    for store_name in STORES:
        sampling, encoder = store_name.split("-")
        store = ParquetStore(str(tmp_path), sampling, encoder)
        for video_id in ("v1", "v10"):
            store.write(replace(made_record(video_id), names=(f"{video_id}.mp4",)), made_frames(video_id))
            store.take_name(video_id, f"{video_id}.mp4")
            store.add_name(video_id, f"{video_id} again.mp4")
            store.take_name(video_id, f"{video_id} again.mp4")
            partial = tmp_path / "frames" / store_name / ".partial"
            partial.mkdir(exist_ok=True)
            (partial / f"{video_id}.parquet.{'a' * 32}").write_bytes(b"half")
        store.frame_sample(2)
    return tmp_path


def of_video(root: Path, video_id: str, store_name: str) -> Iterator[str]:
    """What `traces` is to find of it in one store."""
    store = f"frames/{store_name}"
    yield f"{store}/{video_id}.parquet"
    yield f"{store}/.partial/{video_id}.parquet.{'a' * 32}"
    yield f"{store}/{SAMPLE_FILE}"
    given = (f"{video_id}.mp4", f"{video_id} again.mp4")
    yield from (f"{store}/{holder_file(name)}" for name in given)
    yield from (f"{store}/{entry}" for entry in file_name_entries(video_id, given))
    names = root / store / "names" / video_id
    yield from (f"{store}/names/{video_id}/{path.name}" for path in names.iterdir())


def test_all_files_of_a_video_are_found_in_every_store_and_those_alone(root: Path) -> None:
    expected = {name for store in STORES for name in of_video(root, "v1", store)}
    found = traces(str(root), "v1")
    assert sorted(found) == sorted(expected)
    assert expected <= files_in(root)
    assert any("/names/v1/" in name for name in expected)


def test_what_is_erased_is_what_was_found_and_the_rest_stays(root: Path) -> None:
    before, found = files_in(root), traces(str(root), "v1")
    assert erase(str(root), "v1") == found
    assert files_in(root) == before - set(found)
    assert [path for store in STORES for path in (root / "frames" / store / "names").iterdir()] == [
        root / "frames" / store / "names" / "v10" for store in STORES
    ]
    assert traces(str(root), "v1") == erase(str(root), "v1") == ()
    # All that is left of the other one, whose sample went with the first.
    kept = {name for store in STORES for name in of_video(root, "v10", store)} - {
        f"frames/{store}/{SAMPLE_FILE}" for store in STORES
    }
    assert set(traces(str(root), "v10")) == kept


@pytest.mark.parametrize("video_id", ["v", "v2", "V1", "v100"])
def test_a_video_that_is_not_there_has_no_files(root: Path, video_id: str) -> None:
    assert traces(str(root), video_id) == ()


@pytest.mark.parametrize("video_id", ["", "../v1", "names/v1", ".v1", "v1\n"])
def test_what_is_no_id_has_no_files(root: Path, video_id: str) -> None:
    before = files_in(root)
    assert traces(str(root), video_id) == erase(str(root), video_id) == ()
    assert files_in(root) == before


def test_a_broken_video_leaves_nothing_in_the_index_of_file_names(root: Path) -> None:
    (root / "frames/s1-e1/v1.parquet").write_bytes(b"not Parquet")
    found = erase(str(root), "v1")
    assert sum("/s1-e1/filenames/" in name for name in found) == 2
    left = [name for name in files_in(root) if "filenames" in name and not name.endswith("complete")]
    assert left
    assert all(name.endswith(".v10") for name in left)


def test_a_sample_without_the_video_stays(root: Path) -> None:
    store = ParquetStore(str(root), "s1", "e1")
    store.write(made_record("v3"), made_frames("v3"))
    name = f"frames/s1-e1/{SAMPLE_FILE}"
    assert name not in traces(str(root), "v3")
    erase(str(root), "v3")
    assert name in files_in(root)


def test_a_holder_that_names_another_video_stays(root: Path) -> None:
    """The name was taken by another since; the video's own file still has it."""
    store = ParquetStore(str(root), "s1", "e1")
    store.add_name("v10", "v1.mp4")
    store.take_name("v10", "v1.mp4")
    taken = f"frames/s1-e1/{holder_file('v1.mp4')}"
    assert json.loads((root / taken).read_bytes())["video_id"] == "v10"
    assert taken not in erase(str(root), "v1")
    assert taken in files_in(root)
    assert taken in traces(str(root), "v10")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"video_id": null}', b"\xff"])
def test_a_broken_holder_or_name_hides_no_other_file(root: Path, content: bytes) -> None:
    expected = set(traces(str(root), "v1"))
    holder = f"frames/s1-e1/{holder_file('v1.mp4')}"
    (root / holder).write_bytes(content)
    (root / "frames/s1-e1/names/v1" / f"{HASH}.json").write_bytes(content)
    assert set(traces(str(root), "v1")) == expected - {holder} | {f"frames/s1-e1/names/v1/{HASH}.json"}


def test_files_that_no_store_writes_are_left_alone(root: Path) -> None:
    expected = traces(str(root), "v1")
    (root / "frames" / "no store").mkdir()
    for name in (
        "frames/s1-e1/names/v1/notes.json",
        f"frames/s1-e1/.partial/v1.parquet.{'A' * 32}",
        "frames/v1.parquet",
        "frames/no store/v1.parquet",
    ):
        (root / name).write_bytes(b"{}")
    assert traces(str(root), "v1") == expected


def test_the_embeddings_of_a_store_come_last(root: Path) -> None:
    found = traces(str(root), "v1")
    for store in STORES:
        of_store = [name for name in found if name.startswith(f"frames/{store}/")]
        assert of_store[-1] == f"frames/{store}/v1.parquet"


def test_a_link_is_refused_before_anything_is_removed(root: Path) -> None:
    last = root / "frames/s2-e1/v1.parquet"
    moved = root / "moved"
    last.rename(moved)
    last.symlink_to(moved)
    before = files_in(root)
    with pytest.raises(StoreError, match="is a symbolic link"):
        erase(str(root), "v1")
    assert files_in(root) == before


def test_a_file_that_cannot_be_removed_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object, name: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pipeline.store.atomic_folder.AtomicFolder.delete", fail)
    with pytest.raises(StoreError, match=r"frames/s1-e1/.*: cannot be removed: .*Permission denied"):
        erase(str(root), "v1")


def test_a_folder_that_cannot_be_removed_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object, name: str, names: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pipeline.store.atomic_folder.AtomicFolder.delete_folder", fail)
    with pytest.raises(StoreError, match=r"frames/s[12]-e1/names/v1: cannot be removed: .*Permission denied"):
        erase(str(root), "v1")


def test_a_root_that_cannot_be_listed_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object, *arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pipeline.store.atomic_folder.AtomicFolder.folders", fail)
    with pytest.raises(StoreError, match=r"cannot be listed: .*Permission denied"):
        traces(str(root), "v1")


def test_a_root_that_is_not_there_has_no_files(tmp_path: Path) -> None:
    assert traces(str(tmp_path / "nothing"), "v1") == ()
