"""Real files and a real, tiny model: the command line is tested from end to end, in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
import yaml
from command_result import Result
from film_answers import Search
from grey_video import write_grey_video
from tiny_model import make_tiny_model

from pipeline import Library, Source
from pipeline.cli import main
from pipeline.run_config import load_run_config


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Settings of an encoder with random weights."""
    return make_tiny_model(tmp_path_factory.mktemp("tiny-model"))


@pytest.fixture
def config(tiny_model: dict[str, str], tmp_path: Path) -> str:
    """A configuration file: tiny model, own library, no Ray, an index that needs no warming up."""
    return write_config(tmp_path, tiny_model)


def write_config(folder: Path, model: dict[str, str]) -> str:
    path = folder / "config.yaml"
    settings = {
        "library": str(folder / "library"),
        "encoder": model,
        "execution": {"executor": "in_process"},
        "index": {"backend": "memory"},
    }
    path.write_text(yaml.safe_dump(settings))
    return str(path)


def index_four(folder: Path, model: dict[str, str]) -> tuple[str, str]:
    """Index four videos with metadata, two of them in a folder; the options that name their library."""
    names = ["gate/a.mp4", "gate/b.mp4", "yard.mp4", "odd[1].mp4"]
    for number, name in enumerate(names):
        write_grey_video(folder / name, seconds=3.0, grey=20 + 40 * number)
    rows = ["gate,1,x", "gate,2,", "yard,2,", "yard,1,true"]
    lines = [f"{name},{row}" for name, row in zip(names, rows, strict=True)]
    (folder / "films.csv").write_text("\n".join(["uri,camera,floor,lit", *lines, ""]))
    options = ("-c", write_config(folder, model))
    # A library that the environment names is none of ours.
    assert main(["index", str(folder / "films.csv"), *options, "-l", str(folder / "library")]) == 0
    return options


@pytest.fixture
def four(tiny_model: dict[str, str], tmp_path: Path) -> tuple[str, str]:
    """The options that name a library of four videos, which a test may change."""
    return index_four(tmp_path, tiny_model)


@pytest.fixture(scope="session")
def same_four(tiny_model: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The same for tests that only read."""
    return index_four(tmp_path_factory.mktemp("four"), tiny_model)


@pytest.fixture
def momentseek(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    # Set first, so that what `--debug` sets is gone after the test.
    monkeypatch.setenv("MOMENTSEEK_DEBUG", "")
    monkeypatch.delenv("MOMENTSEEK_DEBUG")
    monkeypatch.delenv("MOMENTSEEK_LIBRARY", raising=False)

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture
def make_video(tmp_path: Path) -> Callable[..., Path]:
    """Writes a video of so many seconds at 5 frames a second, whose colour says which it is."""

    def make(name: str = "a.mp4", seconds: float = 3.0, grey: int = 90) -> Path:
        return write_grey_video(tmp_path / name, seconds=seconds, grey=grey)

    return make


@pytest.fixture
def sound_only(tmp_path: Path) -> Path:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def films_library(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three of the sample films and a copy of one, with the demo's model."""
    folder = tmp_path_factory.mktemp("films")
    # Either may be listed as the other's copy: its bytes, and so its id, are others each time. Its times are rounded.
    copy = folder / "street-corner.mkv"
    rewrap(films / "street-corner.mp4", copy)
    names = {"fire-drill": "office", "warehouse-shift": "store", "street-corner": "street"}
    sources = [Source(str(films / f"{name}.mp4"), {"camera": camera, "floor": 1}) for name, camera in names.items()]
    settings = [f"library={folder / 'library'}", "execution.executor=in_process", "index.backend=memory"]
    with Library.open(load_run_config("demo", settings)) as library:
        reports = list(library.index([*sources, Source(str(copy), {"camera": "copy"})]))
    assert [report.status for report in reports] == ["done"] * 4
    return folder / "library"


def rewrap(source: Path, target: Path) -> None:
    """The same pictures in another container: another video, for all that its bytes say."""
    with av.open(str(source)) as given, av.open(str(target), "w") as container:
        stream = given.streams.video[0]
        out = container.add_stream_from_template(stream)
        for packet in given.demux(stream):
            if packet.dts is not None:
                packet.stream = out
                container.mux(packet)


@pytest.fixture
def search(momentseek, films_library: Path) -> Search:
    """Searches; the result has the moments, as JSON, and what was said on standard error."""

    def run(*arguments: object, code: int = 0) -> SimpleNamespace:
        result = momentseek("search", *arguments, "-l", films_library, "--json")
        assert result.code == code, result.err
        return SimpleNamespace(moments=result.objects(), err=result.err)

    return run
