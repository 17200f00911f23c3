"""Videos that are made once for all tests of decoders."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from video_catalogue import B_FRAMES, CATALOGUE, MILLISECOND
from video_factory import Made, make_video, steady


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Made]:
    """Makes a video of the catalogue, once."""
    folder = tmp_path_factory.mktemp("videos")
    made: dict[str, Made] = {}

    def made_once(name: str) -> Made:
        if name not in made:
            made[name] = CATALOGUE[name](folder / name)
        return made[name]

    return made_once


@pytest.fixture(scope="session")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Ten seconds with noise, sixteen frames from one keyframe to the next."""
    path = tmp_path_factory.mktemp("long") / "long.mkv"
    return make_video(path, steady(250, 25), time_base=MILLISECOND, options=B_FRAMES, noise=30, keyframe_every=16)


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Some ten MiB of noise."""
    path = tmp_path_factory.mktemp("large") / "large.mp4"
    return make_video(path, steady(120, 10), size=(640, 480), noise=60, keyframe_every=10)
