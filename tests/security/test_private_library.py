"""`library.private`: nobody but the owner may read a library, whatever the umask."""

from __future__ import annotations

import os
import pickle
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import yaml
from canary import canary_in, state_of
from contracts.word_world import WordModel, video
from tiny_model import make_tiny_model

from pipeline.cli import main
from pipeline.errors import ConfigError, StoreError
from pipeline.library import Library
from pipeline.library.saved_config import read_library_file
from pipeline.run_config import RunConfig, json_schema, load_run_config, to_yaml
from pipeline.store import FailureLog, ParquetStore
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.store.local_folder import LocalFolder
from pipeline.store.privacy import is_private, loose_files, make_private
from pipeline.testing.store import made_frames, made_record

UMASKS = (0o000, 0o022, 0o077)


@pytest.fixture(params=UMASKS, ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes_below(folder: Path) -> set[tuple[bool, int]]:
    return {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in (folder, *folder.rglob("*"))}


PRIVATE = {(True, 0o700), (False, 0o600)}


@pytest.mark.parametrize(
    ("text", "overrides"),
    [
        ("library: {path: films, private: true}", ()),
        ("library: films", ("library.private=true",)),
        ("{}", ("library={path: films, private: true}",)),
        ("library: {path: other, private: true}", ("library=films",)),
        ("library: {path: other, private: true}", ("library.path=films",)),
        ("library: {private: true}", ("library=films",)),
        ("library: {path: films, private: false}", ("library.private=true",)),
    ],
)
def test_all_ways_to_say_it_mean_the_same(tmp_path: Path, text: str, overrides: tuple[str, ...]) -> None:
    (tmp_path / "run.yaml").write_text(text)
    config = load_run_config(tmp_path / "run.yaml", overrides)
    assert (config.library, config.library_private) == ("films", True)
    (tmp_path / "again.yaml").write_text(to_yaml(config))
    assert load_run_config(tmp_path / "again.yaml") == config
    assert yaml.safe_load(to_yaml(config))["library"] == {"path": "films", "private": True}


def test_where_nothing_is_said_the_library_is_shown_as_before() -> None:
    assert yaml.safe_load(to_yaml(RunConfig(library="films")))["library"] == "films"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("library.privat=true", "library.privat: unknown setting; allowed here: path, private"),
        ("library.private=maybe", "library_private: .*boolean"),
        ("library.path=3", "library: .*string"),
    ],
)
def test_what_is_wrong_is_said(override: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_run_config(overrides=[override])


def test_the_schema_knows_both_forms() -> None:
    library = json_schema()["properties"]["library"]
    assert [form["type"] for form in library["anyOf"]] == ["string", "object"]
    assert set(library["anyOf"][1]["properties"]) == {"path", "private", "remember_questions"}


def test_all_that_is_written_is_for_the_owner_alone(tmp_path: Path, umask: int) -> None:
    folder = tmp_path / "library"
    make_private(folder)
    store = ParquetStore(str(folder), "s1", "e1")
    store.write(made_record(), made_frames())
    store.take_name("v1", "cam.mp4")
    store.add_name("v1", "other.mp4")
    store.frame_sample(1)
    AtomicFolder(str(folder)).write("runs/r1.html", b"page")
    AtomicFolder(str(folder)).create("library-id.json", b"{}")
    FailureLog(str(folder)).open()
    assert modes_below(folder) == PRIVATE
    assert list(loose_files(folder)) == []


def test_a_file_is_private_from_its_first_byte(tmp_path: Path, umask: int) -> None:
    make_private(tmp_path / "library")
    with AtomicFolder(str(tmp_path / "library")).writing("a") as file:
        file.write(b"secret")
        file.flush()
        assert modes_below(tmp_path / "library") == PRIVATE


def test_a_worker_of_another_umask_writes_private_files(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    make_private(folder)
    store = pickle.dumps((ParquetStore(str(folder), "s1", "e1"), made_record(), made_frames()))
    program = "import os, pickle, sys; os.umask(0); store, *what = pickle.load(sys.stdin.buffer); store.write(*what)"
    subprocess.run([sys.executable, "-c", program], input=store, check=True)
    assert (folder / "frames/s1-e1/v1.parquet").exists()
    assert modes_below(folder) == PRIVATE


def test_other_libraries_are_written_by_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        tmp_path.chmod(0o700)
        ParquetStore(str(tmp_path / "library"), "s1", "e1").write(made_record(), made_frames())
    finally:
        os.umask(before)
    assert modes_below(tmp_path / "library") == {(True, 0o750), (False, 0o640)}


def test_an_existing_library_is_tightened_and_nothing_outside_of_it(tmp_path: Path) -> None:
    canary = canary_in(tmp_path)
    folder = tmp_path / "library"
    ParquetStore(str(folder), "s1", "e1").write(made_record(), made_frames())
    (folder / "index/segments").mkdir(parents=True)
    (folder / "index/segments/1").write_text("rows")
    (folder / "link").symlink_to(canary)
    (folder / "frames/link").symlink_to(canary / "notes.txt")
    os.link(canary / "v1.parquet", folder / "frames/s1-e1/v2.parquet")
    os.mkfifo(folder / "frames/fifo", 0o600)
    before = state_of(canary)
    make_private(folder)
    assert state_of(canary) == before
    assert (folder / "frames/s1-e1/v2.parquet").read_text() == "do not touch"
    kept = [path for path in folder.rglob("*") if not path.is_symlink() and not path.is_fifo()]
    assert {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in kept} == PRIVATE
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_mark_that_is_a_link_does_no_harm(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / ".private").symlink_to(tmp_path / "elsewhere")
    make_private(folder)
    LocalFolder(str(folder), "below").make()
    assert not (tmp_path / "elsewhere").exists()
    assert stat.S_IMODE((folder / "below").stat().st_mode) == 0o700


@pytest.fixture
def settings(tmp_path: Path) -> list[str]:
    return ["index.backend=milvus", "index.kind.strategy=flat", "execution.executor=in_process", "library.private=true"]


def filled(folder: Path, settings: list[str]) -> None:
    with Library.open(str(folder), overrides=settings, encoder=WordModel()) as library:
        list(library.index([]))
        record, frames = video("park", "red", "green")
        library.store.write(record, frames)
        library.rebuild_index()


def test_it_is_remembered_and_an_index_of_milvus_lite_is_private_too(tmp_path: Path, settings: list[str]) -> None:
    before = os.umask(0)
    try:
        filled(tmp_path / "library", settings)
        assert modes_below(tmp_path / "library") == PRIVATE
        kept = read_library_file(str(tmp_path / "library"))
        assert kept is not None
        assert kept.config.library_private is True
        # A later command says nothing of it, and another one has a configuration of its own.
        filled(tmp_path / "library", settings[:3])
        config = RunConfig(library=str(tmp_path / "library")).model_copy(update={"index": kept.config.index})
        with Library.open(config, encoder=WordModel()) as library:
            library.rebuild_index()
    finally:
        os.umask(before)
    assert modes_below(tmp_path / "library") == PRIVATE
    kept = read_library_file(str(tmp_path / "library"))
    assert kept is not None
    assert kept.config.library_private is True


def test_a_copy_with_other_modes_is_tightened_when_it_is_opened(tmp_path: Path, settings: list[str]) -> None:
    folder = tmp_path / "library"
    filled(folder, settings)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    with Library.open(str(folder), encoder=WordModel()) as library:
        assert library.videos()
    assert modes_below(folder) == PRIVATE


def test_doctor_reports_what_others_can_read_of_a_private_library(tmp_path: Path) -> None:
    from pipeline.library.doctor.examination import _private_library

    folder = tmp_path / "library"
    config = RunConfig(library=str(folder))
    assert list(_private_library(config)) == []
    make_private(folder)
    assert [finding.state for finding in _private_library(config)] == ["ok"]
    (folder / "notes").write_text("x")
    (folder / "notes").chmod(0o644)
    [finding] = _private_library(config)
    assert (finding.state, "'notes'" in finding.said) == ("note", True)


def test_it_can_be_switched_off(tmp_path: Path, settings: list[str]) -> None:
    folder = tmp_path / "library"
    filled(folder, settings)
    filled(folder, [*settings[:3], "library.private=false"])
    assert not is_private(folder)
    kept = read_library_file(str(folder))
    assert kept is not None
    assert kept.config.library_private is False


def test_a_library_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    config = RunConfig(library=f"memory://{tmp_path.name}", library_private=True)
    with Library.open(config, encoder=WordModel()) as library, pytest.raises(ConfigError, match=r"library\.private"):
        library.rebuild_index()


def test_files_of_others_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchmod", refuse)
    with pytest.raises(StoreError, match=r"cannot be made private \(Operation not permitted\)"):
        make_private(tmp_path / "library")


def test_the_command_makes_a_private_library(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for grey in range(0, 200, 20):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), grey, np.uint8), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    settings = {
        "library": {"path": str(tmp_path / "library"), "private": True},
        "encoder": make_tiny_model(tmp_path),
        "execution": {"executor": "in_process"},
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(settings))
    before = os.umask(0)
    try:
        code = main(["index", str(tmp_path / "a.mp4"), str(tmp_path / "none.mp4"), "-c", str(tmp_path / "run.yaml")])
        assert main(["videos", "-l", str(tmp_path / "library")]) == 0
    finally:
        os.umask(before)
    assert code == 1
    assert {path.name for path in (tmp_path / "library").iterdir()} >= {"frames", "index", "runs", "failures"}
    assert modes_below(tmp_path / "library") == PRIVATE
