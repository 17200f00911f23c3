"""Small real films with cuts, and a real, tiny model."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from small_films import make_film
from tiny_model import make_tiny_model


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
