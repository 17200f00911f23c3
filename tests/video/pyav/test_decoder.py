from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from contracts.decoder_contract import CASES, DecoderContract
from video_catalogue import CATALOGUE, MILLISECOND
from video_factory import Made, damaged, make_video, number_of, steady, with_repeats

from pipeline.errors import UnsupportedVideoError, VideoDecodeError
from pipeline.types import Skip
from pipeline.video import Decoding, VideoDecoder, make_decoder

FOOTAGE_FRAMES = {
    "asl-book.mkv": 109,
    "big_buck_bunny.webm": 720,
    "car-detection.mp4": 377,
    "store-aisle-detection.gif": 67,
}
COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (30, 160, 90), (200, 200, 200)]


@pytest.fixture
def decoder() -> VideoDecoder:
    return make_decoder(Decoding())


def test_a_file_of_no_length_is_refused(decoder: VideoDecoder, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "nothing.mp4"), "w") as container:
        container.add_stream("libx264", rate=10).pix_fmt = "yuv420p"
        container.start_encoding()
    with pytest.raises(UnsupportedVideoError, match="it contains nothing: it ends at 0 s"):
        decoder.open(str(tmp_path / "nothing.mp4"))


class TestPyAVDecoder(DecoderContract):
    @pytest.fixture
    def decoder(self) -> VideoDecoder:
        return make_decoder(Decoding())


def test_the_suite_covers_the_catalogue() -> None:
    assert sorted(CASES) == sorted(CATALOGUE)


def test_threads_change_nothing(long_video: Made) -> None:
    with make_decoder(Decoding(threads=4)).open(str(long_video)) as stream:
        found = [(frame.time, number_of(frame.rgb())) for frame in stream.frames()]
    assert found == list(zip(long_video.times, long_video.numbers, strict=True))


def test_keyframes_alone_are_decoded(decoder: VideoDecoder, long_video: Made) -> None:
    with decoder.open(str(long_video)) as stream:
        frames = list(stream.frames(skip=Skip.NON_KEY))
        assert all(frame.is_keyframe for frame in frames)
        assert [number_of(frame.rgb()) for frame in frames] == list(range(1, 251, 16))
        assert stream.covered_seconds == pytest.approx(10.0)


def test_damage_inside_costs_itself_alone(decoder: VideoDecoder, tmp_path: Path) -> None:
    whole = make_video(
        tmp_path / "whole.mp4", steady(100), options={"bf": "2", "preset": "medium"}, noise=30, keyframe_every=10
    )
    broken = damaged(whole, tmp_path / "broken.mp4", packets=[25, 60])
    with decoder.open(str(broken)) as stream:
        found = {frame.time: number_of(frame.rgb()) for frame in stream.frames()}
        assert len(found) >= 98
        rest_of_groups = range(20, 30), range(60, 70)
        wrong = [time for time, number in found.items() if number != time * 10 + 1]
        assert all(any(int(time * 10) in group for group in rest_of_groups) for time in wrong)
        assert len(stream.damage) >= 1
        assert all("damaged" in note or "cannot be decoded" in note for note in stream.damage)


@pytest.mark.parametrize(("name", "codec"), [("broken.mkv", "libx264"), ("broken.webm", "libvpx")])
def test_a_hole_in_a_matroska_file_is_damage(decoder: VideoDecoder, tmp_path: Path, name: str, codec: str) -> None:
    whole = make_video(tmp_path / f"whole-{name}", steady(250, 25), time_base=MILLISECOND, noise=30, codec=codec)
    content = bytearray(whole.path.read_bytes())
    with av.open(str(whole.path)) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.size]
    content[places[100] - 4 : places[112]] = b"\xa5" * (places[112] - places[100] + 4)
    (tmp_path / name).write_bytes(content)
    with decoder.open(str(tmp_path / name)) as stream:
        truth = dict(zip(whole.times, whole.numbers, strict=True))
        found = {frame.time: number_of(frame.rgb()) for frame in stream.frames()}
        assert found.items() <= truth.items()
        assert len(found) < 240
        assert "bytes are lost" in stream.damage[0]
        assert stream.covered_seconds == pytest.approx(len(found) / 25, abs=0.1)


def test_a_file_without_a_decodable_frame_is_an_error(decoder: VideoDecoder, tmp_path: Path) -> None:
    whole = make_video(tmp_path / "whole.mkv", steady(100), time_base=MILLISECOND, noise=30)
    with av.open(str(whole.path)) as container:
        first = next(packet.pos for packet in container.demux(video=0))
    header = tmp_path / "header.mkv"
    header.write_bytes(whole.path.read_bytes()[: first + 100])
    with (
        decoder.open(str(header)) as stream,
        pytest.raises(VideoDecodeError, match="no frame of its h264 stream can be decoded"),
    ):
        list(stream.frames())


def test_a_window_behind_the_end_is_empty_and_no_error(decoder: VideoDecoder, long_video: Made) -> None:
    with decoder.open(str(long_video)) as stream:
        assert list(stream.frames(start=Fraction(3600))) == []


def test_times_that_stand_still_are_damage(decoder: VideoDecoder, tmp_path: Path) -> None:
    whole = make_video(tmp_path / "whole.mkv", steady(60), time_base=MILLISECOND)
    still = with_repeats(whole, tmp_path / "still.mkv", repeats=range(20, 40))
    with decoder.open(str(still)) as stream:
        assert len(list(stream.frames())) < 60
        assert "not later than the one before" in stream.damage[0]


def test_two_passes_run_side_by_side(decoder: VideoDecoder, long_video: Made) -> None:
    with decoder.open(str(long_video)) as stream:
        pairs = list(zip(stream.frames(), stream.frames(start=Fraction(5)), strict=False))
    assert all(late.time - early.time == 5 for early, late in pairs)


def test_a_sound_that_is_longer_is_no_damage(decoder: VideoDecoder, tmp_path: Path) -> None:
    made = make_video(tmp_path / "music.mkv", steady(30), time_base=MILLISECOND, audio=(Fraction(0), Fraction(10)))
    with decoder.open(str(made)) as stream:
        assert sum(1 for _ in stream.frames()) == 30
        assert stream.damage == ()
        assert stream.end_time == 3


@pytest.mark.parametrize("has_sound", [False, True], ids=["silent", "with sound"])
@pytest.mark.parametrize("suffix", ["asf", "flv", "mkv", "mov", "nut", "ts"])
def test_a_file_that_begins_late_is_as_long_as_it_is(
    decoder: VideoDecoder, tmp_path: Path, suffix: str, has_sound: bool
) -> None:
    audio = (Fraction(10), Fraction(12)) if has_sound else None
    times = steady(50, 25, 10)
    made = make_video(tmp_path / f"late.{suffix}", times, time_base=MILLISECOND, audio=audio)
    with decoder.open(str(made)) as stream:
        assert sum(1 for _ in stream.frames()) == 50
        assert stream.damage == ()
        assert stream.end_time == pytest.approx(2, abs=0.05)
        assert stream.info.duration_seconds == pytest.approx(2, abs=0.05)


def test_sizes_that_are_not_positive_are_refused(decoder: VideoDecoder, video: Callable[[str], Made]) -> None:
    with decoder.open(str(video("plain.mp4"))) as stream:
        frame = next(iter(stream.frames()))
        with pytest.raises(ValueError, match="a picture's size must be positive, got 0 x 64"):
            frame.rgb(0)


@pytest.mark.parametrize(
    ("space", "tag", "full"), [("ITU709", 1, False), ("ITU709", 1, True), ("ITU601", 6, False), ("ITU601", 2, False)]
)
def test_colours_follow_the_tags(decoder: VideoDecoder, tmp_path: Path, space: str, tag: int, full: bool) -> None:
    picture = np.repeat(np.repeat(np.array([COLOURS], np.uint8), 64, axis=0), 16, axis=1)
    colour_range = ColorRange.JPEG if full else ColorRange.MPEG
    with av.open(str(tmp_path / "colours.mkv"), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "1", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv444p"
        stream.codec_context.colorspace, stream.codec_context.color_range = tag, colour_range.value
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
            format="yuv444p", dst_colorspace=Colorspace[space], dst_color_range=colour_range
        )
        frame.pts, frame.time_base = 0, Fraction(1, 10)
        container.mux([*stream.encode(frame), *stream.encode(None)])
    with decoder.open(str(tmp_path / "colours.mkv")) as opened:
        found = next(iter(opened.frames())).rgb()
    assert np.abs(found.astype(int) - picture).max() <= 3


@pytest.mark.footage
@pytest.mark.parametrize("name", sorted(FOOTAGE_FRAMES))
def test_footage_is_decoded_whole(decoder: VideoDecoder, footage: Path, name: str) -> None:
    with decoder.open(str(footage / name)) as stream:
        count = sum(1 for _ in stream.frames())
        assert (count, stream.damage) == (FOOTAGE_FRAMES[name], ())
        assert stream.covered_seconds == pytest.approx(stream.info.duration_seconds, abs=0.05)


@pytest.mark.footage
@pytest.mark.parametrize("name", ["asl-book.mkv", "big_buck_bunny.webm", "bottle-detection.mp4"])
def test_footage_looks_as_in_opencv(decoder: VideoDecoder, footage: Path, name: str) -> None:
    other = make_decoder(Decoding(backend="opencv"))
    window = {"start": Fraction(2), "end": Fraction(23, 10)}
    with decoder.open(str(footage / name)) as ours, other.open(str(footage / name)) as theirs:
        pairs = list(zip(ours.frames(**window), theirs.frames(**window), strict=True))
        assert len(pairs) > 5
        for one, two in pairs:
            assert (one.time, one.pts, one.is_keyframe) == (two.time, two.pts, two.is_keyframe)
            assert float(np.abs(one.rgb().astype(int) - two.rgb()).mean()) < 2


def test_nothing_heavy_is_loaded_before_a_video_is_opened() -> None:
    program = (
        "import sys; from pipeline.video import *; from pipeline.sampling import *;"
        "[make_decoder(Decoding(backend=name)) for name in ('pyav', 'decord', 'opencv')];"
        "print(*{'av', 'cv2', 'decord', 'scenedetect'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
