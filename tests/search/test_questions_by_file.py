"""Questions that need files: pictures, clips, and ends that are looked at again; with real videos."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from contracts.word_world import WordEncoder, shown
from PIL import Image
from video_factory import make_video, steady

from pipeline.encode.preprocess import ClipPreprocessing
from pipeline.errors import UnsupportedVideoError, VideoNotFoundError
from pipeline.io.settings import Fetching
from pipeline.library import Library
from pipeline.search import Answer, as_query
from pipeline.video import read_still

COLOURS = {"red": (230, 20, 20), "green": (20, 230, 20), "blue": (20, 20, 230)}
RATE = 10
# In this world, pictures that show nothing look like every word that is not known.
SETTINGS = "index.backend=memory", "execution.executor=in_process", "search.background=[]"


class ColourModel(WordEncoder):
    """Sees which colours a picture has."""

    def encode_images(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        means = images.reshape(len(images), -1, 3).mean(axis=1)
        names = list(COLOURS)
        return np.stack(
            [shown(*(name for name, value in zip(names, mean, strict=True) if value > 90)) for mean in means]
        )


@dataclass(frozen=True)
class ColourEncoder:
    fingerprint: str = "colours"
    description: str = "three colours"

    def preprocessing(self) -> ClipPreprocessing:
        return ClipPreprocessing(image_height=16, image_width=16, resize_mode="squash")

    def open(self) -> ColourModel:
        return ColourModel()


def painted(colour: str | None, size: tuple[int, int] = (96, 64)) -> npt.NDArray[np.uint8]:
    return np.full((size[1], size[0], 3), COLOURS[colour] if colour else (20, 20, 20), np.uint8)


def film(path: Path, *stretches: tuple[str | None, float]) -> Path:
    """Colours, each for so many seconds, at ten frames a second."""
    pictures = [painted(colour) for colour, seconds in stretches for _ in range(round(seconds * RATE))]
    make_video(path, times=steady(len(pictures), RATE), shown=pictures)
    return path


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Library]:
    """Red from 2.4 s to 4.1 s of the yard's film, sampled once a second."""
    film(tmp_path / "yard.mp4", (None, 2.4), ("red", 1.7), (None, 3.9))
    film(tmp_path / "gate.mp4", ("blue", 3.0), (None, 3.0))
    settings = ("sampling.fps=1", *SETTINGS)
    with Library.open(str(tmp_path / "library"), overrides=settings, encoder=ColourEncoder()) as library:
        reports = list(library.index([tmp_path / "yard.mp4", tmp_path / "gate.mp4"]))
        assert [report.status for report in reports] == ["done", "done"]
        yield library


def ask(library: Library, **fields: Any) -> Answer:
    return library.ask(as_query("placeholder", fields))


def test_ends_are_uncertain_by_half_the_sampling(yard: Library) -> None:
    (moment,) = ask(yard, shows="red").moments
    assert (moment.start_seconds, moment.end_seconds) == (2.5, 4.5)
    assert moment.start_uncertainty_seconds == moment.end_uncertainty_seconds == 0.5


def test_refined_ends_are_those_of_the_pictures(yard: Library) -> None:
    (moment,) = ask(yard, shows="red", refine=True).moments
    assert moment.start_seconds == pytest.approx(2.4, abs=1e-9)
    assert moment.end_seconds == pytest.approx(4.1, abs=1e-9)
    assert [moment.start_uncertainty_seconds, moment.end_uncertainty_seconds] == [0, 0]


def test_many_pictures_between_two_samples_are_told_apart_in_two_looks(tmp_path: Path) -> None:
    path = film(tmp_path / "slow.mp4", (None, 13.3), ("red", 16.4), (None, 30.3))
    settings = ("sampling.fps=0.1", *SETTINGS)
    with Library.open(str(tmp_path / "library"), overrides=settings, encoder=ColourEncoder()) as library:
        assert [report.status for report in library.index([path])] == ["done"]
        (moment,) = ask(library, shows="red", refine=True).moments
    assert moment.start_seconds == pytest.approx(13.3, abs=1e-9)
    assert moment.end_seconds == pytest.approx(29.7, abs=1e-9)


@pytest.mark.parametrize("loss", ["gone", "another"])
def test_a_video_that_is_not_there_any_more_is_answered_unrefined(
    yard: Library, tmp_path: Path, loss: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "yard.mp4").unlink()
    if loss == "another":
        film(tmp_path / "yard.mp4", ("red", 8.0))
    with caplog.at_level(logging.WARNING, logger="pipeline"):
        (moment,) = ask(yard, shows="red", refine=True).moments
    assert (moment.start_seconds, moment.start_uncertainty_seconds) == (2.5, 0.5)
    assert "were not refined" in caplog.text


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_a_picture_asks_for_what_looks_like_it(yard: Library, tmp_path: Path, suffix: str) -> None:
    Image.fromarray(painted("blue", (31, 47))).save(tmp_path / f"blue.{suffix}")
    (moment,) = ask(yard, shows={"image": str(tmp_path / f"blue.{suffix}")}).moments
    assert moment.uri.endswith("gate.mp4")
    assert moment.cosine == pytest.approx(1)


def test_the_first_frame_of_a_video_does_for_a_picture(yard: Library, tmp_path: Path) -> None:
    (moment,) = ask(yard, shows={"image": str(tmp_path / "gate.mp4")}).moments
    assert moment.uri.endswith("gate.mp4")


def test_a_part_of_a_clip_asks_for_what_looks_like_it(yard: Library, tmp_path: Path) -> None:
    clip = film(tmp_path / "clip.mp4", (None, 2.0), ("blue", 1.0), (None, 2.0))
    (moment,) = ask(yard, shows={"clip": str(clip), "start": 2.1, "end": 2.9}).moments
    assert moment.uri.endswith("gate.mp4")


def test_a_picture_is_turned_upright_as_it_says(tmp_path: Path) -> None:
    halves = np.concatenate([painted("red", (40, 40)), painted("blue", (40, 40))])
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(halves).save(tmp_path / "turned.png", exif=exif)
    still = read_still(str(tmp_path / "turned.png"), Fetching())
    assert still is not None
    assert tuple(still.rgb()[0, 0]) == COLOURS["blue"]


def test_a_broken_picture_and_one_that_is_missing_say_so(yard: Library, tmp_path: Path) -> None:
    Image.fromarray(painted("red")).save(tmp_path / "red.png")
    whole = (tmp_path / "red.png").read_bytes()
    (tmp_path / "red.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnsupportedVideoError, match="the picture is broken"):
        ask(yard, shows={"image": str(tmp_path / "red.png")})
    with pytest.raises(VideoNotFoundError, match="cannot be read"):
        ask(yard, shows={"image": str(tmp_path / "none.png")})
