"""What is checked of a path before any decoder touches it: some of them hang on a FIFO, or read what a file names."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pipeline.errors import UnsupportedVideoError, VideoNotFoundError

__all__ = ["HEAD_BYTES", "NO_SUCH_FILE", "SUFFIXES", "check_head", "readable_file", "videos_within"]

SUFFIXES = frozenset(
    {
        ".3g2",
        ".3gp",
        ".asf",
        ".avi",
        ".divx",
        ".dv",
        ".f4v",
        ".flv",
        ".gif",
        ".ivf",
        ".m2ts",
        ".m2v",
        ".m4v",
        ".mkv",
        ".mov",
        ".mp4",
        ".mpeg",
        ".mpg",
        ".mts",
        ".mxf",
        ".nut",
        ".ogg",
        ".ogm",
        ".ogv",
        ".qt",
        ".rm",
        ".rmvb",
        ".ts",
        ".vob",
        ".webm",
        ".wmv",
        ".wtv",
        ".y4m",
    }
)
"""Suffixes, in lower case, of the files in a folder that are taken for videos."""

NO_SUCH_FILE = "there is no such file"
"""How the problem begins that a report has of a path with nothing there."""

HEAD_BYTES = 4096
"""How much of a file's beginning `check_head` wants to see."""

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
}
# Brands of ISO media files that hold a picture; "avis" and "msf1" are sequences.
_PICTURE_BRANDS = {b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF", b"avif": "AVIF"}


def readable_file(path: str) -> str:
    """Make sure that a path names a readable regular file that may be a video.

    Args:
        path: As the caller gave it.

    Returns:
        The absolute path, which no library takes for an option, a protocol or a pattern of its own.

    Raises:
        VideoNotFoundError: There is no readable regular file at `path`.
        UnsupportedVideoError: It is empty, a still image or text.
    """
    absolute = _regular_file(path)
    try:
        with Path(absolute).open("rb") as file:
            head = file.read(HEAD_BYTES)
    except PermissionError as error:
        raise VideoNotFoundError(path, "this user may not read the file; change its permissions") from error
    except OSError as error:
        raise VideoNotFoundError(path, f"the file cannot be read ({error.strerror})") from error
    check_head(path, head)
    return absolute


def check_head(uri: str, head: bytes) -> None:
    """Refuse what cannot be a video.

    Args:
        uri: Where it is.
        head: Its first `HEAD_BYTES` bytes, or all where there are fewer.

    Raises:
        UnsupportedVideoError: It is empty, a still image or text.
    """
    if not head:
        raise UnsupportedVideoError(uri, "the file is empty; copy or download it again")
    image = _still_image(head)
    if image:
        raise UnsupportedVideoError(uri, f"a still image, not a video ({image}); leave it out")
    if _is_text(head):
        raise UnsupportedVideoError(
            uri, "a text file (a playlist, subtitles or a list), not a video; name the videos themselves"
        )


def videos_within(folder: str) -> list[str]:
    """Paths of all videos in a folder and the folders below it, known by suffix, sorted; hidden ones are left out."""
    found: list[str] = []
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found.extend(
            os.path.join(parent, name)  # noqa: PTH118 - Path drops a leading "./"
            for name in files
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122
        )
    return sorted(found)


def _regular_file(path: str) -> str:
    if not path:
        raise VideoNotFoundError(path, "an empty path; name a file")
    try:
        absolute = os.path.abspath(path)  # noqa: PTH100 - Path.absolute keeps ".."
        mode = os.stat(absolute).st_mode  # noqa: PTH116 - takes bytes that are not UTF-8, too
    except FileNotFoundError as error:
        raise VideoNotFoundError(path, _why_missing(path)) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise VideoNotFoundError(path, f"the path cannot be used ({reason}); check it") from error
    if stat.S_ISDIR(mode):
        has_videos = bool(videos_within(absolute))
        raise VideoNotFoundError(
            path,
            "a folder, not a file; name the videos in it"
            if has_videos
            else "a folder without videos, which are known by their suffix; name other files themselves",
        )
    if not stat.S_ISREG(mode):
        raise VideoNotFoundError(path, f"{_kind(mode)}, not a regular file; copy what it holds into a file")
    return absolute


def _why_missing(path: str) -> str:
    if Path(path).is_symlink():
        return f"a broken link to {os.readlink(path)!r}; mend it, or leave it out"  # noqa: PTH115 - as above
    if any(character in path for character in "*?["):
        return "no file matches this pattern; check it and the working directory"
    return f"{NO_SUCH_FILE}; check the path and the working directory"


def _kind(mode: int) -> str:
    kinds = {stat.S_ISFIFO: "a FIFO", stat.S_ISSOCK: "a socket", stat.S_ISBLK: "a device", stat.S_ISCHR: "a device"}
    return next((kind for is_kind, kind in kinds.items() if is_kind(mode)), "something special")


def _still_image(head: bytes) -> str | None:
    if head.startswith(b"\x89PNG") and b"acTL" in head:
        return None
    if head[4:8] == b"ftyp":
        return _PICTURE_BRANDS.get(head[8:12])
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    return next((name for magic, name in _STILL_IMAGES.items() if head.startswith(magic)), None)


def _is_text(head: bytes) -> bool:
    """Whether it is UTF-8 without control characters; a character may be cut at the end."""
    if any(byte < 0x20 and byte not in b"\t\n\r\f\x1b" for byte in head):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return len(head) == HEAD_BYTES and error.start > len(head) - 4
    return True
