"""Small real films with cuts, and a real, tiny model."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from tiny_model import make_tiny_model
from video_factory import make_video, steady

Picture = npt.NDArray[np.uint8]
_WIDTH, _HEIGHT = 96, 64


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Settings of an encoder with random weights."""
    return {**make_tiny_model(tmp_path_factory.mktemp("tiny-model")), "precision": "fp32"}


@pytest.fixture(scope="session")
def small_films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three films of ten frames a second: shots that pan, and one that stands still for a while."""
    folder = tmp_path_factory.mktemp("films")
    make_film(folder / "yard.mp4", seed=1, shots=(30, 25, 40))
    make_film(folder / "gate.mp4", seed=2, shots=(60, 15), pan=0)
    make_film(folder / "late.mkv", seed=3, shots=(20, 20, 20, 20), start=Fraction(1, 2))
    return folder


def make_film(path: Path, *, seed: int, shots: tuple[int, ...], pan: int = 2, start: Fraction | int = 0) -> None:
    shown = [picture for number, count in enumerate(shots) for picture in _shot(100 * seed + number, count, pan)]
    make_video(path, steady(len(shown), 10, start), shown=shown, keyframe_every=12)


def _shot(seed: int, count: int, pan: int) -> Iterator[Picture]:
    random = np.random.default_rng(seed)
    view = random.integers(0, 255, (4, 24, 3)).repeat(16, axis=0).repeat(16, axis=1).astype(np.uint8)
    for number in range(count):
        left = number * pan % (view.shape[1] - _WIDTH)
        yield np.ascontiguousarray(view[:, left : left + _WIDTH])
