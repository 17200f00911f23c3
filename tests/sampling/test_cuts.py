from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from films import DrawnFrame, film, shot
from pydantic import ValidationError

from pipeline.sampling import CutDetection
from pipeline.sampling.cuts import FRAMES_BEHIND
from pipeline.video import Decoding, make_decoder

FILMS_LOOKED_AT = ["construction-site-morning.mp4", "concrete-evening.mkv", "night-watch.webm", "street-corner.mp4"]
SHOTS = [*shot(1, 40), *shot(2, 50), *shot(3, 30)]


def cuts_of(frames: list[DrawnFrame], detection: CutDetection | None = None) -> list[int]:
    """Numbers of the frames at which cuts were found."""
    one_pass = (detection or CutDetection()).begin()
    for frame in frames:
        one_pass.feed(frame)
    one_pass.finish()
    numbers = {frame.time: frame.number for frame in frames}
    return [numbers[cut] for cut in one_pass.cuts]


@pytest.mark.parametrize("detector", ["adaptive", "content", "hash", "histogram"])
def test_cuts_are_found_at_the_first_frame_of_the_new_shot(detector: str) -> None:
    assert cuts_of(film(SHOTS), CutDetection.model_validate(detector)) == [40, 90]


def test_a_fade_from_black_begins_a_shot() -> None:
    levels = [1.0] * 30 + [1 - k / 10 for k in range(1, 11)] + [0.0] * 5 + [k / 10 for k in range(1, 11)] + [1.0] * 30
    pictures = [np.full((36, 64, 3), round(200 * level), np.uint8) for level in levels]
    assert cuts_of(film(pictures), CutDetection(detector="threshold")) == [45]


def test_a_moving_camera_is_no_cut() -> None:
    assert cuts_of(film(list(shot(1, 150, pan=2.5, noise=20)))) == []


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_flash_is_no_cut(length: int) -> None:
    pictures = list(shot(1, 80))
    for number in range(40, 40 + length):
        pictures[number] = np.full_like(pictures[number], 250)
    assert cuts_of(film(pictures)) == []


def test_cuts_in_an_uneven_video_are_the_same_frames() -> None:
    random = np.random.default_rng(7)
    times = [Fraction(int(tick), 1000) for tick in np.cumsum(random.integers(5, 200, len(SHOTS)))]
    assert cuts_of(film(SHOTS, times)) == [40, 90]


def test_the_shortest_shot_is_in_seconds() -> None:
    pictures = [*shot(1, 40), *shot(2, 10), *shot(3, 40)]
    slow = [Fraction(k, 5) for k in range(len(pictures))]
    assert cuts_of(film(pictures)) == [40]
    assert cuts_of(film(pictures), CutDetection(min_shot_seconds=0.4)) == [40, 50]
    assert cuts_of(film(pictures, slow)) == [40, 50]


def test_a_cut_is_known_a_few_frames_later() -> None:
    frames = film(SHOTS)
    one_pass = CutDetection().begin()
    for frame in frames:
        for cut in one_pass.feed(frame):
            assert cut >= frames[frame.number - FRAMES_BEHIND].time
    assert len(one_pass.cuts) == 2


def test_a_higher_threshold_finds_less() -> None:
    assert cuts_of(film(SHOTS), CutDetection(threshold=200.0)) == []


@pytest.mark.parametrize("settings", [{"detector": "magic"}, {"threshold": 0.0}, {"min_shot_seconds": -1.0}, "magic"])
def test_bad_settings_are_refused(settings: object) -> None:
    with pytest.raises(ValidationError):
        CutDetection.model_validate(settings)


def video_cuts(path: Path) -> tuple[list[float], float]:
    """Cuts of a video in seconds, and how long one of its frames is shown."""
    with make_decoder(Decoding()).open(str(path)) as stream:
        one_pass = CutDetection().begin()
        count = 0
        for frame in stream.frames():
            one_pass.feed(frame)
            count += 1
        one_pass.finish()
        return [float(cut) for cut in one_pass.cuts], float(stream.end_time) / count


@pytest.mark.footage
@pytest.mark.parametrize(
    "name", ["big_buck_bunny.webm", "asl-walk.mkv", "car-detection.mp4", "store-aisle-detection.gif"]
)
def test_cuts_of_footage_are_all_found_and_no_others(footage: Path, name: str) -> None:
    labels = json.loads((footage / "cuts.json").read_text())[Path(name).stem]
    found, frame_seconds = video_cuts(footage / name)
    assert found == pytest.approx(labels, abs=frame_seconds)


@pytest.mark.parametrize("name", FILMS_LOOKED_AT)
def test_cuts_of_the_sample_films_are_all_found_and_no_others(films: Path, name: str) -> None:
    labels = json.loads((films / "cuts.json").read_text())[Path(name).stem]
    found, frame_seconds = video_cuts(films / name)
    gradual = [*labels["fades"], *labels["dissolves"]]
    hard = [cut for cut in found if not any(start <= cut <= end for start, end in gradual)]
    assert hard == pytest.approx(labels["cuts"], abs=frame_seconds * 1.05 + 0.001)
