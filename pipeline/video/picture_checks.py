"""Checks of a picture file's format, size and decoding cost."""

from __future__ import annotations

import re
from typing import BinaryIO

from PIL import Image, features

from pipeline.errors import UnsupportedVideoError
from pipeline.video.limits import (
    MOST_PICTURE_BYTES,
    MOST_PIXELS,
    MOST_SCANNED_PIXELS,
    MOST_TILE_PIXELS,
    MOST_WEBP_PIXELS,
)

__all__ = ["FORMAT_NAMES", "HEAD_BYTES", "check_bytes", "check_pixels", "check_work", "format_of"]

HEAD_BYTES = 32
"""Number of first bytes of a file that `format_of` needs."""

_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEADS = (
    (re.compile(rb"\xff\xd8\xff"), "JPEG"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "PNG"),
    (re.compile(rb"GIF8[79]a"), "GIF"),
    (re.compile(rb"BM"), "BMP"),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), "TIFF"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "WEBP"),
)
# Pillow may be built without these.
_OPTIONAL = {"WEBP": "webp", "AVIF": "avif"}
_AVAILABLE = tuple(
    name
    for name in ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF")
    if name not in _OPTIONAL or features.check(_OPTIONAL[name])
)
FORMAT_NAMES = ", ".join(_AVAILABLE[:-1]) + f" or {_AVAILABLE[-1]}"
"""Names of the accepted formats, for messages."""

# Within a scan, 0xFF is followed by 0 or a restart marker; anything else ends the scan.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_START_OF_SCAN, _END_OF_PICTURE = 0xDA, 0xD9
_TILE_WIDTH, _TILE_LENGTH = 322, 323


def format_of(head: bytes) -> str | None:
    """Return Pillow's name of a picture file's format; None if the format is not accepted.

    Pillow reads many more formats, but some of them start other programs, and most are rarely tested.

    Args:
        head: The first `HEAD_BYTES` bytes of the file, or all of a shorter one.
    """
    name = next((name for pattern, name in _HEADS if pattern.match(head)), None)
    if name is None and head[4:8] == b"ftyp" and _AVIF_BRANDS & {head[8:12], head[16:20], head[20:24], head[24:28]}:
        name = "AVIF"
    return name if name in _AVAILABLE else None


def check_bytes(uri: str, file: BinaryIO) -> None:
    """Reject a picture file that is too large to be read into memory, which Pillow does for some formats.

    Raises:
        UnsupportedVideoError: The file is too large.
    """
    size = file.seek(0, 2)
    file.seek(0)
    if size > MOST_PICTURE_BYTES:
        limit = MOST_PICTURE_BYTES // 2**20
        raise UnsupportedVideoError(uri, f"the picture file has {size // 2**20} MiB; at most {limit} MiB are accepted")


def check_pixels(uri: str, width: int, height: int, name: str) -> None:
    """Reject a picture with more pixels than the limit for videos, or than its decoder can process with about 1 GiB.

    Args:
        uri: Location of the picture.
        width: Width in pixels.
        height: Height in pixels.
        name: Name of the format.

    Raises:
        UnsupportedVideoError: The picture has too many pixels.
    """
    limit = MOST_WEBP_PIXELS if name == "WEBP" else MOST_PIXELS
    if width * height > limit:
        raise UnsupportedVideoError(
            uri,
            f"the picture is too large ({width} x {height} pixels; at most {limit // 10**6} megapixels are"
            " decoded); make it smaller",
        )


def check_work(uri: str, image: Image.Image, file: BinaryIO) -> None:
    """Reject a file whose decoding would take far more time or memory than the picture needs.

    Args:
        uri: Location of the picture.
        image: The picture, opened but not loaded.
        file: The file; its position is restored.

    Raises:
        UnsupportedVideoError: Decoding would take too much.
    """
    pixels = image.width * image.height
    if image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]
        tile_pixels = int(tags.get(_TILE_WIDTH, 0)) * int(tags.get(_TILE_LENGTH, 0))
        if tile_pixels > max(2 * pixels, MOST_TILE_PIXELS):
            raise UnsupportedVideoError(uri, "the picture is stored in tiles far larger than itself; save it again")
    if image.format in ("JPEG", "MPO"):
        position = file.tell()
        file.seek(0)
        scans = _scans(file.read())
        file.seek(position)
        if scans * pixels > MOST_SCANNED_PIXELS:
            raise UnsupportedVideoError(uri, f"the picture is stored in {scans} scans; save it again")


def _scans(data: bytes) -> int:
    """Count the scans of the first picture of a JPEG file."""
    scans, position = 0, 2
    while (marker := _MARKER.search(data, position)) is not None:
        kind = data[marker.end() - 1]
        if kind == _END_OF_PICTURE:
            break
        scans += kind == _START_OF_SCAN
        position = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    return scans
