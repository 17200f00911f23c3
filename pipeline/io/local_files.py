"""Checks of a local path before a decoder opens it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import UnsupportedVideoError, VideoGoneError, VideoNotFoundError
from pipeline.io.file_kinds import HEAD_BYTES, is_jpeg, problem_of
from pipeline.io.folders import content_of
from pipeline.uris import suffix_of

__all__ = ["NO_SUCH_FILE", "check_head", "readable_file"]

NO_SUCH_FILE = "there is no such file"
"""Prefix of the problem reported for a path at which nothing exists."""

_PICTURE_SUFFIXES = frozenset({".bmp", ".dpx", ".exr", ".jpeg", ".jpg", ".png", ".tif", ".tiff"})
_JPEG_AFTER_JPEG = b"\xff\xd9\xff\xd8\xff"
# JPEG files with several views (MPO) are also a sequence of pictures; they have this marker in the head.
_SEVERAL_VIEWS = b"MPF\0"
_SEARCHED_BYTES = 8 * 2**20


def readable_file(path: str) -> str:
    """Check that a path refers to a readable regular file that may be a video.

    Args:
        path: The path as the caller gave it.

    Returns:
        The absolute path, which no library mistakes for an option, a protocol or a pattern.

    Raises:
        VideoNotFoundError: There is no readable regular file at `path`.
        UnsupportedVideoError: The file is empty, a still image, an archive or text.
    """
    absolute = _regular_file(path)
    try:
        with Path(absolute).open("rb") as file:
            head = file.read(HEAD_BYTES)
            is_jpeg_sequence = is_jpeg(head) and _holds_further_pictures(file, head)
    except PermissionError as error:
        raise VideoNotFoundError(path, "this user may not read the file; change its permissions") from error
    except OSError as error:
        raise VideoNotFoundError(path, f"the file cannot be read ({error.strerror})") from error
    if not is_jpeg_sequence:
        check_head(path, head)
    return absolute


def _holds_further_pictures(file: BinaryIO, head: bytes) -> bool:
    """Whether the first JPEG picture of a file is followed by a second one, as in a raw Motion JPEG stream."""
    return _SEVERAL_VIEWS not in head and _JPEG_AFTER_JPEG in head + file.read(_SEARCHED_BYTES)


def check_head(uri: str, head: bytes) -> None:
    """Reject a file that cannot be a video.

    Args:
        uri: Location of the file.
        head: The first `HEAD_BYTES` bytes of the file, or all of a shorter file.

    Raises:
        UnsupportedVideoError: The file is empty, a still image, an archive or text.
    """
    problem = problem_of(head, suffix_of(uri))
    if problem is not None:
        raise UnsupportedVideoError(uri, problem)


def _regular_file(path: str) -> str:
    if not path:
        raise VideoNotFoundError(path, "an empty path; name a file")
    try:
        absolute = os.path.abspath(path)  # noqa: PTH100 - Path.absolute keeps ".."
        mode = os.stat(absolute).st_mode  # noqa: PTH116 - takes bytes that are not UTF-8, too
    except FileNotFoundError as error:
        # The target of a link may be on a disk that is not mounted at the moment.
        kind = VideoNotFoundError if Path(path).is_symlink() else VideoGoneError
        raise kind(path, _why_missing(path)) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise VideoNotFoundError(path, f"the path cannot be used ({reason}); check it") from error
    if stat.S_ISDIR(mode):
        raise VideoNotFoundError(path, _folder_problem(absolute))
    if not stat.S_ISREG(mode):
        raise VideoNotFoundError(path, f"{_kind(mode)}, not a regular file; copy its content into a file")
    return absolute


def _folder_problem(folder: str) -> str:
    content = content_of(folder)
    if folder in content.unreadable:
        return "this user may not read the folder; change its permissions"
    if content.videos:
        return "a folder, not a file; name the videos in it"
    if not content.unreadable and _holds_pictures(folder):
        return (
            "a folder of pictures, not of videos; make a video of them first, as:"
            " ffmpeg -framerate 25 -pattern_type glob -i 'FOLDER/*.jpg' -pix_fmt yuv420p NEW.mp4"
        )
    if content.unreadable:
        return (
            f"a folder without readable videos; {content.unreadable[0]!r} in it cannot be read: change its permissions"
        )
    return "a folder without videos (these are recognised by suffix); name other files themselves"


def _holds_pictures(folder: str) -> bool:
    return any(suffix_of(name) in _PICTURE_SUFFIXES for name in os.listdir(folder))  # noqa: PTH208 - as above


def _why_missing(path: str) -> str:
    if Path(path).is_symlink():
        return f"a broken link to {os.readlink(path)!r}; repair it, or leave it out"  # noqa: PTH115 - as above
    if any(character in path for character in "*?["):
        return "no file matches this pattern; check it and the working directory"
    return f"{NO_SUCH_FILE}; check the path and the working directory"


def _kind(mode: int) -> str:
    kinds = {stat.S_ISFIFO: "a FIFO", stat.S_ISSOCK: "a socket", stat.S_ISBLK: "a device", stat.S_ISCHR: "a device"}
    return next((kind for is_kind, kind in kinds.items() if is_kind(mode)), "something special")
