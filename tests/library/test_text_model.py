from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import fsspec
import numpy as np
import pytest
from contracts.word_world import video
from tiny_model import make_tiny_model
from video_factory import make_video, steady

from pipeline import Library
from pipeline.config import validate
from pipeline.encode import Encoding, OpenClipEncoder
from pipeline.errors import FingerprintMismatchError, MissingPackageError, MomentseekError
from pipeline.library.text_model.remembered_texts import RememberedTexts
from pipeline.run_config import RunConfig

QUESTIONS = ["a red car", "two dogs run", "a person in a hard hat", "night"]


@pytest.fixture(autouse=True)
def warnings_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever an earlier command of this process chose."""
    caplog.set_level(logging.WARNING, logger="pipeline")


@pytest.fixture(scope="session")
def model_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    make_tiny_model(folder)
    return folder


@pytest.fixture
def model(model_files: Path, tmp_path: Path) -> dict[str, str]:
    """Settings of a model whose files the test may remove."""
    place = tmp_path / "weights"
    place.mkdir()
    files = {"architecture": "tiny-cli.json", "checkpoint": "tiny-cli.safetensors"}
    for name in files.values():
        os.link(model_files / name, place / name)
    return {"model": "tiny", **{setting: str(place / name) for setting, name in files.items()}}


@pytest.fixture
def library(model: dict[str, str], tmp_path: Path) -> Path:
    """A library of one video with random frames, whose model was never opened."""
    return Path(_made(str(tmp_path / "library"), model))


def _made(place: str, model: dict[str, str], **parts: Any) -> str:
    config = validate(RunConfig, {"library": place, "encoder": model, "index": {"backend": "memory"}, **parts})
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(40, 24)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with Library.open(config) as made:
        record, frames = video("v1", *["red"] * 10)
        made.store.write(record, replace(frames, vectors=vectors))
        made.rebuild_index()
    return place


@pytest.fixture
def no_torch_model(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Counts how often the model itself is loaded."""
    opened: list[str] = []
    load = OpenClipEncoder.open
    monkeypatch.setattr(OpenClipEncoder, "open", lambda self: (opened.append("once"), load(self))[1])
    return opened


def _vectors(library: str | Path, *texts: str, overrides: tuple[str, ...] = ()) -> Any:
    with Library.open(str(library), overrides=overrides) as opened:
        return opened.model().encode_texts(texts or QUESTIONS)


def _expected(model: dict[str, str]) -> Any:
    return OpenClipEncoder(Encoding.model_validate(model)).open().encode_texts(QUESTIONS)


def _files(library: Path) -> list[str]:
    return sorted(path.suffix for path in (library / "models").iterdir() if path.name.startswith("text"))


def test_a_batch_exports_the_text_tower_with_the_model_that_it_has_loaded(
    model: dict[str, str], no_torch_model: list[str], tmp_path: Path
) -> None:
    parts = {"execution": {"executor": "in_process"}, "index": {"backend": "memory"}}
    config = validate(RunConfig, {"library": str(tmp_path / "new"), "encoder": model, **parts})
    film = make_video(tmp_path / "film.mp4", steady(20, 10))
    with Library.open(config) as opened:
        [report] = opened.index([film])
    assert (report.problem, _files(tmp_path / "new"), no_torch_model) == (None, [".json", ".onnx"], ["once"])
    no_torch_model.clear()
    assert np.sum(_vectors(tmp_path / "new") * _expected(model), axis=1).min() > 0.9999
    assert no_torch_model == ["once"]
    with Library.open(config) as opened:
        [report] = opened.index([film])
    assert (report.status, no_torch_model) == ("skipped", ["once"])


def test_a_batch_notes_that_a_tower_cannot_be_exported_and_tries_once(
    model: dict[str, str], no_torch_model: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    from pipeline.encode.text_tower import export

    monkeypatch.setattr(export, "MIN_COSINE_HALF", 1.1)
    parts = {"execution": {"executor": "in_process"}, "index": {"backend": "memory"}}
    config = validate(RunConfig, {"library": str(tmp_path / "new"), "encoder": model, **parts})
    with Library.open(config) as opened:
        [report] = opened.index([make_video(tmp_path / "film.mp4", steady(20, 10))])
    assert (report.problem, _files(tmp_path / "new"), no_torch_model) == (None, [".json"], ["once"])
    assert caplog.text.count("cannot be exported") == 1


def test_the_first_search_exports_the_text_tower_and_later_ones_use_it(
    library: Path, model: dict[str, str], no_torch_model: list[str]
) -> None:
    first = _vectors(library)
    assert (_files(library), no_torch_model) == ([".json", ".onnx"], ["once"])
    assert np.sum(first * _expected(model), axis=1).min() > 0.9999
    no_torch_model.clear()
    assert np.sum(_vectors(library) * first, axis=1).min() > 0.9999
    assert no_torch_model == []


def test_a_question_needs_neither_weights_nor_torch(library: Path, model: dict[str, str]) -> None:
    with Library.open(library) as opened:
        expected = opened.search("a red car", min_score=0)
    for name in ("architecture", "checkpoint"):
        Path(model[name]).unlink()
    code = (
        "import sys; from pipeline import Library\n"
        f"with Library.open({str(library)!r}) as opened:\n"
        "    for _ in range(2): found = opened.search('a red car', min_score=0)\n"
        "print([(m.video_id, m.start_seconds, round(m.score, 3)) for m in found])\n"
        "print({'torch', 'open_clip', 'torchvision'} & set(sys.modules))"
    )
    environment = {**os.environ, "XDG_CONFIG_HOME": str(library.parent / "config")}
    trust = "import sys; from pipeline.cli import main; sys.exit(main(sys.argv[1:]))"
    subprocess.run([sys.executable, "-c", trust, "trust", library], env=environment, check=True, capture_output=True)
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    found, loaded = run.stdout.splitlines()
    assert found == str([(one.video_id, one.start_seconds, round(one.score, 3)) for one in expected])
    assert loaded == "set()"


def test_pictures_load_the_model(library: Path, no_torch_model: list[str]) -> None:
    _vectors(library)
    no_torch_model.clear()
    with Library.open(library) as opened:
        found = opened.model()
        assert (found.dimension, no_torch_model) == (24, [])
        assert found.encode_images(np.zeros((2, 32, 32, 3), np.uint8)).shape == (2, 24)
        assert (found.device, found.precision, no_torch_model) == ("cpu", ANY, ["once"])


def test_weights_that_changed_are_refused_for_pictures(library: Path, model: dict[str, str], tmp_path: Path) -> None:
    _vectors(library)
    (tmp_path / "other").mkdir()
    other = make_tiny_model(tmp_path / "other", seed=8)
    Path(other["checkpoint"]).replace(model["checkpoint"])
    with Library.open(library) as opened:
        opened.model().encode_texts(["a red car"])
        with pytest.raises(FingerprintMismatchError, match="has changed"):
            opened.model().encode_images(np.zeros((1, 32, 32, 3), np.uint8))
        with pytest.raises(FingerprintMismatchError, match="has changed"):
            list(opened.index(["film.mp4"]))


@pytest.mark.parametrize("damage", ["truncated", "changed", "missing", "description", "link"])
def test_a_damaged_tower_is_reported_once_and_exported_anew(
    library: Path, damage: str, no_torch_model: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    expected = _vectors(library)
    (onnx,) = (library / "models").glob("*.onnx")
    (description,) = (library / "models").glob("text-tower-*.json")
    content = onnx.read_bytes()
    if damage == "truncated":
        onnx.write_bytes(content[:-100])
    elif damage == "changed":
        onnx.write_bytes(content[:5000] + bytes([content[5000] ^ 1]) + content[5001:])
    elif damage == "missing":
        onnx.unlink()
    elif damage == "description":
        description.write_text("{" + description.read_text()[40:])
    else:
        onnx.rename(library / "other.onnx")
        onnx.symlink_to(library / "other.onnx")
    caplog.clear()
    no_torch_model.clear()
    # An embedding in the cache would hide the damage.
    assert np.sum(_vectors(library, *QUESTIONS) * expected, axis=1).min() > 0.9999
    said = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(said) == 1
    assert "text tower cannot be used" in said[0]
    if damage == "link":
        return
    no_torch_model.clear()
    caplog.clear()
    assert np.sum(_vectors(library, "another") ** 2) == pytest.approx(1, abs=1e-4)
    assert (no_torch_model, [record for record in caplog.records if record.levelname == "ERROR"]) == ([], [])


def test_a_model_that_cannot_be_exported_says_so_and_is_searched_as_before(
    library: Path, model: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from pipeline.encode.text_tower import export

    monkeypatch.setattr(export, "MIN_COSINE_HALF", 1.1)
    np.testing.assert_allclose(_vectors(library), _expected(model), atol=1e-6)
    assert "cannot be exported" in caplog.text
    caplog.clear()
    # It is not tried with each search.
    np.testing.assert_allclose(_vectors(library), _expected(model), atol=1e-6)
    assert (caplog.text, _files(library)) == ("", [".json"])


def test_an_exporter_that_is_not_installed_is_tried_again(
    library: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "onnx", None)
        _vectors(library)
    assert "was not exported" in caplog.text
    _vectors(library)
    assert _files(library) == [".json", ".onnx"]


def test_a_remote_library_has_its_text_tower(
    model: dict[str, str], no_torch_model: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place = _made(f"memory://{tmp_path.name}/library", model)
    expected = _vectors(place)
    no_torch_model.clear()
    assert np.sum(_vectors(place) * expected, axis=1).min() > 0.9999
    assert no_torch_model == []
    # It was downloaded once: the weights in the library are not read again.
    files = fsspec.filesystem("memory")
    (onnx,) = files.glob(f"/{tmp_path.name}/library/models/*.onnx")
    files.rm(onnx)
    assert np.sum(_vectors(place, "a", "b") ** 2) == pytest.approx(2, abs=1e-4)
    assert no_torch_model == []
    (cached,) = (tmp_path / "cache/momentseek/text-towers").iterdir()
    cached.write_bytes(b"damaged")
    assert np.sum(_vectors(place, "c") ** 2) == pytest.approx(1, abs=1e-4)
    assert no_torch_model == ["once"]


def test_doctor_tells_the_states_of_the_text_tower(
    library: Path, model: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.encode.text_tower import export
    from pipeline.library.doctor.model_checks import check_text_tower

    def said(place: str | Path) -> list[tuple[str, str, bool]]:
        with Library.open(str(place)) as opened:
            return [(one.state, one.said, bool(one.remedy)) for one in check_text_tower(opened.config)]

    assert said(tmp_path / "none") == []
    assert said(library) == [("note", ANY, True)]
    assert "not exported yet: each text search loads the model" in said(library)[0][1]
    _vectors(library)
    assert said(library) == [("ok", ANY, False)]
    (description,) = (library / "models").glob("text-tower-*.json")
    description.write_text("{" + description.read_text()[40:])
    assert "damaged" in said(library)[0][1]
    other = _made(str(tmp_path / "other"), model)
    monkeypatch.setattr(export, "MIN_COSINE_HALF", 1.1)
    _vectors(other)
    assert said(other) == [("note", ANY, True)]
    assert "cannot be exported (" in said(other)[0][1]


def test_a_private_library_keeps_its_tower_and_questions_private(model: dict[str, str], tmp_path: Path) -> None:
    place = Path(_made(str(tmp_path / "library"), model, library_private=True))
    _vectors(place)
    _vectors(place)
    kept = list((place / "models").iterdir())
    assert len(kept) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}


def _texts(library: Path, **others: Any) -> RememberedTexts:
    settings: dict[str, Any] = {"lasting": ("a goldfish",), "remembers_questions": True, "is_read_only": False}
    return RememberedTexts(str(library), "abc", Encoding(), 4, **{**settings, **others})


def _vector(number: int) -> Any:
    return np.eye(1, 4, number % 4, dtype=np.float32)[0]


def test_a_question_asked_before_is_not_embedded_again(
    library: Path, monkeypatch: pytest.MonkeyPatch, no_torch_model: list[str]
) -> None:
    from pipeline.encode.text_tower import TextTower

    _vectors(library)
    known = _vectors(library)
    monkeypatch.setattr(TextTower, "encode_texts", lambda _, texts: pytest.fail(f"embedded: {texts}"))
    np.testing.assert_array_equal(_vectors(library), known)
    with pytest.raises(pytest.fail.Exception):
        _vectors(library, overrides=("encoder.prompts=['a photo of {}']",))
    (file,) = (library / "models").glob("texts-*.npz")
    assert b"red car" not in file.read_bytes()


def test_questions_are_forgotten_when_they_are_not_to_be_kept(tmp_path: Path) -> None:
    _texts(tmp_path).remember({"a goldfish": _vector(0), "my question": _vector(1)})
    assert set(_texts(tmp_path).find(["a goldfish", "my question"])) == {"a goldfish", "my question"}
    forgetful = _texts(tmp_path, remembers_questions=False)
    assert set(forgetful.find(["a goldfish", "my question"])) == {"a goldfish"}
    forgetful.remember({"another": _vector(2)})
    assert set(_texts(tmp_path).find(["a goldfish", "my question", "another"])) == {"a goldfish"}


def test_the_cache_is_bounded_and_keeps_the_latest(tmp_path: Path) -> None:
    texts = _texts(tmp_path)
    texts.remember({"a goldfish": _vector(0)})
    for first in range(0, 1000, 100):
        texts.remember({f"question {number}": _vector(number) for number in range(first, first + 100)})
    kept = _texts(tmp_path).find(["a goldfish", *(f"question {number}" for number in range(1000))])
    assert list(kept) == ["a goldfish", *(f"question {number}" for number in range(488, 1000))]


def test_two_processes_keep_their_questions(tmp_path: Path) -> None:
    one, other = _texts(tmp_path), _texts(tmp_path)
    assert one.find(["a"]) == other.find(["a"]) == {}
    one.remember({"a": _vector(0)})
    other.remember({"b": _vector(1)})
    assert set(_texts(tmp_path).find(["a", "b"])) == {"a", "b"}


@pytest.mark.parametrize("damage", ["truncated", "other", "pickle", "shape", "length"])
def test_a_damaged_cache_is_ignored_and_replaced(tmp_path: Path, damage: str) -> None:
    _texts(tmp_path).remember({"a": _vector(0)})
    path = tmp_path / "models" / "texts-abc.npz"
    keys = np.zeros((1, 32), np.uint8)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-30])
    elif damage == "other":
        path.write_bytes(b"something else")
    elif damage == "pickle":
        np.savez(path, keys=np.asarray([{"a": 1}], object), vectors=np.ones((1, 4), np.float32))
    elif damage == "shape":
        np.savez(path, keys=keys, vectors=np.ones((1, 5), np.float32))
    else:
        np.savez(path, keys=keys, vectors=np.full((1, 4), np.nan, np.float32))
    texts = _texts(tmp_path)
    assert texts.find(["a"]) == {}
    texts.remember({"b": _vector(1)})
    assert set(_texts(tmp_path).find(["a", "b"])) == {"b"}


def test_a_read_only_library_is_not_written(tmp_path: Path) -> None:
    texts = _texts(tmp_path, is_read_only=True)
    texts.remember({"a": _vector(0)})
    assert set(texts.find(["a"])) == {"a"}
    assert list(tmp_path.iterdir()) == []


def test_the_setting_is_kept_with_the_library(model: dict[str, str], tmp_path: Path) -> None:
    default = Path(_made(str(tmp_path / "one"), model))
    assert "remember" not in (default / "library.yaml").read_text()
    silent = Path(_made(str(tmp_path / "two"), model, library_remember_questions=False))
    _vectors(silent)
    _vectors(silent)
    with Library.open(silent) as opened:
        assert opened.config.library_remember_questions is False
    assert not list((silent / "models").glob("texts-*"))


def test_errors_of_missing_weights_stay_when_there_is_no_tower(library: Path, model: dict[str, str]) -> None:
    Path(model["checkpoint"]).unlink()
    with Library.open(library) as opened:
        assert len(opened.videos()) == 1
        with pytest.raises(MomentseekError, match="checkpoint"):
            opened.search("a red car")


def test_pictures_without_torch_say_what_is_missing(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _vectors(library)
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with Library.open(library) as opened:
        assert opened.model().encode_texts(["a red car"]).shape == (1, 24)
        with pytest.raises(MissingPackageError, match=r"pip install 'momentseek\[index\]'"):
            opened.model().encode_images(np.zeros((1, 32, 32, 3), np.uint8))


def test_a_description_that_is_a_link_is_not_followed_and_the_model_answers(
    library: Path, no_torch_model: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    _vectors(library)
    (description,) = (library / "models").glob("text-tower-*.json")
    moved = library.parent / "moved.json"
    description.rename(moved)
    description.symlink_to(moved)
    no_torch_model.clear()
    caplog.clear()
    with Library.open(library) as opened:
        assert len(opened.model().encode_texts(["a red car"])) == 1
    assert no_torch_model == ["once"]
    assert "symbolic link" in caplog.text
