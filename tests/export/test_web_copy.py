"""What browsers play as it is, and copies of everything else: the same pictures at the same times."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
from video_factory import Made, make_video, number_of, steady

from pipeline.export.web_copy import WebForm, export_remuxed, web_form
from pipeline.io.settings import Fetching
from pipeline.video import IndexedVideos, content_id
from pipeline.video.pyav.decoder import PyAVDecoder

B_FRAMES = {"bf": "2"}


def form_of(path: Path) -> WebForm:
    with PyAVDecoder().open(str(path)) as stream:
        return web_form(stream)


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format", "form"),
    [
        ("a.mp4", "libx264", "yuv420p", WebForm.AS_IS),
        ("a.mov", "libx264", "yuv420p", WebForm.AS_IS),
        ("a.mkv", "libx264", "yuv420p", WebForm.REMUXED),
        ("a.flv", "libx264", "yuv420p", WebForm.REMUXED),
        ("a.ts", "libx264", "yuv420p", WebForm.REMUXED),
        ("a.webm", "libvpx-vp9", "yuv420p", WebForm.AS_IS),
        ("a.mkv", "libvpx-vp9", "yuv420p", WebForm.REMUXED),
        ("a.webm", "libvpx", "yuv420p", WebForm.AS_IS),
        ("a.mkv", "libvpx", "yuv420p", WebForm.ENCODED),
        ("a.mp4", "libx264", "yuv422p", WebForm.ENCODED),
        ("a.mp4", "libx264", "yuv420p10le", WebForm.ENCODED),
        ("a.mp4", "libx265", "yuv420p", WebForm.ENCODED),
        ("a.mkv", "libx265", "yuv420p", WebForm.ENCODED),
        ("a.mp4", "mpeg4", "yuv420p", WebForm.ENCODED),
        ("a.avi", "libx264", "yuv420p", WebForm.ENCODED),
        ("a.mpg", "mpeg2video", "yuv420p", WebForm.ENCODED),
    ],
)
def test_the_form_of_a_file(tmp_path: Path, name: str, codec: str, pixel_format: str, form: WebForm) -> None:
    rate, base = (25, Fraction(1, 25)) if name.endswith((".avi", ".mpg")) else (10, Fraction(1, 1000))
    made = make_video(tmp_path / name, steady(12, rate), codec=codec, pixel_format=pixel_format, time_base=base)
    assert form_of(made.path) is form


def test_a_clock_that_starts_late_is_moved(tmp_path: Path) -> None:
    made = make_video(
        tmp_path / "a.mp4", steady(12, 10, start=2), muxer_options={"use_editlist": "0"}, zero=Fraction(2)
    )
    expected = WebForm.AS_IS if PyAVDecoder().open(str(made.path)).info.start_time == 0 else WebForm.REMUXED
    assert form_of(made.path) is expected


def remux(made: Made, folder: Path) -> Path:
    target, video_id = folder / "copy.mp4", content_id(str(made.path))
    videos = IndexedVideos(PyAVDecoder(), Fetching(), lambda _: [str(made.path)])
    export_remuxed(videos, video_id, target, end_seconds=float(made.end))
    return target


def shown(path: Path) -> list[tuple[float, int]]:
    with PyAVDecoder().open(str(path)) as stream:
        return [(round(float(frame.time), 3), number_of(frame.rgb())) for frame in stream.frames()]


@pytest.mark.parametrize("options", [{}, B_FRAMES], ids=["plain", "reordered"])
@pytest.mark.parametrize(
    ("name", "codec", "audio"),
    [
        ("a.mkv", "libx264", None),
        ("a.mkv", "libx264", (Fraction(0), Fraction(3))),
        ("a.ts", "libx264", (Fraction(2), Fraction(5))),
        ("a.flv", "libx264", None),
        ("a.mkv", "libvpx-vp9", None),
    ],
)
def test_a_remuxed_copy_shows_the_same_pictures_at_the_same_times(
    tmp_path: Path, name: str, codec: str, audio: tuple[Fraction, Fraction] | None, options: dict[str, str]
) -> None:
    start = 2 if name == "a.ts" else 0
    given = options if codec == "libx264" else {}
    times = steady(30, 10, start)
    made = make_video(
        tmp_path / name,
        times,
        codec=codec,
        options=given,
        audio=audio,
        zero=Fraction(start),
        time_base=Fraction(1, 1000),
    )
    copy = remux(made, tmp_path)
    found, expected = shown(copy), shown(made.path)
    assert [number for _, number in found] == [number for _, number in expected] == list(made.numbers)
    assert [time for time, _ in found] == pytest.approx([time for time, _ in expected], abs=0.0011)
    with av.open(str(copy)) as container:
        assert container.format.name.startswith("mov,mp4")
        assert [sound.codec_context.name for sound in container.streams.audio] == (["aac"] if audio else [])


def test_what_cannot_be_remuxed_is_encoded(tmp_path: Path) -> None:
    made = make_video(tmp_path / "a.mkv", steady(12), codec="ffv1", time_base=Fraction(1, 1000))
    assert [number for _, number in shown(remux(made, tmp_path))] == list(made.numbers)


def test_rotation_is_kept(tmp_path: Path) -> None:
    made = make_video(tmp_path / "a.mkv", steady(12), rotation=90, time_base=Fraction(1, 1000))
    copy = remux(made, tmp_path)
    assert [number for _, number in shown(copy)] == list(made.numbers)
