from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from synthetic_films import DrawnFrame, Picture, film, shot

from pipeline.sampling import CutDetection, find_shots
from pipeline.types import Frame, Skip, VideoInfo
from pipeline.types.packets import Span
from pipeline.video import Decoding, make_decoder

SAMPLES = Path(__file__).resolve().parents[3] / "sample_videos"
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

    def packets(self) -> None:
        return None

    def frames_within(self, spans: Sequence[Span], *, skip: Skip = Skip.NOTHING) -> Iterator[Frame]:
        raise ValueError("a drawn film has no packets")

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


def encoded(path: Path, pictures: Sequence[Picture], codec: str, options: dict[str, str], every: int = 30) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = 192, 108, "yuv420p"
        stream.codec_context.gop_size = every
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(192, 108, "yuv420p")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


ENCODERS = {
    "fixed groups": ("libx264", {"preset": "fast", "crf": "26", "x264-params": "scenecut=0"}),
    "starved": (
        "libx264",
        {"preset": "fast", "b": "60k", "maxrate": "60k", "bufsize": "30k", "x264-params": "scenecut=0"},
    ),
    "open groups": ("libx264", {"preset": "medium", "x264-params": "open-gop=1:scenecut=0:b-pyramid=normal"}),
    "keyframes at cuts": ("libx264", {"preset": "fast"}),
    "hevc": ("libx265", {"preset": "fast", "x265-params": "log-level=none:scenecut=0"}),
    "mpeg4": ("mpeg4", {"b": "300k", "sc_threshold": "1000000000"}),
    "vp9": (
        "libvpx-vp9",
        {"deadline": "good", "cpu-used": "5", "b": "150k", "auto-alt-ref": "1", "lag-in-frames": "16"},
    ),
    "vp8": ("libvpx", {"deadline": "realtime", "cpu-used": "8", "b": "200k"}),
}
STORIES = {
    "within groups": [*shot(1, 70, pan=0.2), *shot(2, 72, pan=0.2), *shot(3, 68, pan=0.2)],
    "away and back": [*shot(1, 63, pan=0), *shot(2, 14, pan=0.2), *shot(1, 83, pan=0)],
    "to one colour and back": [*shot(1, 63, pan=0), *[np.full((36, 64, 3), 90, np.uint8)] * 14, *shot(1, 83, pan=0)],
    "flash": with_flash(list(shot(1, 150, pan=0.2)), 71, 2),
    "at a keyframe": [*shot(1, 60, pan=0.2), *shot(2, 90, pan=0.2)],
    "right behind a keyframe": [*shot(1, 92, pan=0.2), *shot(2, 90, pan=0.2)],
    "fade": [(picture * abs(k - 75) / 75).astype(np.uint8) for k, picture in enumerate(shot(1, 150, pan=0.1))],
}


@pytest.mark.slow
@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_packets_hide_no_cut(tmp_path: Path, encoder: str, story: str) -> None:
    path = encoded(tmp_path / "film.mkv", STORIES[story], *ENCODERS[encoder])
    settings = CutDetection(min_shot_seconds=0.0)
    with make_decoder(Decoding()).open(str(path)) as stream:
        one_pass = settings.begin()
        for frame in stream.frames():
            one_pass.feed(frame)
        one_pass.finish()
        shots = find_shots(stream, settings)
    assert shots.cuts == one_pass.cuts
    assert shots.end == pytest.approx(len(STORIES[story]) / RATE, abs=0.05)


def test_of_calm_groups_little_is_decoded(tmp_path: Path) -> None:
    path = encoded(tmp_path / "film.mkv", list(shot(1, 300, pan=0, noise=1)), *ENCODERS["fixed groups"])
    with make_decoder(Decoding()).open(str(path)) as stream:
        shots = find_shots(stream, CutDetection())
    assert shots.cuts == ()
    assert shots.frames_decoded < 50


def test_where_things_moved_from_keyframe_to_keyframe_little_is_decoded(tmp_path: Path) -> None:
    # Seven points in all: the keyframes differ by far more than noise, and show the same.
    path = encoded(tmp_path / "film.mkv", list(shot(1, 300, pan=0.023, noise=1)), *ENCODERS["fixed groups"])
    with make_decoder(Decoding()).open(str(path)) as stream:
        shots = find_shots(stream, CutDetection())
    assert shots.cuts == ()
    assert shots.frames_decoded < 50


@pytest.mark.parametrize("encoder", ["mpeg4", "vp8"])
def test_where_no_frame_is_left_out_none_is_decoded_twice(tmp_path: Path, encoder: str) -> None:
    pictures = STORIES["within groups"]
    path = encoded(tmp_path / "film.mkv", pictures, *ENCODERS[encoder], every=250)
    with make_decoder(Decoding()).open(str(path)) as stream:
        shots = find_shots(stream, CutDetection())
    assert numbers(shots.cuts) == [70, 142]
    assert shots.frames_decoded == len(pictures)


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(path for path in SAMPLES.iterdir() if path.suffix in (".mp4", ".mkv", ".webm")))
def test_every_hard_cut_of_the_sample_films_is_found_and_no_other(path: Path) -> None:
    labels = json.loads((SAMPLES / "cuts.json").read_text())[path.stem]
    with make_decoder(Decoding()).open(str(path)) as stream:
        cuts = find_shots(stream, CutDetection()).cuts
    assert [float(cut) for cut in cuts] == pytest.approx(labels["cuts"], abs=0.05)
