from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from video_factory import make_video, steady

from pipeline.video.repair.bitstreams import keyframe_test

MILLISECOND, FRAME = Fraction(1, 1000), Fraction(1, 25)
OPEN_H264 = {"bf": "3", "preset": "medium", "x264-params": "open-gop=1:b-pyramid=normal:scenecut=0"}
FIELDS = {"bf": "2", "flags": "+ilme+ildct", "preset": "medium", "x264-params": "open-gop=1:interlaced=1:scenecut=0"}
FILES = [
    ("a.mp4", "libx264", {"bf": "3", "preset": "medium"}, Fraction(1, 90_000)),
    ("open.mp4", "libx264", OPEN_H264, Fraction(1, 90_000)),
    ("open.ts", "libx264", OPEN_H264, Fraction(1, 90_000)),
    ("interlaced.ts", "libx264", FIELDS, Fraction(1, 90_000)),
    ("a.mkv", "libx265", {"x265-params": "log-level=none:open-gop=1"}, MILLISECOND),
    ("a.ts", "libx265", {"x265-params": "log-level=none:open-gop=1"}, Fraction(1, 90_000)),
    ("a.mpg", "mpeg2video", {"bf": "2"}, FRAME),
    ("one.mpg", "mpeg1video", {"bf": "2"}, FRAME),
    ("four.mp4", "mpeg4", {"bf": "2"}, FRAME),
    ("a.webm", "libvpx-vp9", {"deadline": "good", "lag-in-frames": "12", "auto-alt-ref": "1"}, MILLISECOND),
    ("eight.webm", "libvpx", {}, MILLISECOND),
    ("one.mp4", "libsvtav1", {}, Fraction(1, 90_000)),
]

IDR, PARTS = b"\x65\x88\x84\x00", b"\x67\x64\x00\x0c"
INTRA, PREDICTED, SECOND_INTRA = b"\x41\xb0\x00\x00", b"\x41\xe0\x00\x00", b"\x41\x4c\x00\x00"
AT_ONCE, LATER = b"\x06\x06\x01\xc0\x80", b"\x06\x06\x01\x50\x80"
OTHER_MESSAGE = b"\x06\x05\x03abc\x06\x01\xc0\x80"


def annexb(*units: bytes) -> bytes:
    return b"".join(b"\0\0\0\1" + unit for unit in units)


def sized(*units: bytes, length_bytes: int = 4) -> bytes:
    return b"".join(len(unit).to_bytes(length_bytes, "big") + unit for unit in units)


@pytest.mark.parametrize(("name", "codec", "options", "time_base"), FILES)
def test_packets_are_keyframes_whose_pictures_the_decoder_marks(
    tmp_path: Path, name: str, codec: str, options: dict[str, str], time_base: Fraction
) -> None:
    made = make_video(
        tmp_path / name, steady(50, 25), codec=codec, options=options, time_base=time_base, keyframe_every=12
    )
    with av.open(str(made)) as container:
        stream = container.streams.video[0]
        test = keyframe_test(stream.codec_context.codec.canonical_name, stream.codec_context.extradata or b"")
        assert test is not None
        packets = [packet for packet in container.demux(stream) if packet.size]
        found = {packet.pts for packet in packets if test(bytes(packet))}
    with av.open(str(made)) as container:
        marked = {frame.pts for frame in container.decode(video=0) if frame.key_frame}
    assert found == marked
    assert len(found) > 1


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ((PARTS, IDR), True),
        ((AT_ONCE, INTRA), True),
        ((OTHER_MESSAGE, INTRA), True),
        ((AT_ONCE, INTRA, SECOND_INTRA), True),
        ((AT_ONCE, INTRA, PREDICTED), True),  # the second field may refer to the first
        ((AT_ONCE, INTRA, b"\x41\x46\x00\x00"), False),  # another slice of the same picture is predicted
        ((LATER, INTRA), False),
        ((AT_ONCE, PREDICTED), False),
        ((INTRA,), False),
        ((AT_ONCE,), False),
        ((b"\x06",), False),
        ((), False),
    ],
)
def test_h264_pictures_decode_alone_where_their_slices_say_so(units: tuple[bytes, ...], expected: bool) -> None:
    in_annexb = keyframe_test("h264", b"")
    in_samples = keyframe_test("h264", b"\x01\x64\x00\x0c\xff\xe1")
    in_short_samples = keyframe_test("h264", b"\x01\x64\x00\x0c\xfd\xe1")
    assert in_annexb is not None
    assert in_samples is not None
    assert in_short_samples is not None
    assert in_annexb(annexb(*units)) is expected
    assert in_samples(sized(*units)) is expected
    assert in_samples(annexb(*units)) is expected  # some muxers leave start codes in
    assert in_short_samples(sized(*units, length_bytes=2)) is expected


@pytest.mark.parametrize(
    "codec",
    ["h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4", "h263", "vp8", "vp9", "av1", "theora", "svq1", "cfhd"],
)
def test_what_cannot_be_read_is_no_error(codec: str) -> None:
    test = keyframe_test(codec, b"")
    assert test is not None
    assert test(b"") is False
    random = np.random.default_rng(3)
    for size in range(1, 60):
        assert test(random.bytes(size)) in (True, False)
        assert test(b"\0\0\1" + random.bytes(size)) in (True, False)


def test_other_codecs_have_no_test() -> None:
    assert keyframe_test("wmv3", b"") is None
