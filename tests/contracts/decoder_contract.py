"""What every `VideoDecoder` must do, checked on generated videos whose truth is known."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from video_catalogue import B_FRAMES, MILLISECOND
from video_factory import Made, make_sound, make_video, number_of, numbered, steady, truncated, with_repeats

from pipeline.errors import UnsupportedVideoError, VideoError, VideoNotFoundError
from pipeline.sampling import FixedRate, FrameSampler
from pipeline.types import Frame, Skip
from pipeline.video import VideoDecoder, VideoStream

MakeVideo = Callable[[str], Made]

CASES = [
    "plain.mp4",
    "b-frames.mp4",
    "intra-refresh.mp4",
    "hevc-all-flagged.mp4",
    "mpeg4-all-flagged.mp4",
    "ntsc.mp4",
    "uneven.mp4",
    "uneven.mkv",
    "starts-at-10.mkv",
    "starts-at-1.5.mp4",
    "transport.ts",
    "after-its-sound.mp4",
    "sound-first.mkv",
    "turned-90.mp4",
    "turned-180.mp4",
    "turned-270.mp4",
    "mirrored.mp4",
    "mirrored-and-turned.mp4",
    "vp9.webm",
    "vp8-odd-size.webm",
    "av1.mp4",
    "hevc-10-bit.mp4",
    "chroma-444.mp4",
    "grey.mp4",
    "ffv1-odd-size.mkv",
    "mpeg4.avi",
    "h264.avi",
    "h264-b-frames.avi",
    "mpeg4-b-frames.avi",
    "packed-b-frames.avi",
    "packed-b-frames.mp4",
    "packed-b-frames.mkv",
    "for-windows.mkv",
    "b-frames.asf",
    "mpeg2.mpg",
    "animation.gif",
    "slides.mp4",
    "slides.mkv",
    "slides.webm",
    "slides.gif",
    "one-frame.mp4",
    "one-frame.gif",
    "no-duration.mkv",
    "fragments.mp4",
    "two-streams.mkv",
    "edit-list.mp4",
    "edit-list-b-frames.mp4",
]
# Their containers do not say when pictures are shown: only who decodes all of them in order can know.
UNTIMED = frozenset(
    {
        "h264-b-frames.avi",
        "mpeg4-b-frames.avi",
        "packed-b-frames.avi",
        "packed-b-frames.mp4",
        "packed-b-frames.mkv",
        "for-windows.mkv",
        "b-frames.asf",
    }
)
WINDOWS = [(0, 2), (0, None), (3, 4), (3.21, 3.22), (5.5, 7.25), (9.9, None), (9.97, 20), (4, 4), (11, None), (6, 5)]


def taken(sampler: FrameSampler, stream: VideoStream, frames: Iterable[Frame]) -> list[Frame]:
    """The frames that a sampler takes."""
    return taken_until(sampler, stream, frames)[0]


def taken_until(
    sampler: FrameSampler, stream: VideoStream, frames: Iterable[Frame]
) -> tuple[list[Frame], tuple[Fraction, ...] | None]:
    """The frames that a sampler takes, and until when it saw each."""
    one_pass = sampler.begin(stream.info)
    chosen = [each for frame in frames for each in one_pass.feed(frame)]
    chosen.extend(one_pass.finish())
    return chosen, one_pass.seen_until


def until_the_last_points(made: Made, sampler: FixedRate, times: Iterable[Fraction]) -> tuple[Fraction, ...]:
    """The last point of a grid at which each frame is on screen, or its own time."""
    end_of = dict(zip(made.times, [*made.times[1:], made.end], strict=True))
    points = [k / sampler.rate for k in range(int(made.end * sampler.rate) + 1)]
    return tuple(max([time, *(point for point in points if point < end_of[time])]) for time in times)


class DecoderContract:
    """A subclass gives the fixture `decoder` and says which cases it `refuses`."""

    refuses: frozenset[str] = frozenset()

    @pytest.mark.parametrize("case", CASES)
    def test_every_frame_comes_at_its_exact_time(self, decoder: VideoDecoder, video: MakeVideo, case: str) -> None:
        made = video(case)
        if case in self.refuses:
            with pytest.raises(UnsupportedVideoError, match=r"decoding\.backend: pyav"):
                decoder.open(str(made))
            return
        with decoder.open(str(made)) as stream:
            found = [(frame.time, number_of(frame.rgb()), (frame.width, frame.height)) for frame in stream.frames()]
            size = (stream.info.width, stream.info.height)
            assert [time for time, _, _ in found] == list(made.times)
            assert [number for _, number, _ in found] == list(made.numbers)
            assert {each for _, _, each in found} == {size}
            assert stream.damage == ()
            assert stream.end_time == made.end
            assert stream.covered_seconds == pytest.approx(float(made.end - made.times[0]))

    @pytest.mark.parametrize(("start", "end"), WINDOWS)
    def test_a_window_holds_what_is_shown_in_it(
        self, decoder: VideoDecoder, long_video: Made, start: float, end: float | None
    ) -> None:
        first, last = Fraction(str(start)), None if end is None else Fraction(str(end))
        ends = [*long_video.times[1:], long_video.end]
        shown = [
            number
            for number, since, until in zip(long_video.numbers, long_video.times, ends, strict=True)
            if until > first and (last is None or (since < last and first < last))
        ]
        with decoder.open(str(long_video)) as stream:
            found = [number_of(frame.rgb()) for frame in stream.frames(start=first, end=last)]
        assert found == shown

    def test_a_thumbnail_tells_pictures_apart(self, decoder: VideoDecoder, video: MakeVideo) -> None:
        with decoder.open(str(video("plain.mp4"))) as stream:
            thumbnails = [frame.thumbnail() for frame in stream.frames()]
        assert {(thumbnail.dtype, thumbnail.shape) for thumbnail in thumbnails} == {(np.dtype(np.uint8), (3, 36, 64))}
        assert len({thumbnail.tobytes() for thumbnail in thumbnails}) == len(thumbnails)

    @pytest.mark.parametrize(("name", "options"), [("plain.mkv", {}), ("plain.mp4", {}), ("b-frames.mp4", B_FRAMES)])
    def test_two_pictures_of_one_time_are_no_damage(
        self, decoder: VideoDecoder, tmp_path: Path, name: str, options: dict[str, str]
    ) -> None:
        base = MILLISECOND if name.endswith("mkv") else Fraction(1, 90_000)
        whole = make_video(tmp_path / f"whole-{name}", steady(60), options=options, time_base=base)
        # One of them is a keyframe, one the last picture but one.
        made = with_repeats(whole, tmp_path / name, repeats=(7, 20, 33, 58))
        with decoder.open(str(made)) as stream:
            assert [number_of(frame.rgb()) for frame in stream.frames()] == list(made.numbers)
            assert (stream.damage, stream.end_time, stream.covered_seconds) == ((), made.end, pytest.approx(6))
            for fps in (2.0, 3.0, 10.0):
                sampler = FixedRate(fps=fps)
                wanted = [(frame.time, number_of(frame.rgb())) for frame in taken(sampler, stream, stream.frames())]
                frames = taken(sampler, stream, stream.frames(grid=sampler.grid))
                assert [(frame.time, number_of(frame.rgb())) for frame in frames] == wanted

    def test_frames_may_be_iterated_again(self, decoder: VideoDecoder, video: MakeVideo) -> None:
        with decoder.open(str(video("plain.mp4"))) as stream:
            next(iter(stream.frames()))
            once, again = ([frame.time for frame in stream.frames()] for _ in range(2))
            assert once == again
            assert stream.covered_seconds == pytest.approx(3.0)

    @pytest.mark.parametrize("skip", [Skip.NON_REFERENCE, Skip.DRAFT, Skip.NON_KEY])
    def test_skipping_leaves_keyframes_at_their_times(
        self, decoder: VideoDecoder, long_video: Made, skip: Skip
    ) -> None:
        truth = dict(zip(long_video.times, long_video.numbers, strict=True))
        with decoder.open(str(long_video)) as stream:
            found = {frame.time: number_of(frame.rgb()) for frame in stream.frames(skip=skip)}
            assert found.items() <= truth.items()
            assert stream.end_time == long_video.end
            assert stream.damage == ()
        with decoder.open(str(long_video)) as stream:
            assert {frame.time for frame in stream.frames() if frame.is_keyframe} <= set(found)

    @pytest.mark.parametrize("fps", [0.25, 0.9, 3.0])
    @pytest.mark.parametrize("case", CASES)
    def test_a_grid_has_the_frames_on_screen_at_its_points(
        self, decoder: VideoDecoder, video: MakeVideo, case: str, fps: float
    ) -> None:
        made = video(case)
        if case in self.refuses:
            return
        sampler = FixedRate(fps=fps)
        with decoder.open(str(made)) as stream:
            wanted, wanted_until = taken_until(sampler, stream, stream.frames())
            covered = stream.covered_seconds
            found, found_until = taken_until(sampler, stream, stream.frames(grid=sampler.grid))
            assert [frame.time for frame in found] == [frame.time for frame in wanted]
            assert found_until == wanted_until == until_the_last_points(made, sampler, [frame.time for frame in found])
            assert all(np.array_equal(one.rgb(), other.rgb()) for one, other in zip(found, wanted, strict=True))
            assert (stream.damage, stream.end_time, stream.covered_seconds) == ((), made.end, pytest.approx(covered))
            assert len(wanted) <= stream.frames_decoded <= len(made.times)

    @pytest.mark.parametrize("fps", [0.4, 1.0, 2.5])
    def test_a_tolerant_grid_has_a_frame_near_each_point(
        self, decoder: VideoDecoder, long_video: Made, fps: float
    ) -> None:
        sampler = FixedRate(fps=fps, tolerance_seconds=0.5 / fps)
        with decoder.open(str(long_video)) as stream:
            frames = taken(sampler, stream, stream.frames(grid=sampler.grid))
            found = [(frame.time, number_of(frame.rgb())) for frame in frames]
        truth = dict(zip(long_video.times, long_video.numbers, strict=True))
        assert set(found) <= truth.items()
        points = [k / sampler.rate for k in range(int(long_video.end * sampler.rate))]
        assert all(min(abs(point - time) for time, _ in found) <= Fraction(1, 2) / sampler.rate for point in points)
        assert len(found) <= len(points) + 1

    def test_keyframes_are_told(self, decoder: VideoDecoder, video: MakeVideo) -> None:
        with decoder.open(str(video("plain.mp4"))) as stream:
            assert [frame.time for frame in stream.frames() if frame.is_keyframe] == [0, 1, 2]

    @pytest.mark.parametrize("case", ["plain.mp4", "turned-90.mp4"])
    def test_a_picture_has_the_size_that_is_asked_for(self, decoder: VideoDecoder, video: MakeVideo, case: str) -> None:
        with decoder.open(str(video(case))) as stream:
            frame = list(stream.frames())[4]
            for width, height in ((48, 32), (192, 100), (31, 17), (None, 32), (48, None)):
                picture = frame.rgb(width, height)
                assert picture.shape == (height or 64, width or 96, 3)
                assert picture.dtype == np.uint8
                assert not picture.flags.writeable
                assert number_of(picture) == 5

    def test_info_says_what_the_container_says(self, decoder: VideoDecoder, video: MakeVideo) -> None:
        with decoder.open(str(video("turned-90.mp4"))) as stream:
            info = stream.info
        assert (info.width, info.height, info.rotation_degrees) == (96, 64, 90)
        assert (info.codec, info.average_rate, info.duration_seconds) == ("h264", 10, pytest.approx(1.2))
        assert "mp4" in info.container

    def test_colours_are_those_of_the_video(self, decoder: VideoDecoder, video: MakeVideo) -> None:
        with decoder.open(str(video("plain.mp4"))) as stream:
            picture = next(iter(stream.frames())).rgb()
        assert float(np.abs(picture.astype(int) - numbered(1).astype(int)).mean()) < 4

    def test_a_file_that_ends_early_is_damaged(self, decoder: VideoDecoder, long_video: Made, tmp_path: Path) -> None:
        cut = truncated(long_video, tmp_path / "cut.mkv", share=0.5)
        with decoder.open(str(cut)) as stream:
            found = [(frame.time, number_of(frame.rgb())) for frame in stream.frames()]
            truth = dict(zip(long_video.times, long_video.numbers, strict=True))
            assert 80 < len(found) < 170
            assert dict(found).items() <= truth.items()
            assert stream.covered_seconds < 7
            assert "container states 10.000 s" in "; ".join(stream.damage)

    def test_a_closed_stream_gives_no_frames(self, decoder: VideoDecoder, video: MakeVideo) -> None:
        stream = decoder.open(str(video("plain.mp4")))
        frames = iter(stream.frames())
        next(frames)
        stream.close()
        stream.close()
        assert list(frames) == []
        with pytest.raises(ValueError, match="closed"):
            stream.frames()

    def test_a_decoder_travels_to_other_processes(self, decoder: VideoDecoder) -> None:
        assert pickle.loads(pickle.dumps(decoder)) == decoder

    @pytest.mark.parametrize(
        "name", ["sp ace.mp4", "new\nline.mp4", "-dash.mp4", 'it\'s "q".mp4', "видео.mp4", "%03d.mp4"]
    )
    def test_any_name_is_opened(
        self, decoder: VideoDecoder, video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        (tmp_path / name).write_bytes(video("plain.mp4").path.read_bytes())
        monkeypatch.chdir(tmp_path)
        with decoder.open(name) as stream:
            assert sum(1 for _ in stream.frames()) == 30
            assert stream.info.uri == name

    def test_what_is_no_file_is_not_found(self, decoder: VideoDecoder, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "fifo.mp4")
        (tmp_path / "folder").mkdir()
        (tmp_path / "link.mp4").symlink_to("nowhere.mp4")
        expected = {
            tmp_path / "missing.mp4": "no such file",
            tmp_path / "fifo.mp4": "a FIFO, not a regular file",
            tmp_path / "link.mp4": "a broken link to 'nowhere.mp4'",
            tmp_path / "folder": "a folder without videos",
            Path("/dev/null"): "a device, not a regular file",
        }
        for path, problem in expected.items():
            with pytest.raises(VideoNotFoundError, match=problem):
                decoder.open(str(path))

    def test_what_is_no_video_is_refused(self, decoder: VideoDecoder, tmp_path: Path) -> None:
        Image.fromarray(numbered(1)).save(tmp_path / "picture.png")
        (tmp_path / "picture.png").rename(tmp_path / "picture.mp4")
        (tmp_path / "empty.mp4").touch()
        (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(1).bytes(20_000))
        make_sound(tmp_path / "sound.m4a")
        make_sound(tmp_path / "cover.mp4", cover=True)
        expected = {
            "picture.mp4": "a still image, not a video",
            "empty.mp4": "the file is empty",
            "noise.mp4": "not a video file",
            "sound.m4a": "no video stream, only audio",
            "cover.mp4": "no video stream, only audio and a cover picture",
        }
        for name, problem in expected.items():
            with pytest.raises(UnsupportedVideoError, match=problem):
                decoder.open(str(tmp_path / name))

    @pytest.mark.parametrize("is_text", [True, False])
    @pytest.mark.parametrize(
        "playlist",
        [
            "ffconcat version 1.0\nfile 'canary.mp4'\n",
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\ncanary.mp4\n#EXT-X-ENDLIST\n",
            "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
        ],
    )
    def test_a_playlist_never_reads_another_file(
        self, decoder: VideoDecoder, video: MakeVideo, tmp_path: Path, playlist: str, is_text: bool
    ) -> None:
        (tmp_path / "canary.mp4").write_bytes(video("plain.mp4").path.read_bytes())
        trap = tmp_path / "trap.mp4"
        trap.write_bytes(playlist.encode() + (b"" if is_text else b"#\0\xff\n"))
        with pytest.raises(VideoError, match="not a video"):
            decoder.open(str(trap))
