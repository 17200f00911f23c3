"""Files that begin with a playlist and go on as a video: no library may show the frames of what the playlist names.

A canary lies beside each trap; its pictures are bright, and those of the trap dark.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from pipeline.errors import VideoError
from pipeline.io.file_kinds import problem_of
from pipeline.io.playlists import playlist_kind
from pipeline.video.protocol import VideoDecoder
from pipeline.video.pyav.decoder import PyAVDecoder

BRIGHT, DARK, LIMIT = 220, 40, 130
HLS = b"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:3\n#EXTINF:1,\ncanary.ts\n#EXT-X-ENDLIST\n"
CONCAT = b"ffconcat version 1.0\nfile canary.ts\n#\n"


def decord_decoder() -> VideoDecoder:
    pytest.importorskip("decord")
    from pipeline.video.sequential.decord import DecordDecoder

    return DecordDecoder()


def opencv_decoder() -> VideoDecoder:
    from pipeline.video.sequential.opencv import OpenCVDecoder

    return OpenCVDecoder()


DECODERS: dict[str, Callable[[], VideoDecoder]] = {
    "pyav": PyAVDecoder,
    "opencv": opencv_decoder,
    "decord": decord_decoder,
}


@pytest.fixture(params=DECODERS)
def decoder(request: pytest.FixtureRequest) -> VideoDecoder:
    return DECODERS[request.param]()


def film(path: Path, level: int, form: str, codec: str = "mpeg2video") -> bytes:
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(25):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path.read_bytes()


@pytest.fixture
def packets(tmp_path: Path) -> bytes:
    """An MPEG transport stream of dark pictures, beside the canaries."""
    film(tmp_path / "canary.ts", BRIGHT, "mpegts")
    film(tmp_path / "canary.mp4", BRIGHT, "mp4", "mpeg4")
    return film(tmp_path / "own.ts", DARK, "mpegts")


def id3(length: int) -> bytes:
    sizes = bytes((length >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + sizes + bytes(length)


HEADS = {
    "HLS": HLS,
    "HLS of the canary in MP4": HLS.replace(b"canary.ts", b"canary.mp4"),
    "HLS after a tag of music": id3(20) + HLS,
    "HLS after an empty tag": id3(0) + HLS,
    "HLS after a long tag": id3(20_000) + HLS,
    "HLS after two tags": id3(5) + id3(20) + HLS,
    "HLS master": b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\ncanary.ts\n",
    "concat": CONCAT,
    "concat after a tag": id3(30) + CONCAT,
    "concat after blanks": b" \r\n\t" + CONCAT,
    "concat after NULs": bytes(3) + CONCAT,
    "concat after a mark": b"\xef\xbb\xbf" + CONCAT,
    "concat without its head": b"file 'canary.ts'\n#\n",
    "DASH": b'<?xml version="1.0"?><MPD profiles="urn:mpeg:dash:profile:isoff-live:2011"></MPD>\n',
    "DASH without XML's head": b'<MPD profiles="urn:mpeg:dash:profile:isoff-live:2011"></MPD>\n',
    "IMF": b"<cpl:CompositionPlaylist xmlns='x'></CompositionPlaylist>\n",
    "SMIL": b"<smil><body><video src='canary.ts'/></body></smil>\n",
    "ASX": b"<ASX version='3'><entry><ref href='canary.ts'/></entry></ASX>\n",
    "PLS": b"[playlist]\nFile1=canary.ts\n",
    "a reference": b"[Reference]\r\nRef1=http://127.0.0.1/canary.ts\r\n",
    "SDP": b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 5004 RTP/AVP 33\r\n",
    "VobSub": b"# VobSub index file, v7\n",
    "AviSynth": b'AviSource("canary.ts")\n',
    "VapourSynth": b"import vapoursynth as vs\n",
    "addresses": b"file:///tmp/canary.ts\n",
    "a protocol": b"concat:canary.ts\n",
    "UTF-16": b"\xff\xfe" + HLS.decode().encode("utf-16-le"),
    "lower case": HLS.lower(),
}


def brightness(decoder: VideoDecoder, path: Path) -> float:
    with decoder.open(str(path)) as stream:
        return max(float(frame.rgb().mean()) for frame in stream.frames())


@pytest.mark.parametrize("name", ["trap.ts", "trap.m3u8", "trap.mp4"])
@pytest.mark.parametrize("kind", HEADS)
def test_a_playlist_before_a_video_is_refused(
    decoder: VideoDecoder, packets: bytes, tmp_path: Path, kind: str, name: str
) -> None:
    (tmp_path / name).write_bytes(HEADS[kind] + packets)
    with pytest.raises(VideoError, match="not a video"):
        brightness(decoder, tmp_path / name)


@pytest.mark.parametrize("form", ["mpeg", "mpeg2video"])
def test_a_playlist_before_other_streams_is_refused(decoder: VideoDecoder, tmp_path: Path, form: str) -> None:
    film(tmp_path / "canary.ts", BRIGHT, "mpegts")
    (tmp_path / "trap.mpg").write_bytes(HLS + film(tmp_path / "own.mpg", DARK, form))
    with pytest.raises(VideoError, match="it starts with a playlist of HLS, so it is not a video file"):
        decoder.open(str(tmp_path / "trap.mpg"))


@pytest.mark.parametrize(
    "name", ["frame%d.jpg", "frame%03d.png", "frame*.png", "frame?.jpg", "frame%d.ts", "0", "a|b.ts"]
)
def test_a_name_is_no_pattern_and_no_device(
    decoder: VideoDecoder, packets: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for number in ("0", "1", "000", "001"):
        for suffix in (".jpg", ".png"):
            Image.fromarray(np.full((48, 64, 3), BRIGHT, np.uint8)).save(tmp_path / f"frame{number}{suffix}")
    (tmp_path / name).write_bytes(packets)
    monkeypatch.chdir(tmp_path)
    for path in (Path(name), tmp_path / name):
        try:
            shown = brightness(decoder, path)
        except VideoError:
            continue
        assert shown < LIMIT


def test_a_file_that_becomes_a_playlist_is_refused(packets: bytes, tmp_path: Path) -> None:
    decoder = decord_decoder()
    (tmp_path / "trap.ts").write_bytes(packets)
    with decoder.open(str(tmp_path / "trap.ts")) as stream:
        (tmp_path / "trap.ts").write_bytes(HLS + packets)
        with pytest.raises(VideoError, match="not a video"):
            list(stream.frames())


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _alias(path: Path) -> bytes:
    """An alias record, as QuickTime writes it for media in another file (Inside Macintosh: Files, chapter 4)."""
    name, whole = path.name.encode(), str(path).encode()
    record = struct.pack(">4x HH B27s 12x B63s 16x HH 16x", 200, 2, 4, b"disk", len(name), name, 1, 1)
    for kind, content in ((0, path.parent.name.encode()), (2, whole), (18, whole)):
        record += struct.pack(">HH", kind, len(content)) + content + bytes(len(content) % 2)
    return record + struct.pack(">HH", 0xFFFF, 0)


def _with_reference(content: bytes, entry: bytes) -> bytes:
    """A movie whose media are in another file, if the entry of its data references is followed."""
    start = content.index(b"dref") - 4
    size = struct.unpack(">I", content[start : start + 4])[0]
    dref = _box(b"dref", struct.pack(">II", 0, 1) + entry)
    grown = bytearray(content[:start] + dref + content[start + size :])
    for kind in (b"dinf", b"minf", b"mdia", b"trak", b"moov"):
        place = grown.rindex(kind, 0, start) - 4
        old = struct.unpack(">I", grown[place : place + 4])[0]
        grown[place : place + 4] = struct.pack(">I", old + len(dref) - size)
    return bytes(grown)


@pytest.mark.parametrize("form", ["alis", "url ", "urn ", "rsrc"])
def test_media_in_another_file_are_not_read(decoder: VideoDecoder, tmp_path: Path, form: str) -> None:
    canary = tmp_path / "canary.mov"
    content = bytearray(film(canary, BRIGHT, "mov", "mpeg4"))
    # The trap has the canary's index, and nothing where its pictures were.
    place = content.index(b"mdat")
    size = struct.unpack(">I", content[place - 4 : place])[0]
    content[place + 4 : place - 4 + size] = bytes(size - 8)
    address = _alias(canary) if form in ("alis", "rsrc") else f"file://{canary}\0".encode()
    (tmp_path / "trap.mov").write_bytes(_with_reference(bytes(content), _box(form.encode(), bytes(4) + address)))
    try:
        shown = brightness(decoder, tmp_path / "trap.mov")
    except VideoError:
        return
    assert shown < LIMIT


def test_a_reference_movie_shows_nothing(decoder: VideoDecoder, packets: bytes, tmp_path: Path) -> None:
    address = b"canary.mp4\0"
    reference = _box(b"rdrf", bytes(4) + b"url " + struct.pack(">I", len(address)) + address)
    movie = _box(b"ftyp", b"qt  \0\0\0\0qt  ") + _box(b"moov", _box(b"rmra", _box(b"rmda", reference)))
    (tmp_path / "trap.mov").write_bytes(movie + bytes(2000))
    with pytest.raises(VideoError):
        brightness(decoder, tmp_path / "trap.mov")


@pytest.mark.parametrize(
    "head",
    [
        b"\0\0\0\x18ftypisom",
        b"\0\0\0\x3cftypisom",
        b"\0\0\0\x23ftypqt  ",
        b"\x1a\x45\xdf\xa3",
        b"RIFF\0\0\0\0AVI ",
        b"\0\0\0\x01\x67",
        b"\0\0\x01\xba",
        b"G@\0\x10",
        b"FLV\x01",
        b"OggS",
        b"DKIF",
        b"\0\0\0\0",
        b"ID3",
        b"YUV4MPEG2 W64 H48 F25:1\nFRAME\n\xff",
    ],
)
def test_what_videos_begin_with_is_no_playlist(head: bytes) -> None:
    assert playlist_kind(head + b"\xff" * 100) is None
    assert problem_of(head + b"\xff" * 100, ".bin") is None


def test_a_remote_video_is_held_to_the_same(packets: bytes, tmp_path: Path) -> None:
    import fsspec

    fsspec.filesystem("memory").pipe_file("/playlists/trap.ts", HLS + packets)
    for make in DECODERS.values():
        with pytest.raises(VideoError, match="it starts with a playlist of HLS"):
            make().open("memory://playlists/trap.ts")
