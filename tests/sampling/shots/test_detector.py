from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from synthetic_films import WIDTH, DrawnFrame, Picture, film, scene, shot

from pipeline.sampling import CutDetection
from pipeline.sampling.shots.detector import FRAMES_BEHIND
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


SLIDES = [scene(seed)[:, :WIDTH] for seed in range(40, 48)]
"""Eight slides."""


def slides_found(detector: str, rate: Fraction | int, held: int) -> list[int]:
    """Which slides are told from the one before, of so many frames each."""
    pictures = [slide for slide in SLIDES for _ in range(held)]
    times = [Fraction(number) / rate for number in range(len(pictures))]
    found = cuts_of(film(pictures, times), CutDetection.model_validate(detector))
    assert all(cut % held == 0 for cut in found)
    return [cut // held for cut in found]


@pytest.mark.parametrize("detector", ["adaptive", "content"])
@pytest.mark.parametrize("rate", [Fraction(1, 10), Fraction(1), 2, 3, 5, 10, 25, 60, 120])
def test_slides_are_told_apart_at_every_rate(detector: str, rate: Fraction | int) -> None:
    assert slides_found(detector, rate, max(1, int(2 * rate))) == list(range(1, len(SLIDES)))


@pytest.mark.parametrize("detector", ["hash", "histogram"])
@pytest.mark.parametrize("rate", [Fraction(1, 10), Fraction(1), 3])
def test_slides_that_are_told_apart_at_a_usual_rate_are_at_a_low_one(detector: str, rate: Fraction | int) -> None:
    assert slides_found(detector, rate, max(1, int(2 * rate))) == slides_found(detector, 25, 50)


@pytest.mark.parametrize("detector", ["adaptive", "content"])
@pytest.mark.parametrize("seconds", [1, 3, 60])
def test_one_frame_a_slide_is_one_shot_a_slide(detector: str, seconds: int) -> None:
    assert slides_found(detector, Fraction(1, seconds), 1) == list(range(1, len(SLIDES)))


def test_slides_of_uneven_lengths_with_and_without_frames_between_are_told_apart() -> None:
    random = np.random.default_rng(3)
    pictures, times, cuts, time = [], [], [], Fraction(0)
    for slide in SLIDES:
        cuts.append(len(pictures))
        for _ in range(int(random.integers(1, 6))):
            pictures.append(slide)
            times.append(time)
            time += Fraction(int(random.integers(700, 4000)), 1000)
    assert cuts_of(film(pictures, times)) == cuts[1:]


@pytest.mark.parametrize("rate", [1, 2, 5, 10])
def test_cuts_a_second_from_the_ends_are_found(rate: int) -> None:
    pictures = [*shot(1, rate), *shot(2, 6 * rate), *shot(3, rate)]
    times = [Fraction(number, rate) for number in range(len(pictures))]
    assert cuts_of(film(pictures, times)) == [rate, 7 * rate]


@pytest.mark.parametrize("rate", [5, 60, 120])
def test_a_flash_of_a_tenth_of_a_second_is_no_cut_at_other_rates(rate: int) -> None:
    pictures = list(shot(1, 4 * rate, pan=25 / rate))
    for number in range(2 * rate, 2 * rate + max(1, rate // 12)):
        pictures[number] = np.full_like(pictures[number], 250)
    times = [Fraction(number, rate) for number in range(len(pictures))]
    assert cuts_of(film(pictures, times)) == []


def test_a_slow_camera_at_a_low_rate_is_no_cut() -> None:
    pictures = list(shot(1, 60, pan=0.5))
    assert cuts_of(film(pictures, [Fraction(2 * number, 3) for number in range(60)])) == []


def resized(pictures: Sequence[Picture], width: int, height: int) -> list[Picture]:
    return [np.asarray(Image.fromarray(picture).resize((width, height))) for picture in pictures]


DETECTORS = ["adaptive", "content", "hash", "histogram", "threshold"]


@pytest.mark.parametrize("detector", DETECTORS)
@pytest.mark.parametrize("size", [(36, 64), (160, 90), (32, 18), (64, 48), (200, 20)])
def test_a_picture_of_another_size_is_no_cut(detector: str, size: tuple[int, int]) -> None:
    pictures = list(shot(1, 90, pan=0.3, noise=2))
    turned = [*pictures[:45], *resized(pictures[45:], *size)]
    assert cuts_of(film(turned), CutDetection.model_validate(detector)) == []


@pytest.mark.parametrize("detector", DETECTORS[:-1])
@pytest.mark.parametrize("size", [(36, 64), (160, 90), (32, 18), (64, 48)])
def test_a_cut_to_a_picture_of_another_size_is_found(detector: str, size: tuple[int, int]) -> None:
    pictures = [*shot(1, 45), *resized(list(shot(2, 45)), *size), *shot(3, 45)]
    assert cuts_of(film(pictures), CutDetection.model_validate(detector)) == [45, 90]


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


def test_a_cut_after_a_short_pause_of_black_is_found() -> None:
    black = [np.zeros((36, 64, 3), np.uint8)] * 14
    pictures = [*shot(1, 60), *black, *shot(2, 60)]
    assert cuts_of(film(pictures)) == [60, 74]
    assert cuts_of(film([*black, *shot(2, 60)])) == [14]


def test_a_short_shot_is_no_pause() -> None:
    assert cuts_of(film([*shot(1, 60), *shot(3, 14), *shot(2, 60)])) == [60]


def test_judder_is_no_cut() -> None:
    # Each picture is shown four times: all movement stands out from the frames around.
    pictures = [picture for picture in shot(1, 45, pan=4, noise=2) for _ in range(4)]
    assert cuts_of(film(pictures, [Fraction(number, 60) for number in range(180)])) == []


def test_cuts_between_dark_shots_are_found() -> None:
    pictures = [(picture // 3).astype(np.uint8) for picture in SHOTS]
    assert cuts_of(film(pictures)) == [40, 90]


def test_a_cut_to_the_same_shapes_in_other_colours_is_found() -> None:
    red, blue = np.array([200, 40, 40], np.uint8), np.array([20, 60, 220], np.uint8)
    pictures = [np.full((36, 64, 3), red if number < 25 else blue, np.uint8) for number in range(50)]
    for number, picture in enumerate(pictures):
        picture[:, number : number + 8] = 255
    assert cuts_of(film(pictures)) == [25]
