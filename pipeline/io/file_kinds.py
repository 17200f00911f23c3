"""Recognizes files that are not videos by their first bytes."""

from __future__ import annotations

from pipeline.io.playlists import playlist_kind

__all__ = ["HEAD_BYTES", "is_jpeg", "problem_of"]

HEAD_BYTES = 4096
"""Number of first bytes of a file that `problem_of` needs."""

JPEG_SEQUENCE_SUFFIXES = frozenset({".mjpeg", ".mjpg"})
"""Suffixes of files that contain a sequence of JPEG pictures."""

_STILL_IMAGES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"8BPS": "Photoshop",
    b"\0\0\1\0": "icon",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
}
_OTHERS = {
    b"PK\3\4": "a ZIP archive",
    b"Rar!\x1a\7": "a RAR archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"\x1f\x8b\x08": "a gzip archive",
}
# Brands of ISO media files with a picture, and those of sequences, which may also have the former.
_PICTURE_BRANDS = {b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF", b"avif": "AVIF"}
_SEQUENCE_BRANDS = frozenset({b"avis", b"msf1", b"hevc", b"hevx"})
_WEBP_ANIMATION_FLAG = 2
# A raw video with a text header, whose pictures may also look like text.
_YUV4MPEG = b"YUV4MPEG2 "


def problem_of(head: bytes, suffix: str) -> str | None:
    """Describe why a file cannot be a video and what to do; None if it may be one.

    Args:
        head: The first `HEAD_BYTES` bytes of the file, or all of a shorter file.
        suffix: Suffix of the file's name, in lower case.
    """
    if not head:
        return "the file is empty; copy or download it again"
    if _is_animated_webp(head):
        return (
            "an animated WebP picture, which FFmpeg cannot decode; convert it to GIF or MP4 with another program, as:"
            " magick FILE NEW.gif"
        )
    image = _still_image(head)
    if image and not (image == "JPEG" and suffix in JPEG_SEQUENCE_SUFFIXES):
        return f"a still image, not a video ({image}); leave it out"
    archive = next((name for magic, name in _OTHERS.items() if head.startswith(magic)), None)
    if archive:
        return f"{archive}, not a video; unpack it, and name the files in it"
    return _text_problem(head) if _is_text(head) and not head.startswith(_YUV4MPEG) else _playlist_problem(head)


def is_jpeg(head: bytes) -> bool:
    """Whether a file starts with a JPEG picture; others may follow."""
    return head.startswith(b"\xff\xd8\xff")


def _is_animated_webp(head: bytes) -> bool:
    is_extended = head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and len(head) > 20
    return is_extended and bool(head[20] & _WEBP_ANIMATION_FLAG)


def _still_image(head: bytes) -> str | None:
    if head.startswith(b"\x89PNG") and b"acTL" in head:
        return None
    if head[4:8] == b"ftyp":
        brands = {head[place : place + 4] for place in range(16, min(int.from_bytes(head[:4], "big"), len(head)), 4)}
        return None if brands & _SEQUENCE_BRANDS else _PICTURE_BRANDS.get(head[8:12])
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    return next((name for magic, name in _STILL_IMAGES.items() if head.startswith(magic)), None)


def _is_text(head: bytes) -> bool:
    """Whether the bytes are UTF-8 without control characters; the last character may be incomplete."""
    if any(byte < 0x20 and byte not in b"\t\n\r\f\x1b" for byte in head):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return len(head) == HEAD_BYTES and error.start > len(head) - 4
    return True


def _playlist_problem(head: bytes) -> str | None:
    kind = playlist_kind(head)
    if kind is None:
        return None
    return f"it starts with {kind}, so it is not a video file; name the videos themselves, or leave it out"


def _text_problem(head: bytes) -> str:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        kind, advice = "a web page, probably sent instead of the video", "log in and download it again"
    elif start.startswith(b"#extm3u") or b"<mpd" in start[:1000]:
        kind, advice = "a playlist of HLS or DASH", "name the videos themselves, or download the stream into one file"
    else:
        kind, advice = "a playlist, subtitles or a list", "name the videos themselves"
    return f"a text file ({kind}), not a video; {advice}"
