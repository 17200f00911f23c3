from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.encode import Encoding
from pipeline.errors import ConfigError
from pipeline.submission.model_files import MAX_BYTES, check_model, job_model, store_model


@pytest.fixture
def encoder(tmp_path: Path) -> Encoding:
    checkpoint, architecture = tmp_path / "here" / "small.pt", tmp_path / "here" / "small.json"
    checkpoint.parent.mkdir()
    checkpoint.write_bytes(b"weights")
    architecture.write_text("{}")
    return Encoding(checkpoint=str(checkpoint), architecture=str(architecture))


def test_a_small_model_that_is_here_goes_along_and_is_named_by_its_content(encoder, tmp_path):
    model = job_model(encoder, "/data/library")
    names = sorted(model.sent)
    assert [name.split("/")[0] for name in names] == ["models", "models"]
    assert {Path(name).name for name in names} == {"small.pt", "small.json"}
    assert {model.encoder.checkpoint, model.encoder.architecture} == set(names)
    assert model.needed == ()
    Path(str(encoder.checkpoint)).write_bytes(b"other weights")
    assert job_model(encoder, "/data/library").encoder.checkpoint != model.encoder.checkpoint


def test_the_job_finds_the_model_and_the_library_keeps_it(encoder, tmp_path, monkeypatch):
    library, folder = tmp_path / "library", tmp_path / "batch"
    model = job_model(encoder, str(library))
    for name, path in model.sent.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(path.read_bytes())
    with pytest.raises(ConfigError, match=r"encoder\.checkpoint: '.*small\.pt' is not on .*, where the job runs"):
        check_model(model.encoder)
    monkeypatch.chdir(folder)
    check_model(model.encoder)
    for _ in range(2):
        store_model(folder, str(library))
    assert (library / str(model.encoder.checkpoint)).read_bytes() == b"weights"


def test_a_large_model_is_not_sent_at_all(encoder):
    with Path(str(encoder.checkpoint)).open("wb") as file:
        file.truncate(MAX_BYTES)
    model = job_model(encoder, "/data/library")
    assert (model.encoder, model.sent) == (encoder, {})
    assert model.needed == (encoder.checkpoint, encoder.architecture)


def test_a_model_that_is_elsewhere_or_a_library_that_is_no_folder_changes_nothing(encoder):
    for settings, library in (
        (encoder, "s3://bucket/library"),
        (encoder.model_copy(update={"checkpoint": "/models/none.pt"}), "/data/library"),
    ):
        model = job_model(settings, library)
        assert (model.encoder, model.sent) == (settings, {})
        assert model.needed == (settings.checkpoint, settings.architecture)


def test_a_model_by_tag_needs_nothing():
    assert job_model(Encoding(), "/data/library").needed == ()
    check_model(Encoding())
