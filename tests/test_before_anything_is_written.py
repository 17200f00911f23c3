"""What cannot work is refused before a library, a run or anything else is made."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from contracts.word_world import WordModel
from tiny_model import make_tiny_model

from pipeline import Library
from pipeline.errors import ConfigError, WeightsUnavailableError
from pipeline.run_config import RunConfig, load_run_config
from pipeline.sampling import Composite, FixedRate, Keyframe
from pipeline.search import Searching


class Pickier(Searching):
    """Settings of one's own, made from momentseek's."""


def test_a_subclass_of_settings_is_refused_at_once(tmp_path: Path) -> None:
    # Samplers and encoders of one's own are another matter: a file can name them (tests/test_plugins.py).
    config = RunConfig(library=str(tmp_path / "library"), search=Pickier())
    for make in (Library, Library.open):
        with pytest.raises(ConfigError, match=r"search: .* the class Pickier, .* use one of these classes: Searching$"):
            make(config, encoder=WordModel())
    assert list(tmp_path.iterdir()) == []


def test_every_configuration_of_momentseeks_own_is_taken(tmp_path: Path) -> None:
    composite = Composite(parts=(Keyframe(), FixedRate(fps=1.0)))
    for config in (load_run_config("demo"), load_run_config("large"), RunConfig(sampling=composite)):
        Library(config.model_copy(update={"library": str(tmp_path)}), encoder=WordModel()).close()


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def broken(tmp_path: Path, kind: str) -> dict[str, str]:
    tiny = make_tiny_model(tmp_path / "model")
    path = Path(tiny["checkpoint"])
    path.write_bytes(path.read_bytes()[:1000] if kind == "cut short" else b"hello" * 100)
    return tiny


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("executor", ["in_process", "ray"])
@pytest.mark.parametrize("kind", ["cut short", "no weights", "a tag"])
def test_without_a_model_nothing_is_made(tmp_path: Path, executor: str, kind: str) -> None:
    (tmp_path / "model").mkdir()
    encoder = {"cache_dir": str(tmp_path / "cache")} if kind == "a tag" else broken(tmp_path, kind)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"encoder": encoder, "execution": {"executor": executor}}))
    config = load_run_config(tmp_path / "config.yaml", [f"library={tmp_path / 'library'}"])
    with Library.open(config) as library, pytest.raises(WeightsUnavailableError, match=r"3\. try the small demo model"):
        list(library.index(["a.mp4"]))
    assert not (tmp_path / "library").exists()
