"""Real files and a real, tiny model: the command line is tested from end to end, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import yaml
from command_result import Result
from tiny_model import make_tiny_model

from pipeline.cli import main


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Settings of an encoder with random weights."""
    return make_tiny_model(tmp_path_factory.mktemp("tiny-model"))


@pytest.fixture
def config(tiny_model: dict[str, str], tmp_path: Path) -> str:
    """A configuration file: tiny model, own library, no Ray, an index that needs no warming up."""
    path = tmp_path / "config.yaml"
    settings = {
        "library": str(tmp_path / "library"),
        "encoder": tiny_model,
        "execution": {"executor": "in_process"},
        "index": {"backend": "memory"},
    }
    path.write_text(yaml.safe_dump(settings))
    return str(path)


@pytest.fixture
def momentseek(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.delenv("MOMENTSEEK_DEBUG", raising=False)
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
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=5)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for picture in pictures(int(seconds * 5), grey):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))
        return path

    return make


def pictures(count: int, grey: int) -> Iterator[np.ndarray]:
    for number in range(count):
        picture = np.full((48, 64, 3), grey, np.uint8)
        picture[:, : 3 * number % 64] = 255
        yield picture


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
