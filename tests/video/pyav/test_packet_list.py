from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from video_factory import damaged, make_video, number_of, steady

from pipeline.types import Skip
from pipeline.video import Decoding, make_decoder
from pipeline.video.pyav.decoder import PyAVDecoder

OPEN_GROUPS = {"bf": "3", "preset": "medium", "x264-params": "open-gop=1:b-pyramid=normal:scenecut=0"}
CODECS = [
    ("libx264", {}, "closed.mp4"),
    ("libx264", {"bf": "3", "preset": "medium"}, "pyramid.mkv"),
    ("libx264", OPEN_GROUPS, "open.mp4"),
    ("libx265", {"preset": "medium", "x265-params": "log-level=none:open-gop=1"}, "open.mkv"),
    ("mpeg2video", {"bf": "2"}, "old.mpg"),
    ("libvpx-vp9", {"deadline": "good", "cpu-used": "5", "lag-in-frames": "12", "auto-alt-ref": "1"}, "alt.webm"),
    ("mjpeg", {}, "intra.mkv"),
]
SPANS = [(Fraction(0), Fraction(1, 20)), (Fraction(7, 10), Fraction(21, 10)), (Fraction(32, 10), Fraction(33, 10))]


@pytest.mark.parametrize(("codec", "options", "name"), CODECS)
def test_frames_of_spans_are_those_that_all_frames_show(
    tmp_path: Path, codec: str, options: dict[str, str], name: str
) -> None:
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    rate = 25 if codec == "mpeg2video" else 10
    base = Fraction(1, 25) if codec == "mpeg2video" else Fraction(1, 90_000)
    made = make_video(
        tmp_path / name, steady(60, rate), codec=codec, options=options, pixel_format=pixels, time_base=base
    )
    with PyAVDecoder().open(str(made)) as stream:
        if stream.packets() is None:
            pytest.skip("the container does not say when its packets are shown")
        wanted = [
            (frame.time, number_of(frame.rgb()))
            for frame in stream.frames()
            if any(start <= frame.time < end for start, end in SPANS)
        ]
        shown = [(frame.time, number_of(frame.rgb())) for frame in stream.frames_within(SPANS)]
        assert shown == wanted
        assert stream.damage == ()


def test_groups_without_a_wanted_frame_are_not_decoded(tmp_path: Path) -> None:
    made = make_video(tmp_path / "film.mp4", steady(60))
    with PyAVDecoder().open(str(made)) as stream:
        packets = stream.packets()
        assert packets is not None
        assert (len(packets), len(packets.groups)) == (60, 6)
        times = [frame.time for frame in stream.frames_within([(Fraction(2), Fraction(21, 10))], skip=Skip.DRAFT)]
        assert times == [2]
        assert stream.frames_decoded == 1
        assert stream.end_time == made.end


def test_damage_where_frames_are_wanted_is_told_of(tmp_path: Path) -> None:
    made = make_video(tmp_path / "film.mp4", steady(60), noise=40)
    broken = damaged(made, tmp_path / "broken.mp4", packets=[10])
    with PyAVDecoder().open(str(broken)) as stream:
        assert list(stream.frames_within([(Fraction(1), Fraction(2))])) is not None
        assert stream.damage


@pytest.mark.parametrize("backend", ["decord", "opencv"])
def test_backends_that_decode_every_frame_list_no_packets(tmp_path: Path, backend: str) -> None:
    made = make_video(tmp_path / "film.mp4", steady(10))
    with make_decoder(Decoding.model_validate({"backend": backend})).open(str(made)) as stream:
        assert stream.packets() is None
        with pytest.raises(ValueError, match="decodes every frame"):
            stream.frames_within([])


@pytest.mark.parametrize("skip", [Skip.NON_REFERENCE, Skip.DRAFT])
@pytest.mark.parametrize("options", [{"bf": "2"}, OPEN_GROUPS], ids=["closed", "open"])
def test_frames_that_may_be_left_out_are_so_within_spans_too(
    tmp_path: Path, skip: Skip, options: dict[str, str]
) -> None:
    made = make_video(tmp_path / "film.mp4", steady(60), options=options)
    with PyAVDecoder().open(str(made)) as stream:
        left = [frame.time for frame in stream.frames(skip=skip)]
        wanted = [time for time in left if any(start <= time < end for start, end in SPANS)]
        all_within = sum(1 for time in made.times if any(start <= time < end for start, end in SPANS))
        assert [frame.time for frame in stream.frames_within(SPANS, skip=skip)] == wanted
        assert 0 < len(wanted) < all_within
        assert stream.damage == ()
