"""Picture files as questions: what a hostile one may cost, and what it may start."""

from __future__ import annotations

import io
import os
import socket
import struct
import subprocess
import sys
import threading
import zlib
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from PIL import Image, features

from pipeline.encode.preprocess import ClipPreprocessing
from pipeline.errors import UnsupportedVideoError, VideoError, VideoNotFoundError
from pipeline.io.settings import Fetching
from pipeline.search.query_images import QueryImages
from pipeline.video import Decoding, IndexedVideos, make_decoder, read_still
from pipeline.video.limits import MOST_PICTURE_BYTES, MOST_PIXELS

PROJECT = Path(__file__).resolve().parent.parent.parent
MEMORY_SCRIPT = """
import resource, sys
from pipeline.encode.preprocess import ClipPreprocessing
from pipeline.errors import VideoError
from pipeline.io.settings import Fetching
from pipeline.video import read_still
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
try:
    still = read_still(sys.argv[1], Fetching())
    print(ClipPreprocessing(image_height=64, image_width=64)(still).shape)
except VideoError as error:
    print(error)
print((peak() - before) // 1024)
"""


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *, rows: int | None = None, extra: bytes = b"") -> bytes:
    """A PNG of one bit a pixel, all black; of so many rows, if not of all."""
    packer = zlib.compressobj(9)
    row = bytes(1 + min(2**16, (width + 7) // 8))
    body = b"".join(packer.compress(row) for _ in range(height if rows is None else rows)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", header), extra, chunk(b"IDAT", body), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def saved(kind: str, size: tuple[int, int] = (64, 48), mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, kind, **options)
    return file.getvalue()


def tiff(tags: list[tuple[int, int, int, int]], body: bytes = b"") -> bytes:
    head = b"II*\0" + struct.pack("<LH", 8, len(tags))
    return head + b"".join(struct.pack("<HHLL", *tag) for tag in sorted(tags)) + bytes(4) + body


def with_many_scans(scans: int) -> bytes:
    whole = saved("JPEG", (8000, 8000), "L", progressive=True)
    last = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + last * scans + whole[-2:]


def tiled(tile: int) -> bytes:
    tags = [(256, 4, 1, 64), (257, 4, 1, 48), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1)]
    tags += [(322, 4, 1, tile), (323, 4, 1, tile), (324, 4, 1, 200), (325, 4, 1, 4)]
    return tiff(tags, bytes(200))


def text_bomb(kind: bytes, count: int, size: int) -> bytes:
    packed = zlib.compress(bytes(size))
    return b"".join(
        chunk(kind, b"k%d\0\0" % number + (packed if kind == b"zTXt" else b"a" * size)) for number in range(count)
    )


def gif_larger_than_it_says() -> bytes:
    """The screen is small; its first picture is not."""
    picture = bytearray(saved("GIF", mode="P"))
    place = picture.index(b",", 13)
    picture[place + 5 : place + 9] = struct.pack("<HH", 20_000, 20_000)
    return bytes(picture)


HOSTILE = {
    "177 megapixels": (lambda: png(13_300, 13_300), "too large .13300 x 13300 pixels; at most 134 megapixels"),
    "one row too many": (lambda: png(16_384, 8_193, rows=1), "too large"),
    "beyond Pillow's own limit": (lambda: png(40_000, 40_000, rows=1), "too large"),
    "the largest header": (lambda: png(2**31 - 1, 2**31 - 1, rows=1), "too large"),
    "a GIF that grows": (gif_larger_than_it_says, "too large"),
    "a GIF's screen": (
        lambda: b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + saved("GIF", mode="P")[10:],
        "too large",
    ),
    "a BMP's header": (lambda: saved("BMP")[:18] + struct.pack("<ii", 30_000, 30_000) + saved("BMP")[26:], "too large"),
    "a TIFF's tags": (lambda: tiff([(256, 4, 1, 2**31), (257, 4, 1, 2**31)]), r"too large|broken"),
    "a TIFF's tiles": (lambda: tiled(20_000), "tiles far larger"),
    "a JPEG of many scans": (lambda: with_many_scans(100), "stored in 10. scans"),
    "a large text": (lambda: png(64, 48, extra=text_bomb(b"zTXt", 1, 2**21)), "broken"),
    "many texts": (lambda: png(64, 48, extra=text_bomb(b"zTXt", 70, 2**20)), "broken"),
    "many plain texts": (lambda: png(64, 48, extra=text_bomb(b"tEXt", 70, 2**20)), "broken"),
    "a cut PNG": (lambda: png(64, 48)[:45], "broken"),
    "a cut JPEG": (lambda: saved("JPEG")[:400], "broken"),
    "only a head": (lambda: b"\xff\xd8\xff", "broken"),
    "a head of another": (lambda: b"GIF89a" + saved("PNG"), "broken"),
    "a damaged chunk": (lambda: png(64, 48).replace(b"IDAT", b"iDAT"), "broken"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_picture_is_one_error(tmp_path: Path, name: str) -> None:
    make, said = HOSTILE[name]
    path = tmp_path / "picture.jpg"
    path.write_bytes(make())
    with pytest.raises(UnsupportedVideoError, match=said) as caught:
        read_still(str(path), Fetching())
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not features.check("webp"), reason="Pillow was built without WebP")
def test_a_webp_of_268_megapixels_in_34_bytes_is_refused(tmp_path: Path) -> None:
    # VP8L: the signature, 14 bits of width - 1, 14 of height - 1, and three of no account.
    body = b"\x2f" + struct.pack("<I", 16_382 | 16_382 << 14) + bytes(5)
    (tmp_path / "big.webp").write_bytes(
        b"RIFF" + struct.pack("<I", 12 + len(body)) + b"WEBPVP8L" + struct.pack("<I", 10) + body
    )
    with pytest.raises(UnsupportedVideoError, match=r"too large|broken"):
        read_still(str(tmp_path / "big.webp"), Fetching())


@pytest.mark.skipif(not features.check("webp"), reason="Pillow was built without WebP")
def test_a_webp_of_more_pixels_than_its_decoder_can_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.webp"
    path.write_bytes(saved("WEBP", (8200, 8200), lossless=True, quality=0, method=0))
    said, mebibytes = measured(path)
    assert "too large (8200 x 8200 pixels; at most 67 megapixels" in said
    assert mebibytes < 200


def measured(path: Path) -> tuple[str, int]:
    """What a process of its own says of a picture, and the MiB that this took."""
    command = [sys.executable, "-c", MEMORY_SCRIPT, str(path)]
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    out = subprocess.run(command, env=environment, text=True, capture_output=True, check=True, timeout=120).stdout
    said, mebibytes = out.strip().splitlines()
    return said, int(mebibytes)


def test_a_picture_beyond_the_limit_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png(13_300, 13_300))
    assert path.stat().st_size < 30_000
    said, mebibytes = measured(path)
    assert "too large" in said
    assert mebibytes < 50


def test_the_largest_picture_takes_little_more_than_its_pixels(tmp_path: Path) -> None:
    """Pillow holds 4 bytes a pixel: 512 MiB at the limit."""
    path = tmp_path / "largest.png"
    path.write_bytes(png(16_384, MOST_PIXELS // 16_384))
    said, mebibytes = measured(path)
    assert said == "(64, 64, 3)"
    assert mebibytes < 800


@pytest.mark.parametrize("kind", ["fifo", "socket", "folder", "device", "link to a device", "link to a fifo"])
@pytest.mark.timeout(100)
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "picture.png"
    target = tmp_path / "target" if kind.startswith("link") else path
    if kind.endswith("fifo"):
        os.mkfifo(target)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(target))
    elif kind == "folder":
        target.mkdir()
    if kind.startswith("link"):
        path.symlink_to("/dev/zero" if kind.endswith("device") else target)
    with pytest.raises(VideoNotFoundError, match="not a regular file"):
        read_still("/dev/zero" if kind == "device" else str(path), Fetching())


def test_a_file_that_becomes_a_fifo_does_not_hang(tmp_path: Path) -> None:
    """Between a look at the path and its opening, somebody changes it again and again."""
    path, picture, fifo = tmp_path / "p.png", tmp_path / "picture", tmp_path / "fifo"
    picture.write_bytes(saved("PNG"))
    os.mkfifo(fifo)
    path.symlink_to(picture)
    ended = threading.Event()

    def swap() -> None:
        for number in range(10_000):
            if ended.is_set():
                return
            (tmp_path / "next").symlink_to((picture, fifo)[number % 2])
            (tmp_path / "next").replace(path)

    swapping = threading.Thread(target=swap)
    swapping.start()
    outcomes = set()
    for _ in range(300):
        try:
            read_still(str(path), Fetching())
            outcomes.add("read")
        except VideoNotFoundError:
            outcomes.add("refused")
    ended.set()
    swapping.join()
    assert outcomes == {"read", "refused"}


def pictures() -> QueryImages:
    decoder = make_decoder(Decoding())
    videos: Any = IndexedVideos
    return QueryImages(decoder, ClipPreprocessing(image_height=64, image_width=64), Fetching(), videos)


OTHER_FORMATS = {
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n%%EndComments\n(/tmp/x) (w) file\nshowpage\n",
    "eps with a preview": b"\xc5\xd0\xd3\xc6"
    + struct.pack("<IIIIII", 30, 200, 0, 0, 0, 0)
    + b"\xff\xff"
    + b"%!PS-Adobe-3.0\n",
    "pdf": b"%PDF-1.4\n%%EOF",
    "ppm": b"P6 2 2 255\n" + bytes(12),
    "xbm": b"#define a_width 8\n#define a_height 1\nstatic char a_bits[] = { 0 };",
    "ico": b"\0\0\1\0\1\0",
    "psd": b"8BPS\0\1" + bytes(30),
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
    "wmf": b"\xd7\xcd\xc6\x9a\0\0" + bytes(40),
    "emf": b"\1\0\0\0" + bytes(36) + b" EMF" + bytes(60),
    "fits": b"SIMPLE  =                    T" + bytes(2850),
    "jpeg 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40),
    "text": b"not a picture",
    "nothing": b"",
}


@pytest.mark.parametrize("name", OTHER_FORMATS)
def test_other_formats_start_nothing_and_are_one_error(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program named `gs` on the path would be started for EPS; it would leave a mark."""
    mark, program = tmp_path / "mark", tmp_path / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {mark}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    path = tmp_path / "picture.png"
    path.write_bytes(OTHER_FORMATS[name])
    assert read_still(str(path), Fetching()) is None
    with pytest.raises(UnsupportedVideoError, match=r"neither an image \(JPEG, PNG, ") as caught:
        pictures().first(str(path))
    assert "\n" not in str(caught.value)
    assert not mark.exists()


def test_a_file_of_many_gigabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large.bmp"
    path.write_bytes(saved("BMP"))
    os.truncate(path, MOST_PICTURE_BYTES + 1)
    with pytest.raises(UnsupportedVideoError, match="MiB; at most 256 MiB are accepted"):
        read_still(str(path), Fetching())


def test_a_path_with_a_null_character_is_one_error() -> None:
    with pytest.raises(VideoError):
        read_still("a\0b.png", Fetching())


FORMATS = ["JPEG", "PNG", "BMP", "GIF", "TIFF", "MPO", *(["WEBP"] * features.check("webp"))]
FORMATS += ["AVIF"] * features.check("avif")


@pytest.mark.parametrize("orientation", [1, 3, 6, 7])
@pytest.mark.parametrize("kind", FORMATS)
def test_pictures_that_worked_are_read_as_before(tmp_path: Path, kind: str, orientation: int) -> None:
    """To the bit, upright, and the first one of an animation."""
    noise = np.random.default_rng(3).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    path = tmp_path / "picture"
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {} if kind in ("BMP", "GIF") else {"exif": exif}
    if kind in ("GIF", "WEBP", "MPO"):
        options |= {"save_all": True, "append_images": [Image.new("RGB", (60, 40))]}
    Image.fromarray(noise).save(path, kind, **options)
    still = read_still(str(path), Fetching())
    assert still is not None
    from PIL import ImageOps

    with Image.open(path) as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))
    np.testing.assert_array_equal(still.rgb(), expected)
    scaled = np.asarray(Image.fromarray(expected).resize((30, 20), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(still.rgb(30, 20), scaled)
    assert (still.width, still.height) == (expected.shape[1], expected.shape[0])
    assert still.thumbnail().shape == (3, 36, 64)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "I;16", "F"])
def test_pictures_of_all_modes_are_read_as_before(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "picture"
    grey = Image.fromarray(np.random.default_rng(3).integers(0, 256, (40, 60), dtype=np.uint8))
    (grey.convert("I").convert("I;16") if mode == "I;16" else grey.convert(mode)).save(path, "TIFF")
    still = read_still(str(path), Fetching())
    assert still is not None
    with Image.open(path) as opened:
        np.testing.assert_array_equal(still.rgb(), np.asarray(opened.convert("RGB")))


def test_a_photograph_of_108_megapixels_is_read(tmp_path: Path) -> None:
    path = tmp_path / "photograph.png"
    path.write_bytes(png(12_000, 9_000))
    still = read_still(str(path), Fetching())
    assert still is not None
    assert (still.width, still.height) == (12_000, 9_000)


@pytest.mark.parametrize("name", ["177 megapixels", "a JPEG of many scans", "a large text", "a cut JPEG"])
def test_a_hostile_picture_in_a_remote_place_is_one_error(name: str) -> None:
    make, said = HOSTILE[name]
    file_system = fsspec.filesystem("memory")
    file_system.pipe("/pictures/hostile.jpg", make())
    with pytest.raises(UnsupportedVideoError, match=said):
        read_still("memory://pictures/hostile.jpg", Fetching())


@pytest.mark.parametrize("kind", FORMATS)
def test_a_picture_in_a_remote_place_is_read(kind: str) -> None:
    content = saved(kind)
    fsspec.filesystem("memory").pipe("/pictures/picture", content)
    still = read_still("memory://pictures/picture", Fetching())
    assert still is not None
    with Image.open(io.BytesIO(content)) as opened:
        np.testing.assert_array_equal(still.rgb(), np.asarray(opened.convert("RGB")))
