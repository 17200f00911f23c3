"""A clip has its video's proportions, colours and sound: it is decoded again and held against the source."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clip_sources import change_seconds, clip_of, colours_of, rgb_at, sound_of, tone, write

from pipeline.errors import VideoError

COLOURS = {
    "bt709": {"matrix": 1, "primaries": 1, "transfer": 1, "full": False},
    "bt709-full": {"matrix": 1, "primaries": 1, "transfer": 1, "full": True},
    "bt601": {"matrix": 6, "primaries": 6, "transfer": 6, "full": False},
    "bt601-full": {"matrix": 5, "primaries": 5, "transfer": 6, "full": True},
    "bt2020": {"matrix": 9, "primaries": 9, "transfer": 14, "full": False},
    "untagged": {},
}
FORMATS = {
    "vp9.webm": {"codec": "libvpx-vp9", "matrix": 1, "full": False},
    "mpeg2.ts": {"codec": "mpeg2video", "matrix": 1, "primaries": 1, "transfer": 1, "full": False},
    "mjpeg.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p", "matrix": 5, "full": True},
    "prores.mov": {"codec": "prores_ks", "pixel_format": "yuv422p10le", "matrix": 1, "full": False},
    "ffv1-444.mkv": {"codec": "ffv1", "pixel_format": "yuv444p", "matrix": 1, "full": True},
    "ffv1-grey.mkv": {"codec": "ffv1", "pixel_format": "gray"},
    "ffv1-rgb.mkv": {"codec": "ffv1", "pixel_format": "bgr0"},
    "png.mov": {"codec": "png", "pixel_format": "rgb24"},
    "x264-rgb.mp4": {"codec": "libx264rgb", "pixel_format": "rgb24", "matrix": 0},
    "rawvideo.avi": {"codec": "rawvideo", "pixel_format": "yuv420p"},
}


def close(source: Path, clip: Path, *, levels: int = 5) -> None:
    given, made = colours_of(rgb_at(source, 1.5)), colours_of(rgb_at(clip, 0.5))
    assert np.abs(given - made).max() <= levels, np.abs(given - made)


@pytest.mark.parametrize("name", COLOURS)
def test_a_clip_has_the_colours_of_its_video_and_their_tags(tmp_path: Path, name: str) -> None:
    source = write(tmp_path / "a.mp4", options={"crf": "5"}, **COLOURS[name])
    clip = clip_of(source, tmp_path, 1.0, 2.0)
    close(source, clip)
    with av.open(str(source)) as given, av.open(str(clip)) as made:
        contexts = [container.streams.video[0].codec_context for container in (given, made)]
        for tag in ("colorspace", "color_primaries", "color_trc", "color_range"):
            assert getattr(contexts[0], tag) == getattr(contexts[1], tag), tag


@pytest.mark.parametrize("name", FORMATS)
def test_colours_are_kept_whatever_the_format(tmp_path: Path, name: str) -> None:
    source = write(tmp_path / name, **FORMATS[name])
    clip = clip_of(source, tmp_path, 1.0, 2.0)
    close(source, clip, levels=8)
    with av.open(str(clip)) as made:
        context = made.streams.video[0].codec_context
        assert context.pix_fmt in ("yuv420p", "yuvj420p")
        if "rgb" in name or "png" in name:
            assert (context.colorspace, context.color_primaries, context.color_range) == (1, 1, 1)


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_keeps_its_depth_and_its_tags(tmp_path: Path, transfer: int) -> None:
    hdr = {"pixel_format": "yuv420p10le", "matrix": 9, "primaries": 9, "transfer": transfer, "full": False}
    source = write(tmp_path / "hdr.mp4", **hdr)
    with av.open(str(clip_of(source, tmp_path, 1.0, 2.0))) as made:
        context = made.streams.video[0].codec_context
        assert context.pix_fmt == "yuv420p10le"
        assert (context.colorspace, context.color_primaries, context.color_trc) == (9, 9, transfer)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "avi"])
def test_pixels_keep_their_proportions(tmp_path: Path, suffix: str) -> None:
    source = write(tmp_path / f"a.{suffix}", aspect=Fraction(4, 3), codec="mpeg4" if suffix == "avi" else "libx264")
    with av.open(str(clip_of(source, tmp_path, 1.0, 2.0))) as made:
        assert made.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
        assert (made.streams.video[0].width, made.streams.video[0].height) == (140, 64)


@pytest.mark.parametrize("rotation", [90, 180, 270])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le"])
def test_a_turned_video_is_upright_with_its_proportions(tmp_path: Path, rotation: int, pixel_format: str) -> None:
    tags = {"matrix": 9, "primaries": 9, "transfer": 16, "full": False}
    source = write(tmp_path / "a.mp4", rotation=rotation, aspect=Fraction(4, 3), pixel_format=pixel_format, **tags)
    clip = clip_of(source, tmp_path, 1.0, 2.0)
    close(source, clip, levels=8)
    with av.open(str(clip)) as made:
        stream = made.streams.video[0]
        frame = next(made.decode(stream))
        assert (stream.width, stream.height, frame.rotation) == (140, 64, 0)
        assert stream.sample_aspect_ratio == (Fraction(4, 3) if rotation == 180 else Fraction(3, 4))


def test_odd_sizes_become_even_and_keep_their_colours(tmp_path: Path) -> None:
    source = write(tmp_path / "odd.mkv", codec="ffv1", size=(141, 65), matrix=1, full=False)
    clip = clip_of(source, tmp_path, 1.0, 2.0)
    close(source, clip)
    assert rgb_at(clip, 0.5).shape == (64, 140, 3)


SOUNDS = {
    "aac.mp4": {"codec": "aac"},
    "alac.mov": {"codec": "alac"},
    "pcm.mov": {"codec": "pcm_s16le", "rate": 44_100},
    "opus.webm": {"codec": "libopus"},
    "ac3.mkv": {"codec": "ac3", "layout": "5.1"},
    "flac.mkv": {"codec": "flac", "rate": 96_000, "layout": "mono"},
    "mp2.ts": {"codec": "mp2"},
    "mp3.mkv": {"codec": "libmp3lame", "rate": 44_100},
    "aac-low.mp4": {"codec": "aac", "rate": 22_050, "layout": "mono"},
    "pcm-low.avi": {"codec": "pcm_s16le", "rate": 8_000, "layout": "mono"},
    "pcm-odd.mkv": {"codec": "pcm_s24le", "rate": 37_800, "layout": "6.1"},
    "aac.flv": {"codec": "aac", "rate": 44_100},
}
VIDEO_OF = {"webm": "libvpx-vp9", "avi": "mpeg4"}


@pytest.mark.parametrize("start", [0.5, 1.3])
@pytest.mark.parametrize("name", SOUNDS)
def test_sound_is_in_the_clip_when_it_is_in_the_video(tmp_path: Path, name: str, start: float) -> None:
    codec = VIDEO_OF.get(name.rpartition(".")[2], "libx264")
    source = write(tmp_path / name, codec=codec, sounds=[tone(**SOUNDS[name])])
    samples, rate, first = sound_of(clip_of(source, tmp_path, start, 2.6))
    assert change_seconds(samples, rate) + first == pytest.approx(2.0 - start, abs=0.025)
    assert len(samples) / rate + first == pytest.approx(2.6 - start, abs=0.05)


def test_a_moment_far_into_a_long_video_has_its_own_sound(tmp_path: Path) -> None:
    source = write(tmp_path / "long.mp4", seconds=40, sounds=[tone(changes_at=31.7, end=40.0)])
    samples, rate, first = sound_of(clip_of(source, tmp_path, 31.0, 33.0))
    assert change_seconds(samples, rate) + first == pytest.approx(0.7, abs=0.025)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_sound_that_begins_late_comes_late(tmp_path: Path, suffix: str) -> None:
    source = write(tmp_path / f"late.{suffix}", sounds=[tone(start=1.5)])
    samples, rate, first = sound_of(clip_of(source, tmp_path, 1.0, 2.6))
    assert first == pytest.approx(0.0, abs=0.03)
    assert np.abs(samples[: int(0.44 * rate)]).max() < 0.05
    assert np.abs(samples[int(0.56 * rate) : int(0.7 * rate)]).max() > 0.3
    assert change_seconds(samples[int(0.56 * rate) :], rate) + 0.56 == pytest.approx(1.0, abs=0.025)


def test_sound_that_is_over_ends_the_sound_and_not_the_pictures(tmp_path: Path) -> None:
    source = write(tmp_path / "short.mp4", sounds=[tone(changes_at=0.5, end=1.0)])
    clip = clip_of(source, tmp_path, 0.2, 2.0)
    samples, rate, _ = sound_of(clip)
    assert len(samples) / rate == pytest.approx(0.8, abs=0.05)
    assert change_seconds(samples, rate) == pytest.approx(0.3, abs=0.025)
    with av.open(str(clip)) as made:
        assert sum(1 for _ in made.decode(video=0)) == 45


@pytest.mark.parametrize("start", [0.6, 3.6, 6.6])
def test_joined_streams_keep_sound_and_pictures_together(tmp_path: Path, start: float) -> None:
    parts = [
        write(tmp_path / f"{number}.ts", sounds=[tone(changes_at=2.0 - 0.2 * number)]).read_bytes()
        for number in range(3)
    ]
    source = tmp_path / "joined.ts"
    source.write_bytes(b"".join(parts))
    part = int(start // 3)
    samples, rate, first = sound_of(clip_of(source, tmp_path, start, start + 2.0))
    assert change_seconds(samples, rate) + first == pytest.approx(3 * part + 2.0 - 0.2 * part - start, abs=0.06)


@pytest.mark.parametrize(("start", "sounds"), [(1.5, [tone(end=1.0)]), (0.5, [])])
def test_no_sound_gives_no_track(tmp_path: Path, start: float, sounds: list) -> None:
    source = write(tmp_path / "a.mp4", sounds=sounds)
    with av.open(str(clip_of(source, tmp_path, start, 2.5))) as made:
        assert not made.streams.audio


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_the_default_track_is_heard(tmp_path: Path, suffix: str) -> None:
    quiet = tone(low=100.0, high=150.0, is_default=False)
    source = write(tmp_path / f"two.{suffix}", sounds=[quiet, tone(is_default=True)])
    clip = clip_of(source, tmp_path, 1.0, 2.6)
    samples, rate, first = sound_of(clip)
    assert change_seconds(samples, rate) + first == pytest.approx(1.0, abs=0.025)
    with av.open(str(clip)) as made:
        assert len(made.streams.audio) == 1


@pytest.mark.parametrize("codec", ["aac", "ac3", "flac", "libopus", "libmp3lame"])
def test_damaged_sound_fails_no_clip(tmp_path: Path, codec: str) -> None:
    source = write(tmp_path / "a.mkv", sounds=[tone(codec=codec)])
    content = bytearray(source.read_bytes())
    with av.open(str(source)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(audio=0) if packet.size]
    for position, size in places[10:-10:2]:
        content[position + 12 : position + size] = b"\xa5" * (size - 12)
    source.write_bytes(content)
    with av.open(str(clip_of(source, tmp_path, 0.6, 2.6))) as made:
        # MKV's clock may begin with the sound's run-up.
        assert 50 <= sum(1 for _ in made.decode(video=0)) <= 52


@pytest.mark.parametrize(("start", "end", "frames"), [(1.0, 2.0, 25), (1.01, 1.13, 4), (2.9, 4.5, 3)])
def test_a_clip_is_exactly_as_long_as_the_moment(tmp_path: Path, start: float, end: float, frames: int) -> None:
    source = write(tmp_path / "a.mp4")
    with av.open(str(clip_of(source, tmp_path, start, end))) as made:
        stream = made.streams.video[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(end - start, abs=1e-4)
        decoded = list(made.decode(stream))
        assert (len(decoded), decoded[0].time) == (frames, 0)


def test_a_clip_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    source = write(tmp_path / "a.mp4")
    with pytest.raises(VideoError, match="no frame between"):
        clip_of(source, tmp_path, 50, 60)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_clip_with_sound_is_exactly_as_long_as_the_moment(tmp_path: Path) -> None:
    source = write(tmp_path / "a.mp4", sounds=[tone()])
    with av.open(str(clip_of(source, tmp_path, 0.31, 1.77))) as made:
        video, audio = made.streams.video[0], made.streams.audio[0]
        assert float(video.duration * video.time_base) == pytest.approx(1.46, abs=0.001)
        assert float(audio.duration * audio.time_base) == pytest.approx(1.46, abs=0.03)
