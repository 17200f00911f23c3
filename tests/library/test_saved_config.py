from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.encode import Encoding
from pipeline.errors import ConfigError
from pipeline.library.saved_config import LibraryFile, SavedConfig, read_library_file, write_library_file
from pipeline.run_config import RunConfig


def kept_checkpoint(library: Path, checkpoint: Path, named: str | None = None) -> str | None:
    """What is read of a library's checkpoint after the library was moved."""
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"weights")
    config = RunConfig(library=str(library), encoder=Encoding(checkpoint=named or str(checkpoint)))
    write_library_file(LibraryFile(config, "a model", "0123", config.sampling_fingerprint))
    moved = library.rename(library.with_name("moved"))
    found = read_library_file(str(moved))
    assert found is not None
    return found.config.encoder.checkpoint


def test_a_model_in_the_library_goes_where_the_library_goes(tmp_path):
    checkpoint = tmp_path / "library" / "models" / "0123" / "small.pt"
    assert kept_checkpoint(tmp_path / "library", checkpoint) == f"{tmp_path}/moved/models/0123/small.pt"


def test_a_model_that_came_with_a_job_is_found_in_the_library(tmp_path, monkeypatch):
    (tmp_path / "job" / "models").mkdir(parents=True)
    (tmp_path / "job" / "models" / "small.pt").touch()
    monkeypatch.chdir(tmp_path / "job")
    checkpoint = tmp_path / "library" / "models" / "small.pt"
    found = kept_checkpoint(tmp_path / "library", checkpoint, "models/small.pt")
    assert found == f"{tmp_path}/moved/models/small.pt"


def test_a_model_elsewhere_stays_where_it_is(tmp_path):
    checkpoint = tmp_path / "models" / "small.pt"
    assert kept_checkpoint(tmp_path / "library", checkpoint) == str(checkpoint)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("encoder_finger: x", "unknown name 'encoder_finger'; did you mean 'encoder_fingerprint'"),
        ("recorder: {}", "unknown name 'recorder'; .*update momentseek if a newer version wrote it"),
        ("7: 8", "unknown name 7; known here: format, "),
    ],
)
def test_a_name_that_no_version_writes_is_refused(tmp_path, line, problem):
    config = RunConfig(library=str(tmp_path / "library"))
    write_library_file(LibraryFile(config, "a model", "0123", config.sampling_fingerprint))
    file = tmp_path / "library" / "library.yaml"
    file.write_text(f"{file.read_text()}{line}\n")
    with pytest.raises(ConfigError, match=problem):
        read_library_file(str(tmp_path / "library"))


def test_a_newer_format_asks_for_a_newer_version(tmp_path):
    (tmp_path / "library.yaml").write_text("format: 2\nencoders: []\n")
    with pytest.raises(
        ConfigError, match=r"has format 2, which was written by a newer version .* reads format 1: update momentseek"
    ):
        read_library_file(str(tmp_path))


@pytest.mark.parametrize("where", ["{folder}/library", "memory://{name}/library"])
def test_a_saved_configuration_is_read_again_only_after_its_file_changed(tmp_path, where):
    library = where.format(folder=tmp_path, name=tmp_path.name)
    saved = SavedConfig(library)
    assert saved.read() is None
    config = RunConfig(library=library)
    for description in ("a model", "another"):
        write_library_file(LibraryFile(config, description, "0123", config.sampling_fingerprint))
        found = saved.read()
        assert found is not None
        assert found.encoder_description == description
        assert saved.read() is found


def test_a_file_that_is_no_library_is_refused_each_time(tmp_path):
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "library.yaml").write_text("format: 1\nrecorder: {}\n")
    saved = SavedConfig(str(tmp_path / "library"))
    for _ in range(2):
        with pytest.raises(ConfigError, match="unknown name 'recorder'"):
            saved.read()
