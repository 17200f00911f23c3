from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from films import DrawnFrame, Picture, film, shot

from pipeline.sampling import CutDetection, find_shots
from pipeline.types import Frame, Skip, VideoInfo
from pipeline.video import Decoding, make_decoder

SAMPLES = Path(__file__).resolve().parents[2] / "sample_videos"
RATE = 25


class DrawnFootage:
    """A film in groups of pictures, of which every second frame is one that no other refers to.

    Args:
        pictures: All of it, at 25 frames a second.
        keyframes: Numbers of the frames that begin a group.
    """

    damage = ()

    def __init__(self, pictures: Sequence[Picture], keyframes: Sequence[int] = (0,)) -> None:
        self._frames = [replace(frame, is_keyframe=frame.number in keyframes) for frame in film(pictures)]
        self.looked_at: list[int] = []
        self.end_time = Fraction(0)
        self.frames_decoded = 0
        self.info = VideoInfo(
            uri="film",
            container="none",
            codec="none",
            width=64,
            height=36,
            rotation_degrees=0,
            time_base=Fraction(1, 90_000),
            start_time=Fraction(0),
            average_rate=Fraction(RATE),
            duration_seconds=None,
        )

    def frames(
        self, *, start: Fraction | None = None, end: Fraction | None = None, skip: Skip = Skip.NOTHING
    ) -> Iterator[Frame]:
        self.frames_decoded = 0
        for frame in self._frames:
            if (start is not None and frame.time < start) or (end is not None and frame.time >= end):
                continue
            self.end_time = frame.time + Fraction(1, RATE)
            if skip is Skip.NOTHING:
                self.looked_at.append(frame.number)
            if skip is Skip.NOTHING or frame.is_keyframe or self._is_reference(frame):
                self.frames_decoded += 1
                yield frame

    def _is_reference(self, frame: DrawnFrame) -> bool:
        """Every second one, and the last of a group."""
        following = frame.number + 1
        return frame.number % 2 == 0 or following == len(self._frames) or self._frames[following].is_keyframe


def numbers(cuts: Sequence[Fraction]) -> list[int]:
    return [int(cut * RATE) for cut in cuts]


def with_flash(pictures: Sequence[Picture], first: int, length: int) -> list[Picture]:
    return [
        np.full_like(picture, 250) if first <= number < first + length else picture
        for number, picture in enumerate(pictures)
    ]


FILMS = {
    "cuts": [*shot(1, 40), *shot(2, 50), *shot(3, 31)],
    "one shot": list(shot(1, 90, pan=2.5, noise=20)),
    "short shots": [*shot(1, 40), *shot(2, 17), *shot(3, 10), *shot(4, 40)],
    "flash": with_flash(list(shot(1, 80)), 41, 2),
    "cut behind a flash": with_flash([*shot(1, 60), *shot(2, 60)], 45, 1),
    "early and late": [*shot(1, 3), *shot(2, 60), *shot(3, 3)],
    "short": list(shot(1, 2)),
}


@pytest.mark.parametrize("keyframes", [(0,), (0, 40, 90), (0, 41, 57), (0, 39, 80)])
@pytest.mark.parametrize("name", FILMS)
@pytest.mark.parametrize("shortest", [0.0, 0.6])
def test_shots_are_those_that_all_frames_show(name: str, keyframes: tuple[int, ...], shortest: float) -> None:
    settings = CutDetection(min_shot_seconds=shortest)
    one_pass = settings.begin()
    for frame in film(FILMS[name]):
        one_pass.feed(frame)
    one_pass.finish()
    shots = find_shots(DrawnFootage(FILMS[name], keyframes), settings)
    assert shots.cuts == one_pass.cuts
    assert shots.end == Fraction(len(FILMS[name]), RATE)


def test_a_cut_at_a_keyframe_needs_no_close_look() -> None:
    calm = [picture for seed, length in ((1, 40), (2, 50), (3, 30)) for picture in shot(seed, length, pan=0.2)]
    footage = DrawnFootage(calm, (0, 40, 90))
    assert numbers(find_shots(footage, CutDetection()).cuts) == [40, 90]
    assert footage.looked_at == []


def test_a_cut_within_a_group_is_looked_at_with_the_frames_around_it_alone() -> None:
    footage = DrawnFootage([*shot(1, 100), *shot(2, 100)], (0, 75))
    shots = find_shots(footage, CutDetection())
    assert numbers(shots.cuts) == [100]
    assert shots.frames_decoded == 102 + len(footage.looked_at)
    assert 20 <= len(footage.looked_at) <= 30


def test_no_frame_is_decoded_for_two_close_looks() -> None:
    flickering = list(shot(1, 300))
    for number in range(20, 280, 14):
        flickering = with_flash(flickering, number, 1)
    footage = DrawnFootage(flickering)
    assert find_shots(footage, CutDetection()).cuts == ()
    assert len(footage.looked_at) == len(set(footage.looked_at))


@pytest.mark.parametrize("detector", ["content", "hash", "histogram"])
def test_other_detectors_see_every_frame(detector: str) -> None:
    footage = DrawnFootage(FILMS["cuts"])
    assert numbers(find_shots(footage, CutDetection.model_validate(detector)).cuts) == [40, 90]
    assert len(footage.looked_at) == len(FILMS["cuts"])


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(path for path in SAMPLES.iterdir() if path.suffix in (".mp4", ".mkv", ".webm")))
def test_every_hard_cut_of_the_sample_films_is_found_and_no_other(path: Path) -> None:
    labels = json.loads((SAMPLES / "cuts.json").read_text())[path.stem]
    with make_decoder(Decoding()).open(str(path)) as stream:
        cuts = find_shots(stream, CutDetection()).cuts
    assert [float(cut) for cut in cuts] == pytest.approx(labels["cuts"], abs=0.05)
