"""Which files are opened, and by which name the others are refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext
from PIL import Image
from video_factory import Made, make_video, number_of, numbered, steady

from pipeline.errors import UnsupportedVideoError
from pipeline.video.pyav.decoder import PyAVDecoder
from pipeline.video.refusals import CONTAINERS

FRAME = Fraction(1, 25)
COUNT = 30
STREAMS = [
    ("raw.h264", "libx264", {}, None),
    ("b-frames.264", "libx264", {"bf": "3", "preset": "medium"}, "h264"),
    ("raw.hevc", "libx265", {}, None),
    ("raw.h265", "libx265", {}, "hevc"),
    ("raw.m2v", "mpeg2video", {}, None),
    ("raw.mjpeg", "mjpeg", {}, None),
    ("pictures.mjpg", "mjpeg", {}, "mjpeg"),
    ("pictures.avi", "mjpeg", {}, "mjpeg"),
    ("raw.obu", "libsvtav1", {}, None),
    ("elementary.m4v", "mpeg4", {}, "m4v"),
    ("flash.swf", "flv", {}, None),
    ("camera.mp4", "libx264", {}, "h264"),
]
ENCRYPTION = {
    "encryption_scheme": "cenc-aes-ctr",
    "encryption_key": "00112233445566778899aabbccddeeff",
    "encryption_kid": "11" * 16,
}
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}


def stream_of(folder: Path, name: str, codec: str, options: dict[str, str], form: str | None) -> Path:
    """A stream in its own container, or without any, under a name that may say something else."""
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    suffix = f".{form}" if form else Path(name).suffix
    path = folder / f"made{suffix}"
    if form == "m4v":
        mp4 = make_video(folder / "made.mp4", steady(COUNT, 25), codec=codec, time_base=FRAME)
        with av.open(str(mp4)) as source, av.open(str(path), "w", format="m4v") as target:
            copy = target.add_stream_from_template(source.streams.video[0])
            headers = BitStreamFilterContext("dump_extra", source.streams.video[0])
            for packet in source.demux(video=0):
                for each in headers.filter(packet if packet.size else None):
                    each.stream = copy
                    target.mux(each)
    else:
        make_video(path, steady(COUNT, 25), codec=codec, options=options, time_base=FRAME, pixel_format=pixels)
    return path.rename(folder / name)


@pytest.mark.parametrize(("name", "codec", "options", "form"), STREAMS)
def test_streams_without_a_container_are_opened(
    tmp_path: Path, name: str, codec: str, options: dict[str, str], form: str | None
) -> None:
    with PyAVDecoder().open(str(stream_of(tmp_path, name, codec, options, form))) as stream:
        found = [(frame.time, number_of(frame.rgb())) for frame in stream.frames()]
        assert [number for _, number in found] == [*range(1, COUNT + 1)]
        assert len({after - before for (before, _), (after, _) in pairwise(found)}) == 1
        assert stream.damage == ()
        assert stream.info.duration_seconds is None


@pytest.mark.parametrize("colours", ["mono", "420"])
def test_grey_pictures_without_compression_are_no_text(tmp_path: Path, colours: str) -> None:
    pictures = [np.full((64, 96), 65 + number, np.uint8).tobytes() for number in range(5)]
    chroma = b"z" * (64 * 96 // 2) if colours == "420" else b""
    (tmp_path / "grey.y4m").write_bytes(
        f"YUV4MPEG2 W96 H64 F10:1 Ip A1:1 C{colours}\n".encode()
        + b"".join(b"FRAME\n" + picture + chroma for picture in pictures)
    )
    with PyAVDecoder().open(str(tmp_path / "grey.y4m")) as stream:
        assert [frame.time for frame in stream.frames()] == steady(5)
        assert stream.damage == ()


@pytest.mark.parametrize("padding", [b"\0", b"\xff"])
@pytest.mark.parametrize(("name", "codec"), [("a.ts", "libx264"), ("a.m2ts", "libx264"), ("a.mpg", "mpeg2video")])
def test_a_recording_in_reserved_space_ends_where_its_content_does(
    tmp_path: Path, name: str, codec: str, padding: bytes
) -> None:
    made = make_video(tmp_path / name, steady(50, 25), codec=codec, time_base=FRAME)
    padded = tmp_path / f"padded-{name}"
    padded.write_bytes(made.path.read_bytes() + padding * 3_000_000)
    check_same(made, padded)


@pytest.mark.parametrize(
    ("name", "codec", "time_base"),
    [
        ("a.mp4", "libx264", Fraction(1, 90_000)),
        ("a.mkv", "libx264", Fraction(1, 1000)),
        ("a.avi", "mpeg4", FRAME),
        ("a.flv", "flv", Fraction(1, 1000)),
    ],
)
def test_zeros_after_other_containers_are_no_damage(tmp_path: Path, name: str, codec: str, time_base: Fraction) -> None:
    made = make_video(tmp_path / name, steady(50, 25), codec=codec, time_base=time_base)
    padded = tmp_path / f"padded-{name}"
    padded.write_bytes(made.path.read_bytes() + bytes(3_000_000))
    check_same(made, padded)


def check_same(made: Made, padded: Path) -> None:
    """The same frames, times and lengths, before and after a file was padded."""
    with PyAVDecoder().open(str(made)) as plain, PyAVDecoder().open(str(padded)) as stream:
        wanted = [(frame.time, number_of(frame.rgb())) for frame in plain.frames()]
        assert [(frame.time, number_of(frame.rgb())) for frame in stream.frames()] == wanted
        assert len(wanted) == 50
        assert (stream.damage, stream.end_time) == ((), plain.end_time)
        assert stream.info.duration_seconds == plain.info.duration_seconds


def test_damage_before_the_padding_is_still_damage(tmp_path: Path) -> None:
    made = make_video(tmp_path / "a.ts", steady(50, 25), noise=40)
    content = bytearray(made.path.read_bytes())
    content[len(content) // 3 : len(content) // 2] = b"\xa5" * (len(content) // 2 - len(content) // 3)
    (tmp_path / "b.ts").write_bytes(content + bytes(100_000))
    with PyAVDecoder().open(str(tmp_path / "b.ts")) as stream:
        assert len(list(stream.frames())) < 50
        assert stream.damage


def check_refused(path: Path, problem: str) -> None:
    with pytest.raises(UnsupportedVideoError, match=problem):
        PyAVDecoder().open(str(path))


@pytest.mark.parametrize("options", [{}, FRAGMENTS])
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_an_encrypted_video_is_refused_as_such(tmp_path: Path, codec: str, options: dict[str, str]) -> None:
    made = make_video(tmp_path / "a.mp4", steady(30), codec=codec, muxer_options=ENCRYPTION | options)
    check_refused(made.path, "its video is encrypted.*decrypt it")


def test_a_video_whose_beginning_is_clear_is_refused_as_encrypted(tmp_path: Path) -> None:
    clear = make_video(tmp_path / "clear.mp4", steady(30), muxer_options=FRAGMENTS)
    locked = make_video(tmp_path / "locked.mp4", steady(30), muxer_options=FRAGMENTS | ENCRYPTION)
    ours, theirs = (re.split(rb"(?=....moof)", made.path.read_bytes(), flags=re.DOTALL) for made in (clear, locked))
    assert len(ours) == len(theirs) == 4
    (tmp_path / "lead.mp4").write_bytes(theirs[0] + ours[1] + ours[2] + theirs[3])
    check_refused(tmp_path / "lead.mp4", "its video is encrypted.*decrypt it")


def test_an_animated_webp_is_named(tmp_path: Path) -> None:
    first, *more = (Image.fromarray(numbered(number)) for number in range(1, 5))
    first.save(tmp_path / "a.webp", save_all=True, append_images=more, duration=100)
    first.save(tmp_path / "still.webp")
    check_refused(tmp_path / "a.webp", "an animated WebP picture, which FFmpeg cannot decode; convert it to GIF or MP4")
    check_refused(tmp_path / "still.webp", r"a still image, not a video \(WebP\)")


def test_flash_with_sound_alone_has_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.swf"), "w") as container:
        stream = container.add_stream("libmp3lame", rate=44_100)
        for number in range(50):
            frame = av.AudioFrame.from_ndarray(np.zeros((2, 1152), np.float32), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = 44_100, number * 1152, Fraction(1, 44_100)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    check_refused(tmp_path / "a.swf", "no video stream, only audio; leave it out")


def test_flash_drawings_are_no_video(tmp_path: Path) -> None:
    shapes = bytes.fromhex("7800055f00000fa000000c01004302ffffff40000000")
    (tmp_path / "a.swf").write_bytes(b"FWS\x05" + (8 + len(shapes)).to_bytes(4, "little") + shapes)
    check_refused(tmp_path / "a.swf", "Flash")


def test_files_that_were_cut_off_are_named(tmp_path: Path, video: Callable[[str], Made]) -> None:
    content = video("plain.mp4").path.read_bytes()
    index = content.rindex(b"moov") - 4
    (tmp_path / "recording.mp4").write_bytes(content[:index])
    check_refused(
        tmp_path / "recording.mp4", r"its index \(moov\) is missing: the recording or the copy was interrupted"
    )
    (tmp_path / "a.mp4.part").write_bytes(content[: index // 2])
    check_refused(tmp_path / "a.mp4.part", "an unfinished download")
    (tmp_path / "reserved.mp4").write_bytes(bytes(2_000_000))
    check_refused(tmp_path / "reserved.mp4", "it contains only zero bytes")
    (tmp_path / "zeros-and-noise.mp4").write_bytes(bytes(50_000) + np.random.default_rng(1).bytes(50_000))
    check_refused(tmp_path / "zeros-and-noise.mp4", "not a video file")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            b"<!DOCTYPE html>\n<html><body>Please log in</body></html>",
            r"a web page, probably sent instead of the video\), not a video; log in and download it again",
        ),
        (
            b"\xef\xbb\xbf<HTML><HEAD>",
            r"a web page, probably sent instead of the video\), not a video; log in and download it again",
        ),
        (b"#EXTM3U\n#EXTINF:3,\na.ts\n", r"a playlist of HLS or DASH\), not a video; name the videos themselves"),
        (b'<?xml version="1.0"?>\n<MPD type="static"></MPD>', r"a playlist of HLS or DASH\), not a video"),
        (b'{"error": "not found"}', "a text file"),
        (b"PK\3\4" + bytes(50), "a ZIP archive, not a video; unpack it"),
        (b"Rar!\x1a\7\1\0" + bytes(50), "a RAR archive"),
    ],
)
def test_what_a_server_sent_instead_is_named(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    check_refused(tmp_path / "a.mp4", problem)


def test_one_picture_is_no_stream_of_pictures(tmp_path: Path) -> None:
    Image.fromarray(numbered(1)).save(tmp_path / "one.jpg", exif=b"Exif\0\0" + b"\xff\xd9" * 20)
    content = (tmp_path / "one.jpg").read_bytes()
    (tmp_path / "one.mp4").write_bytes(content)
    (tmp_path / "views.jpg").write_bytes(content[:20] + b"MPF\0" + content[20:] + content)
    for name in ("one.jpg", "one.mp4", "views.jpg"):
        check_refused(tmp_path / name, r"a still image, not a video \(JPEG\)")


def test_no_container_is_opened_that_names_other_files() -> None:
    readers_of_others = {"concat", "hls", "dash", "imf", "image2", "sdp", "rtsp", "rtp", "mpls", "vapoursynth", "lavfi"}
    assert not readers_of_others & set(CONTAINERS.split(","))
    assert set(CONTAINERS.split(",")) <= {part for name in av.formats_available for part in name.split(",")}
