"""An index is switched by `migrate_index` alone, and one that lacks videos is never searched in silence."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from contracts.word_world import WordModel, video
from shots_library import SHOWN, ShotsExecutor
from test_maintenance import put

from pipeline.errors import ConfigError, MomentIndexError, QueryError
from pipeline.library import Library
from pipeline.library.index_place import IndexPlace, index_place
from pipeline.run_config import load_run_config
from pipeline.types import VideoReport


def at(folder: Path, *overrides: str) -> Library:
    return Library.open(str(folder), overrides=("segmentation.strategy=shots", *overrides), encoder=WordModel())


def index_films(library: Library, *names: str) -> list[VideoReport]:
    return list(library.index(names or tuple(SHOWN), executor=ShotsExecutor(library)))


@pytest.fixture(params=["folder", pytest.param("server", marks=pytest.mark.milvus_server)])
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an index can be, beside the library's own folder."""
    return str(tmp_path / "rows") if request.param == "folder" else request.getfixturevalue("milvus_server_uri")


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    with at(tmp_path / "library") as library:
        index_films(library)
    return tmp_path / "library"


def uri_of(folder: Path) -> str | None:
    with at(folder) as library:
        return library.config.index.uri


def test_another_place_is_refused_before_anything_is_written(filled: Path, elsewhere: str) -> None:
    runs = list(filled.glob("runs/*"))
    with at(filled, f"index.uri={elsewhere}") as library:
        with pytest.raises(
            ConfigError, match=r"is in the library's own folder.*set index\.uri=null, or.*index migrate"
        ):
            index_films(library)
        with pytest.raises(ConfigError, match="index migrate"):
            library.remove("park.mp4")
    assert list(filled.glob("runs/*")) == runs
    assert uri_of(filled) is None
    with at(filled) as library:
        assert {moment.video_id for moment in library.search("green")} == {"park", "gate"}


@pytest.mark.parametrize(
    ("setting", "way"),
    [
        ("index.collection=other", "set index.collection=null"),
        ("index.backend=memory", "set index.backend=milvus, or .*index rebuild --set index.backend=memory"),
    ],
)
def test_every_way_to_another_index_is_refused(filled: Path, setting: str, way: str) -> None:
    with at(filled, setting) as library, pytest.raises(ConfigError, match=way):
        index_films(library)


def test_the_librarys_own_folder_by_its_path_is_its_own_folder(filled: Path, elsewhere: str) -> None:
    with at(filled) as library:
        library.migrate_index(elsewhere)
        library.migrate_index(str(filled / "index"))
    assert uri_of(filled) is None


@pytest.mark.parametrize("same", ["HTTP://127.0.0.1:9/", "http://127.0.0.1:9"])
def test_a_server_in_other_words_is_the_same(same: str) -> None:
    def place(uri: str) -> IndexPlace:
        return index_place(load_run_config(None, [f"index.uri={uri}"]))

    assert place(same) == place("http://127.0.0.1:9")
    assert place(same) != place("http://127.0.0.1:90")


def test_a_place_of_the_environment_is_not_taken_in_silence(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(filled / "index")
    monkeypatch.setenv("MOMENTSEEK_MILVUS_URI", "http://127.0.0.1:9")
    with at(filled) as library, pytest.raises(ConfigError, match="unset MOMENTSEEK_MILVUS_URI, or"):
        index_films(library)


def test_a_library_without_videos_may_still_choose(tmp_path: Path) -> None:
    with at(tmp_path / "library") as library:
        assert [report.status for report in index_films(library, "none.mp4")] == ["failed"]
    with at(tmp_path / "library", "index.backend=memory") as library:
        assert [report.status for report in index_films(library, "park.mp4")] == ["done"]


def test_there_and_back(filled: Path, elsewhere: str) -> None:
    with at(filled) as library:
        before = library.search("green")
        assert library.migrate_index(elsewhere).videos == 2
        assert library.search("green") == before
        put(library, "yard", "green", "")
    assert uri_of(filled) == elsewhere
    with at(filled) as library:
        assert library.incomplete() is None
        library.remove("gate.mp4")
        # The index in the library's own folder still has what it had.
        assert library.migrate_index(None).videos == 2
        assert library.moment_index().videos() == {"park": 3, "yard": 2}
        assert library.incomplete() is None
    assert uri_of(filled) is None


def test_an_interrupted_migration_changes_nothing_and_goes_on(filled: Path, elsewhere: str) -> None:
    def interrupt(done: int, total: int) -> None:
        assert (done, total) == (2, 2)
        raise KeyboardInterrupt

    with at(filled) as library:
        with pytest.raises(KeyboardInterrupt):
            library.migrate_index(elsewhere, on_video=interrupt)
        assert len(library.search("green")) == 2
    assert uri_of(filled) is None
    written: list[int] = []
    with at(filled) as library, pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.index.MilvusIndex.upsert", lambda _, rows: written.append(len(rows)))
        library.migrate_index(elsewhere)
        assert len(library.search("green")) == 2
    assert sum(written) == 0


def test_what_is_written_during_a_migration_comes_along(filled: Path, tmp_path: Path) -> None:
    with at(filled) as library:

        def write_more(done: int, total: int) -> None:
            record, frames = video("yard", "green")
            library.store.write(record, frames)

        library.migrate_index(str(tmp_path / "rows"), on_video=write_more)
        assert set(library.moment_index().videos()) == {"park", "gate", "yard"}


def test_an_index_that_lacks_videos_is_said_in_every_answer(filled: Path) -> None:
    with at(filled) as library:
        assert library.ask("green").incomplete is None
        library.moment_index().delete_video("park")
        library._forget()
        for answer in (library.ask("green"), *library.ask_all(["green", "red"])):
            assert answer.incomplete is not None
            assert (answer.incomplete.stored_videos, answer.incomplete.indexed_videos) == (2, 1)
            assert answer.incomplete.remedy == f"momentseek index rebuild --library {filled}"
        library.rebuild_index()
        assert library.ask("green").incomplete is None


def test_an_empty_index_is_told_from_an_empty_library(filled: Path) -> None:
    shutil.rmtree(filled / "index")
    with (
        at(filled) as library,
        pytest.raises(MomentIndexError, match=r"^2 videos are stored, but this index is empty: mom"),
    ):
        library.ask("green")
    with at(filled) as library:
        library.rebuild_index()
        assert len(library.search("green")) == 2


def test_an_empty_index_elsewhere_names_the_way_back(filled: Path, tmp_path: Path) -> None:
    with (
        at(filled, f"index.uri={tmp_path / 'rows'}") as library,
        pytest.raises(
            MomentIndexError, match=r"this index is empty: the library's index is in the library's own folder"
        ),
    ):
        library.ask("green")


def test_an_empty_library_is_empty(tmp_path: Path) -> None:
    with at(tmp_path / "library") as library, pytest.raises(QueryError, match="holds no video yet; index some first"):
        library.ask("green")
