from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import yaml
from contracts.word_world import WordModel
from shots_library import SHOWN, ShotsExecutor, filled, opened

from pipeline.errors import (
    ConfigError,
    FingerprintMismatchError,
    IndexLockedError,
    MomentIndexError,
    QueryError,
    StoreError,
)
from pipeline.library import Library
from pipeline.run_config import RunConfig, load_run_config
from pipeline.types import Source, Status


@contextmanager
def held_elsewhere(folder: Path) -> Iterator[None]:
    """A folder of Milvus Lite that another process has locked."""
    program = "import fcntl, sys; file = open(sys.argv[1]); fcntl.flock(file, fcntl.LOCK_EX); print(); input()"
    command = [sys.executable, "-c", program, str(folder / "LOCK")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.communicate("\n")


def test_index_gives_a_report_a_source(tmp_path: Path) -> None:
    with opened(tmp_path) as library:
        reports = list(library.index(["park.mp4", "none.mp4"], executor=ShotsExecutor(library)))
    assert [(report.source.uri, report.status) for report in reports] == [
        ("park.mp4", Status.DONE),
        ("none.mp4", Status.FAILED),
    ]


def test_failures_are_kept_until_the_source_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as library:
        for source in (Source("none.mp4", {"camera": "yard"}), "gone.mp4", "none.mp4", "park.mp4"):
            list(library.index([source], executor=ShotsExecutor(library)))
        assert [Path(failure.source.uri).name for failure in library.failures()] == ["gone.mp4", "none.mp4"]
        assert all(Path(failure.source.uri).is_absolute() for failure in library.failures())
        monkeypatch.setitem(SHOWN, "none.mp4", ("red",))
        again = [failure.source for failure in library.failures()]
        statuses = [report.status for report in library.index(again, executor=ShotsExecutor(library))]
        assert sorted(statuses) == [Status.DONE, Status.FAILED]
        [failure] = library.failures()
    assert (Path(failure.source.uri).name, failure.problem, failure.video_id) == ("gone.mp4", "no such file", None)


def test_search_finds_what_was_indexed(tmp_path: Path) -> None:
    with filled(tmp_path) as library:
        moments = library.search("green", top=2)
    assert [(m.video_id, m.start_seconds, m.end_seconds) for m in moments] == [("park", 2, 4), ("gate", 4, 6)]


def test_search_sees_what_is_indexed_later(tmp_path: Path) -> None:
    with opened(tmp_path) as library:
        list(library.index(["park.mp4"], executor=ShotsExecutor(library)))
        assert {m.video_id for m in library.search("green")} == {"park"}
        list(library.index(["gate.mp4"], executor=ShotsExecutor(library)))
        assert {m.video_id for m in library.search("green")} == {"park", "gate"}


def test_search_sees_what_is_indexed_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with filled(tmp_path) as library:
        assert library.search("green", top=1)[0].start_seconds == 2
        monkeypatch.setitem(SHOWN, "park.mp4", ("green", "red", "blue"))
        list(library.index(["park.mp4"], executor=ShotsExecutor(library)))
        assert library.search("green", top=1)[0].start_seconds == 0


@pytest.mark.parametrize("name", ["gate", "gate.mp4", "/videos/gate.mp4"])
def test_search_within_a_video(tmp_path: Path, name: str) -> None:
    with filled(tmp_path) as library:
        assert {m.video_id for m in library.search("green", videos=[name])} == {"gate"}


def test_search_within_an_unknown_video_is_refused(tmp_path: Path) -> None:
    with filled(tmp_path) as library, pytest.raises(QueryError, match=r"no video 'gat\.mp4'.*nearest: gate\.mp4"):
        library.search("green", videos=["gat.mp4"])


def test_search_by_metadata(tmp_path: Path) -> None:
    with opened(tmp_path) as library:
        sources = [Source("park.mp4", {"site": "a"}), Source("gate.mp4", {"site": "b"})]
        list(library.index(sources, executor=ShotsExecutor(library)))
        assert {m.video_id for m in library.search("green", metadata={"site": "b"})} == {"gate"}


def test_an_empty_library_is_said_to_be_empty(tmp_path: Path) -> None:
    with opened(tmp_path) as library, pytest.raises(QueryError, match="holds no video yet; index some first"):
        library.search("green")
    assert list(tmp_path.iterdir()) == []


def test_videos_are_listed_by_id(tmp_path: Path) -> None:
    with filled(tmp_path) as library:
        assert [record.video_id for record in library.videos()] == ["gate", "park"]


@pytest.mark.parametrize("backend", ["memory", "milvus"])
def test_remove_takes_a_video_away(tmp_path: Path, backend: str) -> None:
    with filled(tmp_path, backend=backend) as library:
        library.search("green")
        removed = library.remove("park.mp4")
        assert (removed.video_id, removed.segments) == ("park", 3)
        assert {m.video_id for m in library.search("green")} == {"gate"}
        assert [record.video_id for record in library.videos()] == ["gate"]
        with pytest.raises(QueryError, match="no video"):
            library.remove("park.mp4")


def test_remove_refuses_a_name_of_several(tmp_path: Path) -> None:
    with filled(tmp_path) as library:
        library.store.add_name("park", "/a/same.mp4")
        library.store.add_name("gate", "/b/same.mp4")
        with pytest.raises(QueryError, match=r"2 videos are named 'same'; .*gate, park"):
            library.remove("same")
        assert len(library.videos()) == 2


def test_a_library_knows_its_own_configuration(tmp_path: Path) -> None:
    filled(tmp_path, "search.top=3").close()
    with Library.open(tmp_path, encoder=WordModel()) as library:
        assert library.config.search.top == 3
        assert library.config.segmentation.strategy == "shots"
        assert library.config.library == str(tmp_path)
        assert len(library.search("green", min_score=0)) == 3


def test_a_moved_library_is_found_where_it_is(tmp_path: Path) -> None:
    filled(tmp_path / "here", backend="milvus").close()
    (tmp_path / "here").rename(tmp_path / "there")
    with Library.open(tmp_path / "there", encoder=WordModel()) as library:
        assert library.search("green")[0].video_id == "park"
    assert not (tmp_path / "here").exists()


def test_milvus_lite_lives_in_the_library(tmp_path: Path) -> None:
    with filled(tmp_path, backend="milvus") as library:
        assert library.search("green")[0].video_id == "park"
    assert (tmp_path / "index" / "LOCK").exists()


def test_another_encoder_is_refused_at_opening(tmp_path: Path) -> None:
    filled(tmp_path).close()
    with pytest.raises(FingerprintMismatchError, match=r"three words \[words1\].*four \[words2\].*another library"):
        Library.open(tmp_path, encoder=WordModel("words2", "four"))


def test_a_library_whose_first_batch_failed_may_change_its_encoder(tmp_path: Path) -> None:
    with opened(tmp_path) as library:
        list(library.index(["none.mp4"], executor=ShotsExecutor(library)))
    with Library.open(tmp_path, encoder=WordModel("words2", "four")) as library:
        assert library.videos() == []


def test_another_sampling_is_refused_at_searching(tmp_path: Path) -> None:
    filled(tmp_path).close()
    with (
        Library.open(tmp_path, overrides=["sampling.fps=3.0"], encoder=WordModel()) as library,
        pytest.raises(ConfigError, match="was sampled otherwise"),
    ):
        library.search("green")


def test_a_library_of_a_version_that_chose_other_frames_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path).close()
    monkeypatch.setattr("pipeline.run_config._SAMPLING_REVISION", "a later one")
    with pytest.raises(ConfigError, match="by a version of momentseek that chose frames otherwise"):
        Library.open(tmp_path, encoder=WordModel())
    config = load_run_config(overrides=[f"library={tmp_path}"])
    with pytest.raises(ConfigError, match="chose frames otherwise"), Library(config, encoder=WordModel()) as library:
        list(library.index(["park.mp4"]))
    monkeypatch.undo()
    with Library.open(tmp_path, encoder=WordModel()) as library:
        assert len(library.videos()) == 2


def test_a_configuration_names_its_library(tmp_path: Path) -> None:
    config = load_run_config(overrides=[f"library={tmp_path}", "index.backend=memory", "segmentation.strategy=shots"])
    with Library.open(config, encoder=WordModel()) as library:
        list(library.index(["park.mp4"], executor=ShotsExecutor(library)))
        assert library.config == config
        assert library.search("green")[0].video_id == "park"


def test_the_default_library_is_in_the_working_directory() -> None:
    assert Library.open(encoder=WordModel()).config == RunConfig()


def test_rebuild_index_follows_the_segmentation(tmp_path: Path) -> None:
    filled(tmp_path).close()
    overrides = [
        "segmentation.strategy=fixed_windows",
        "segmentation.length_seconds=2.0",
        "segmentation.overlap_seconds=0.0",
    ]
    with Library.open(tmp_path, overrides=[*overrides, "index.backend=milvus"], encoder=WordModel()) as library:
        assert library.rebuild_index().segments == 6
        assert library.moment_index().count() == 6
    overrides[1] = "segmentation.length_seconds=3.0"
    with Library.open(tmp_path, overrides=[*overrides, "index.backend=milvus"], encoder=WordModel()) as library:
        assert library.rebuild_index().segments == 4
        assert library.moment_index().count() == 4


def test_model_files_are_kept_by_their_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.pt").touch()
    with opened(tmp_path / "lib", "encoder.checkpoint=model.pt") as library:
        list(library.index([], executor=ShotsExecutor(library)))
    kept = yaml.safe_load((tmp_path / "lib" / "library.yaml").read_text())
    assert kept["configuration"]["encoder"]["checkpoint"] == str(tmp_path / "model.pt")
    assert "library" not in kept["configuration"]


def test_folders_of_models_and_index_are_kept_by_their_absolute_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with opened(tmp_path / "lib", "encoder.cache_dir=models", "index.uri=rows") as library:
        list(library.index([], executor=ShotsExecutor(library)))
    kept = yaml.safe_load((tmp_path / "lib" / "library.yaml").read_text())["configuration"]
    assert kept["encoder"]["cache_dir"] == str(tmp_path / "models")
    assert kept["index"]["uri"] == str(tmp_path / "rows")


def test_a_library_at_home_has_its_index_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    library = Library.open("~/lib", overrides=["segmentation.strategy=shots"], encoder=WordModel())
    with library:
        list(library.index(SHOWN, executor=ShotsExecutor(library)))
    assert [path.name for path in tmp_path.iterdir()] == ["lib"]
    assert (tmp_path / "lib" / "index" / "LOCK").exists()


def test_a_batch_that_cannot_be_run_leaves_the_library_as_it_was(tmp_path: Path) -> None:
    filled(tmp_path, backend="milvus").close()
    with (
        held_elsewhere(tmp_path / "index"),
        opened(tmp_path, "search.top=3", backend="milvus") as library,
        pytest.raises(IndexLockedError),
    ):
        list(library.index(["park.mp4"]))
    with Library.open(tmp_path, encoder=WordModel()) as library:
        assert len(library.videos()) == 2
        assert library.config.search.top != 3


def test_two_libraries_of_one_process_share_a_folder(tmp_path: Path) -> None:
    with opened(tmp_path, backend="milvus") as one, opened(tmp_path, backend="milvus") as two:
        list(one.index(["park.mp4"], executor=ShotsExecutor(one)))
        assert {moment.video_id for moment in two.search("green")} == {"park"}
        list(two.index(["gate.mp4"], executor=ShotsExecutor(two)))
        assert {moment.video_id for moment in one.search("green")} == {"park", "gate"}
        one.close()
        assert {moment.video_id for moment in two.search("green")} == {"park", "gate"}
    assert {moment.video_id for moment in one.search("green")} == {"park", "gate"}
    one.close()


def test_a_full_library_is_not_sampled_otherwise(tmp_path: Path) -> None:
    filled(tmp_path).close()
    with opened(tmp_path, "sampling.fps=3.0") as library, pytest.raises(ConfigError, match="another library"):
        list(library.index(["park.mp4"]))
    with Library.open(tmp_path, encoder=WordModel()) as library:
        assert len(library.videos()) == 2


def test_an_index_that_could_not_be_filled_is_not_used(tmp_path: Path) -> None:
    filled(tmp_path).close()
    [broken, _] = sorted(tmp_path.glob("frames/*/*.parquet"), reverse=True)
    broken.write_bytes(b"no parquet")
    with Library.open(tmp_path, encoder=WordModel()) as library:
        for _ in range(2):
            with pytest.raises(StoreError, match="is broken"):
                library.search("green")


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "library.yaml").write_text("format: 2\n")
    with pytest.raises(ConfigError, match=r"library\.yaml: of format 2, which a newer version"):
        Library.open(tmp_path, encoder=WordModel())


@pytest.mark.parametrize(
    "text", ["{", "format: 1\n", "format: 1\nconfiguration: 3\n", "format: 1\nconfiguration: abc\n"]
)
def test_a_broken_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "library.yaml").write_text(text)
    with pytest.raises(StoreError, match=r"library\.yaml: (cannot be read|is broken)"):
        Library.open(tmp_path, encoder=WordModel())


def test_a_remote_library_needs_a_place_for_its_index() -> None:
    with Library.open("memory://somewhere", overrides=["index.backend=milvus"], encoder=WordModel()) as library:
        assert library.videos() == []
        with pytest.raises(MomentIndexError, match=r"index\.uri"):
            library.moment_index()


def test_a_remote_library_works_with_an_index_in_memory() -> None:
    settings = ["index.backend=memory", "segmentation.strategy=shots"]
    with Library.open("memory://library", overrides=settings, encoder=WordModel()) as library:
        list(library.index(SHOWN, executor=ShotsExecutor(library)))
    with Library.open("memory://library", encoder=WordModel()) as library:
        assert library.search("green")[0].video_id == "park"


def test_closing_twice_is_harmless_and_it_opens_again(tmp_path: Path) -> None:
    library = filled(tmp_path, backend="milvus")
    library.close()
    library.close()
    assert library.search("green")[0].video_id == "park"
    library.close()


def test_frames_are_read_only_arrays(tmp_path: Path) -> None:
    with filled(tmp_path) as library:
        [video_id] = library.find("park.mp4")
        by_id, by_name = library.frames(video_id), library.frames("park.mp4")
        with pytest.raises(QueryError, match=r"gate\.mp4"):
            library.frames("gat.mp4")
    assert (by_id.times_seconds.dtype, by_id.times_seconds.shape) == (np.float64, (12,))
    assert (by_id.vectors.dtype, by_id.vectors.shape) == (np.float32, (12, 4))
    np.testing.assert_array_equal(by_id.vectors, by_name.vectors)
    np.testing.assert_allclose(np.linalg.norm(by_id.vectors, axis=1), 1, atol=1e-5)
    for array in (by_id.times_seconds, by_id.vectors, by_id.pts):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
