"""The generated videos that the decoder suite runs on."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path

from matroska_factory import as_video_for_windows
from packed_factory import make_packed
from video_factory import Made, make_two_videos, make_video, remuxed, steady

__all__ = ["B_FRAMES", "CATALOGUE", "MILLISECOND"]

MILLISECOND = Fraction(1, 1000)
UNEVEN = [Fraction(hundredths, 100) for hundredths in (0, 4, 8, 100, 110, 300, 310, 320)]
SLIDES = [Fraction(hundredths, 100) for hundredths in (0, 1000, 1001, 3003, 3500, 3999)]
B_FRAMES = {"bf": "3", "preset": "medium"}


def _edited(path: Path, options: dict[str, str]) -> Made:
    whole = make_video(path.with_name(f"whole-{path.name}"), steady(30), options=options)
    return remuxed(whole, path, dropped=5)


def _for_windows(path: Path) -> Made:
    plain = make_video(
        path.with_suffix(".avi"), steady(30), codec="mpeg4", options={"bf": "2"}, time_base=Fraction(1, 10)
    )
    return as_video_for_windows(plain, path)


# What the decoder suite is run on: file name -> how it is made.
CATALOGUE: dict[str, Callable[[Path], Made]] = {
    "plain.mp4": partial(make_video, times=steady(30)),
    "b-frames.mp4": partial(make_video, times=steady(30), options=B_FRAMES),
    "intra-refresh.mp4": partial(
        make_video,
        times=steady(40),
        options={"preset": "medium", "x264-params": "intra-refresh=1:keyint=10:bframes=0:scenecut=0"},
    ),
    "hevc-all-flagged.mp4": partial(make_video, times=steady(30), codec="libx265", flagged=range(30)),
    "mpeg4-all-flagged.mp4": partial(
        make_video, times=steady(30), codec="mpeg4", time_base=Fraction(1, 10), flagged=range(30)
    ),
    "ntsc.mp4": partial(
        make_video, times=steady(40, Fraction(24000, 1001)), time_base=Fraction(1, 24000), options=B_FRAMES
    ),
    "uneven.mp4": partial(make_video, times=UNEVEN, last_duration=Fraction(2)),
    "uneven.mkv": partial(make_video, times=UNEVEN, last_duration=Fraction(2), time_base=MILLISECOND),
    "starts-at-10.mkv": partial(make_video, times=steady(30, 10, 10), zero=Fraction(10)),
    "starts-at-1.5.mp4": partial(make_video, times=steady(30, 10, Fraction(3, 2)), zero=Fraction(3, 2)),
    "transport.ts": partial(make_video, times=steady(30, 10, Fraction(3, 2)), zero=Fraction(3, 2)),
    "after-its-sound.mp4": partial(make_video, times=steady(30, 10, Fraction(1, 2)), audio=(Fraction(0), Fraction(4))),
    "sound-first.mkv": partial(
        make_video,
        times=steady(30),
        time_base=MILLISECOND,
        options=B_FRAMES,
        audio=(Fraction(0), Fraction(3)),
        sound_first=True,
    ),
    "turned-90.mp4": partial(make_video, times=steady(12), rotation=90),
    "turned-180.mp4": partial(make_video, times=steady(12), rotation=180),
    "turned-270.mp4": partial(make_video, times=steady(12), rotation=270),
    "mirrored.mp4": partial(make_video, times=steady(12), mirrored=True),
    "mirrored-and-turned.mp4": partial(make_video, times=steady(12), mirrored=True, rotation=90),
    "vp9.webm": partial(make_video, times=steady(20), codec="libvpx-vp9", time_base=MILLISECOND),
    "vp8-odd-size.webm": partial(make_video, times=steady(20), codec="libvpx", size=(97, 65), time_base=MILLISECOND),
    "av1.mp4": partial(make_video, times=steady(8), codec="libsvtav1"),
    "hevc-10-bit.mp4": partial(make_video, times=steady(12), codec="libx265", pixel_format="yuv420p10le"),
    "chroma-444.mp4": partial(make_video, times=steady(12), pixel_format="yuv444p"),
    "grey.mp4": partial(make_video, times=steady(12), pixel_format="gray"),
    "ffv1-odd-size.mkv": partial(
        make_video, times=steady(12), codec="ffv1", size=(97, 65), pixel_format="yuv444p", time_base=MILLISECOND
    ),
    "mpeg4.avi": partial(make_video, times=steady(12), codec="mpeg4", time_base=Fraction(1, 10)),
    "h264.avi": partial(make_video, times=steady(30), time_base=Fraction(1, 10)),
    "h264-b-frames.avi": partial(make_video, times=steady(30), time_base=Fraction(1, 10), options=B_FRAMES),
    "mpeg4-b-frames.avi": partial(
        make_video, times=steady(30), codec="mpeg4", time_base=Fraction(1, 10), options={"bf": "2"}
    ),
    "packed-b-frames.avi": partial(make_packed, count=40, waiting=(1, 3)),
    "packed-b-frames.mp4": partial(make_packed, count=40),
    "packed-b-frames.mkv": partial(make_packed, count=40, waiting=(1,)),
    "for-windows.mkv": _for_windows,
    "b-frames.asf": partial(make_video, times=steady(30), time_base=MILLISECOND, options=B_FRAMES),
    "mpeg2.mpg": partial(make_video, times=steady(25, 25), codec="mpeg2video", time_base=Fraction(1, 25)),
    "animation.gif": partial(
        make_video, times=steady(12), codec="gif", pixel_format="rgb8", time_base=Fraction(1, 100)
    ),
    "slides.mp4": partial(make_video, times=SLIDES, last_duration=Fraction(20)),
    "slides.mkv": partial(
        make_video, times=SLIDES, last_duration=Fraction(20), time_base=MILLISECOND, options=B_FRAMES
    ),
    "slides.webm": partial(
        make_video, times=SLIDES, last_duration=Fraction(20), time_base=MILLISECOND, codec="libvpx", keyframe_every=2
    ),
    "slides.gif": partial(
        make_video,
        times=SLIDES,
        last_duration=Fraction(20),
        codec="gif",
        pixel_format="rgb8",
        time_base=Fraction(1, 100),
    ),
    "one-frame.mp4": partial(make_video, times=steady(1)),
    "one-frame.gif": partial(make_video, times=steady(1), codec="gif", pixel_format="rgb8", time_base=Fraction(1, 100)),
    "no-duration.mkv": partial(make_video, times=steady(30), time_base=MILLISECOND, muxer_options={"live": "1"}),
    "fragments.mp4": partial(make_video, times=steady(30), muxer_options={"movflags": "frag_keyframe+empty_moov"}),
    "two-streams.mkv": partial(make_two_videos, times=steady(20)),
    "edit-list.mp4": partial(_edited, options={}),
    "edit-list-b-frames.mp4": partial(_edited, options=B_FRAMES),
}
