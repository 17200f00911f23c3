"""Batches, changes of metadata, removals and `index verify` keep the catalogue, and upgrade older libraries."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from shots_library import ShotsExecutor, filled, opened

from pipeline.errors import StoreError
from pipeline.library import Library
from pipeline.store.listing import record_list
from pipeline.store.listing.catalogue import Catalogue, catalogue_file
from pipeline.store.parquet_store import ParquetStore


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_list, "LEAST_VIDEOS", 1)


def copied(library: Library) -> dict[str, str]:
    """The records in the catalogue, as JSON, by id."""
    catalogue = Catalogue(library.store._folder)
    return {video_id: entry.record for name in catalogue.files() for video_id, entry in catalogue.read(name).items()}


def made_old(folder: Path) -> None:
    """Remove what older versions did not write."""
    for store in (folder / "frames").iterdir():
        shutil.rmtree(store / "catalogue")
        shutil.rmtree(store / "filenames")


def verify(library: Library) -> None:
    library.verify_index()


def index_one(library: Library) -> None:
    list(library.index(["park.mp4"], executor=ShotsExecutor(library)))


def test_a_batch_leaves_a_catalogue_and_an_index_of_names(tmp_path: Path) -> None:
    with filled(tmp_path) as library:
        assert copied(library).keys() == {"park", "gate"}
        assert library.store.named("park.mp4") is not None


@pytest.mark.parametrize("upgrade", [verify, index_one])
def test_an_older_library_is_used_and_upgraded_in_place(tmp_path: Path, upgrade: Callable[[Library], None]) -> None:
    with filled(tmp_path):
        pass
    made_old(tmp_path)
    with opened(tmp_path) as library:
        assert library.find("gate.mp4") == ("gate",)
        assert library.store.named("gate.mp4") is None
        assert [moment.video_id for moment in library.search("green", videos=["gate.mp4"])][:1] == ["gate"]
        upgrade(library)
        assert copied(library).keys() == {"park", "gate"}
        assert [record.video_id for record in library.store.named("gate.mp4") or ()] == ["gate"]
        assert library.find("gate.mp4") == ("gate",)


def test_changed_metadata_and_removals_are_in_the_catalogue(tmp_path: Path) -> None:
    with filled(tmp_path) as library:
        library.set_metadata(["park.mp4"], {"site": "north"})
        assert '"site": "north"' in copied(library)["park"]
        library.remove("gate.mp4")
        assert copied(library).keys() == {"park"}


def test_a_wrong_entry_changes_no_answer_and_verify_replaces_it(tmp_path: Path) -> None:
    with filled(tmp_path) as library:
        catalogue, name = Catalogue(library.store._folder), catalogue_file("park")
        before = catalogue.read(name)
        stale = {"park": before["park"]._replace(version="1-2-3", record=before["gate"].record)}
        catalogue.write(name, {**before, **stale})
        assert [record.video_id for record in library.videos()] == ["gate", "park"]
        catalogue.write(name, {**before, **stale})
        library.verify_index()
        assert catalogue.read(name) == before


def test_a_catalogue_that_cannot_be_written_fails_no_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise StoreError("read-only")

    monkeypatch.setattr(ParquetStore, "renew_catalogue", refuse)
    with filled(tmp_path) as library:
        assert len(library.videos()) == 2
