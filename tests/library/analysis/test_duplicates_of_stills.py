"""Videos in which nothing happens, alone in a library of an encoder with random weights."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from tiny_model import make_tiny_model

from pipeline import Library
from pipeline.library.analysis.duplicates import find_duplicates
from pipeline.run_config import load_run_config

HEIGHT, WIDTH = 48, 64
BARS = [(235, 235, 235), (235, 235, 16), (16, 235, 16), (235, 16, 235), (16, 16, 235)]


def card_picture() -> np.ndarray:
    columns = np.repeat(np.array(BARS, np.uint8), 13, axis=0)[:WIDTH]
    return np.broadcast_to(columns, (HEIGHT, WIDTH, 3)).copy()


def still_picture() -> np.ndarray:
    blocks = np.random.default_rng(1).integers(0, 255, (6, 8, 3), np.uint8)
    return np.kron(blocks, np.ones((8, 8, 1), np.uint8))


PICTURES = {
    "black": np.zeros((HEIGHT, WIDTH, 3), np.uint8),
    "grey": np.full((HEIGHT, WIDTH, 3), 128, np.uint8),
    "still": still_picture(),
    "card": card_picture(),
}


def write_still(path: Path, picture: np.ndarray, *, bit_rate: int) -> Path:
    """Twenty seconds of a picture; a low rate makes each refresh of the codec visible."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5, options={"g": "12"})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = WIDTH, HEIGHT, "yuv420p", bit_rate
        for _ in range(100):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_tiny_model(tmp_path_factory.mktemp("tiny-model"))


@pytest.mark.parametrize("kind", sorted(PICTURES))
def test_stills_are_no_copies_of_each_other_or_themselves(model, kind, tmp_path):
    videos = [
        write_still(tmp_path / f"{number}.mp4", PICTURES[kind], bit_rate=rate)
        for number, rate in enumerate((8_000, 8_500))
    ]
    settings = [f"library={tmp_path / 'library'}", "execution.executor=in_process", "index.backend=memory"]
    encoder = [f"encoder.{name}={value}" for name, value in model.items()]
    with Library.open(load_run_config("default", [*settings, *encoder])) as library:
        assert [report.problem for report in library.index(videos)] == [None, None]
        assert find_duplicates(library).pairs == ()
        assert find_duplicates(library, within=True).pairs == ()
