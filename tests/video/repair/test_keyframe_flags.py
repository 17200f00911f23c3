"""Files whose containers flag as keyframes what is none: the frames are those of a full decode."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from contracts.decoder_contract import taken
from video_factory import Made, make_video, steady

from pipeline.sampling import FixedRate, Keyframe
from pipeline.types import Frame, Skip
from pipeline.video.pyav import mp4_index
from pipeline.video.pyav.decoder import PyAVDecoder, PyAVStream

REFRESH = {"bf": "0", "preset": "medium", "x264-params": "intra-refresh=1:keyint=12:scenecut=0"}
OPEN_HEVC = {"preset": "medium", "x265-params": "log-level=none:open-gop=1:keyint=12:scenecut=0"}
OPEN_H264 = {"bf": "3", "preset": "medium", "x264-params": "open-gop=1:b-pyramid=normal:scenecut=0"}
MILLISECOND, TENTH, FRAME = Fraction(1, 1000), Fraction(1, 10), Fraction(1, 25)
COUNT = 60


def moving(count: int, width: int, height: int) -> list[np.ndarray]:
    """A pattern that moves by two pixels a frame, so that pictures are coded as differences."""
    pattern = (
        np.random.default_rng(2)
        .integers(0, 255, (height // 8, width // 8, 3), dtype=np.uint8)
        .repeat(8, 0)
        .repeat(8, 1)
    )
    return [np.ascontiguousarray(np.roll(pattern, 2 * number, axis=1)) for number in range(count)]


@dataclass(frozen=True)
class Kind:
    """How a file is made, and whether its container flags every packet as a keyframe."""

    name: str
    codec: str
    options: dict[str, str] | None = None
    time_base: Fraction = Fraction(1, 90_000)
    rate: int | Fraction = 10
    flags_all: bool = True
    pixel_format: str = "yuv420p"
    size: tuple[int, int] = (96, 64)

    def make(self, folder: Path, count: int = COUNT, flagged: Container[int] = ()) -> Made:
        return make_video(
            folder / self.name,
            steady(count, self.rate),
            codec=self.codec,
            options=self.options,
            time_base=self.time_base,
            keyframe_every=12,
            pixel_format=self.pixel_format,
            shown=moving(count, *self.size),
            flagged=flagged or (range(count) if self.flags_all else ()),
        )


KINDS = [
    Kind("no-flag.swf", "flv", {}, TENTH, flags_all=False),
    Kind("refresh.mp4", "libx264", REFRESH, flags_all=False),
    Kind("refresh.mkv", "libx264", REFRESH, MILLISECOND, flags_all=False),
    Kind("refresh.ts", "libx264", REFRESH, flags_all=False),
    Kind("all.mp4", "libx264", {"bf": "2", "preset": "medium"}),
    Kind("open.mp4", "libx264", OPEN_H264),
    Kind("hevc.mp4", "libx265"),
    Kind("hevc-open.mp4", "libx265", OPEN_HEVC),
    Kind("hevc-open.mkv", "libx265", OPEN_HEVC, MILLISECOND),
    Kind("mpeg4.mp4", "mpeg4", {"bf": "2"}, FRAME, 25),
    Kind("mpeg4.mkv", "mpeg4", {}, MILLISECOND),
    Kind("mpeg2.mp4", "mpeg2video", {"bf": "2"}, FRAME, 25),
    Kind("mpeg2.mkv", "mpeg2video", {"bf": "2"}, FRAME, 25),
    Kind("mpeg1.mkv", "mpeg1video", {"bf": "2"}, FRAME, 25),
    Kind("h263.3gp", "h263", {}, Fraction(1001, 30_000), Fraction(30_000, 1001), size=(128, 96)),
    Kind("vp8.webm", "libvpx", {}, MILLISECOND),
    Kind("vp9.mp4", "libvpx-vp9"),
    Kind("vp9-alt.webm", "libvpx-vp9", {"deadline": "good", "lag-in-frames": "12", "auto-alt-ref": "1"}, MILLISECOND),
    Kind("av1.mp4", "libsvtav1"),
    Kind("av1.mkv", "libsvtav1", {}, MILLISECOND),
    Kind("wmv.asf", "wmv2", {}, MILLISECOND),
    Kind("spark.flv", "flv", {}, MILLISECOND),
    Kind("ffv1.mkv", "ffv1", {"g": "12", "coder": "1", "context": "1"}, MILLISECOND),
    Kind("snow.nut", "snow", {}, FRAME, 25),
    Kind("sorenson.mov", "svq1", {}, TENTH, pixel_format="yuv410p"),
    Kind("animation.mov", "qtrle", {}, TENTH, pixel_format="rgb24"),
    Kind("cinepak.mov", "cinepak", {}, TENTH, pixel_format="rgb24"),
]


@pytest.fixture(scope="module")
def file_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Kind], Made]:
    """Makes a file of a kind, once."""
    folder = tmp_path_factory.mktemp("flags")
    made: dict[str, Made] = {}

    def made_once(kind: Kind) -> Made:
        if kind.name not in made:
            made[kind.name] = kind.make(folder)
        return made[kind.name]

    return made_once


def assert_same(found: Iterable[Frame], wanted: Iterable[Frame]) -> None:
    """The same frames at the same times, bit for bit."""
    ours, truth = list(found), list(wanted)
    assert [frame.time for frame in ours] == [frame.time for frame in truth]
    assert all(np.array_equal(one.rgb(), other.rgb()) for one, other in zip(ours, truth, strict=True))


def opened(made: Made) -> PyAVStream:
    return PyAVDecoder().open(str(made))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_grid_gives_the_frames_of_a_full_decode(file_of: Callable[[Kind], Made], kind: Kind) -> None:
    with opened(file_of(kind)) as stream:
        whole = list(stream.frames())
        assert (len(whole), stream.damage) == (COUNT, ())
        covered = stream.covered_seconds
        for fps in (0.4, 1.0, 2.0, 7.0):
            sampler = FixedRate(fps=fps)
            assert_same(taken(sampler, stream, stream.frames(grid=sampler.grid)), taken(sampler, stream, iter(whole)))
            assert (stream.damage, stream.covered_seconds) == ((), pytest.approx(covered))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_windows_and_spans_give_the_frames_of_a_full_decode(file_of: Callable[[Kind], Made], kind: Kind) -> None:
    with opened(file_of(kind)) as stream:
        whole = list(stream.frames())
        end = whole[-1].time
        for share in (Fraction(7, 10), Fraction(9, 10)):
            start, until = end * share, end * share + Fraction(1, 4)
            shown = [frame for frame in whole if start <= frame.time < until]
            found = [frame for frame in stream.frames(start=start, end=until) if frame.time >= start]
            assert_same(found, shown)
            if stream.packets() is not None:
                spans = [(Fraction(1, 4), Fraction(3, 10)), (start, until)]
                assert_same(
                    stream.frames_within(spans),
                    [frame for frame in whole if any(since <= frame.time < to for since, to in spans)],
                )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_keyframes_are_pictures_of_a_full_decode_that_decode_alone(file_of: Callable[[Kind], Made], kind: Kind) -> None:
    sampler = Keyframe()
    with opened(file_of(kind)) as stream:
        truth = {frame.time: frame.rgb() for frame in stream.frames()}
        found = taken(sampler, stream, stream.frames(skip=sampler.skip))
        assert {frame.time for frame in found} <= set(truth)
        assert all(np.array_equal(frame.rgb(), truth[frame.time]) for frame in found)
        if kind.name.startswith("refresh"):
            assert [frame.time for frame in found] == [0]


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.name in ("hevc.mp4", "mpeg4.mp4")], ids=lambda kind: kind.name
)
def test_true_keyframes_still_save_decoding(file_of: Callable[[Kind], Made], kind: Kind) -> None:
    with opened(file_of(kind)) as stream:
        sampler = FixedRate(fps=1.0)
        taken(sampler, stream, stream.frames(grid=sampler.grid))
        assert stream.frames_decoded < COUNT - 5
        packets = stream.packets()
        assert packets is not None
        assert 5 <= packets.is_keyframe.sum() < 12


FEW = [
    Kind("hevc.mp4", "libx265", {"x265-params": "log-level=none:keyint=20:bframes=0"}),
    Kind("hevc.mkv", "libx265", {"x265-params": "log-level=none:keyint=20:bframes=0"}, MILLISECOND),
    Kind("mpeg4.mp4", "mpeg4", {}, TENTH),
    Kind("wmv.asf", "wmv2", {}, MILLISECOND),
    Kind("cinepak.mov", "cinepak", {}, TENTH, pixel_format="rgb24"),
]


@pytest.mark.parametrize("kind", FEW, ids=lambda kind: kind.name)
def test_a_false_flag_far_in_a_file_costs_no_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    monkeypatch.setattr(mp4_index, "_LEAST_BYTES", 0)
    with opened(kind.make(tmp_path, 300, {187, 193, 247})) as stream:
        whole = list(stream.frames())
        for fps in (0.07, 0.1, 0.5):
            sampler = FixedRate(fps=fps)
            found = taken(sampler, stream, stream.frames(grid=sampler.grid))
            assert_same(found, taken(sampler, stream, iter(whole)))
            assert stream.damage == ()
        assert_same(stream.frames(start=Fraction(195, 10), end=Fraction(20)), whole[195:200])


@pytest.mark.parametrize(
    "kind",
    [
        Kind("closed.mp4", "libx264", {"bf": "3", "preset": "medium"}, flags_all=False),
        Kind("open.mp4", "libx264", OPEN_H264, flags_all=False),
        Kind("open-flat.mp4", "libx264", {"bf": "3", "x264-params": "open-gop=1:scenecut=0"}, flags_all=False),
        Kind("open-flat.ts", "libx264", {"bf": "3", "x264-params": "open-gop=1:scenecut=0"}, flags_all=False),
        Kind("open.mkv", "libx265", OPEN_HEVC, MILLISECOND, flags_all=False),
        Kind("open.mpg", "mpeg2video", {"bf": "2"}, FRAME, 25, flags_all=False),
        Kind("alt.webm", "libvpx-vp9", {"deadline": "good", "lag-in-frames": "12"}, MILLISECOND, flags_all=False),
        Kind("sorenson.mov", "svq1", {}, TENTH, flags_all=False, pixel_format="yuv410p"),
        Kind("windows.asf", "wmv2", {}, MILLISECOND, flags_all=False),
    ],
    ids=lambda kind: kind.name,
)
def test_all_keyframes_come_in_their_order(tmp_path: Path, kind: Kind) -> None:
    count = 250  # more than H.264 can count by the lowest bits of a picture's order
    with opened(kind.make(tmp_path, count)) as stream:
        whole = list(stream.frames())
        end = stream.end_time
        found = [frame for frame in stream.frames(skip=Skip.NON_KEY) if frame.is_keyframe]
        assert stream.damage == ()
        assert abs(stream.end_time - end) <= TENTH
        assert len(found) >= count // 12
        assert stream.frames_decoded < 2 * len(found)
        shown = {frame.time: frame for frame in whole}
        assert_same(found, [shown[frame.time] for frame in found])
        marked = [frame.time for frame in whole if frame.is_keyframe]
        assert not marked or [frame.time for frame in found] == marked


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_a_recording_that_begins_within_a_group_keeps_all_that_can_be_decoded(tmp_path: Path, codec: str) -> None:
    kind = Kind("a.ts", codec, {"bf": "2"}, FRAME, 25, flags_all=False)
    content = kind.make(tmp_path).path.read_bytes()
    with av.open(str(tmp_path / "a.ts")) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.size]
    (tmp_path / "cut.ts").write_bytes(content[places[5] :])
    with PyAVDecoder().open(str(tmp_path / "cut.ts")) as stream:
        whole = list(stream.frames())
        assert len(whole) > 40
        spans = [(whole[0].time, whole[3].time), (whole[20].time, whole[22].time)]
        assert_same(stream.frames_within(spans), [*whole[:3], *whole[20:22]])
        sampler = FixedRate(fps=3.0)
        assert_same(taken(sampler, stream, stream.frames(grid=sampler.grid)), taken(sampler, stream, iter(whole)))
        for number in (0, 4, 30):
            assert_same(stream.frames(start=whole[number].time, end=whole[number + 2].time), whole[number : number + 2])


def test_leading_pictures_after_a_seek_are_not_given_out(tmp_path: Path) -> None:
    kind = Kind("open.mp4", "libx264", OPEN_H264, flags_all=False)
    with opened(kind.make(tmp_path, 120)) as stream:
        whole = list(stream.frames())
        for number in range(20, 120, 3):
            shown = stream.frames(start=whole[number].time, end=whole[number].time + TENTH)
            assert_same(shown, [whole[number]])
