"""Safe file names for clips, made from the names of videos."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import PurePosixPath

from pipeline.types import Moment
from pipeline.uris import public_name

__all__ = ["clip_name", "title_of"]

# A file name has at most 255 bytes on almost all file systems. Beside the title there are the rank, two times, a digest
# and the suffix: 60 bytes at most.
_MOST_TITLE_BYTES = 180
_MOST_TITLE_CHARACTERS = 60
_DIGEST_CHARACTERS = 8
# Thirty years; a file that claims more is damaged, and its times would take hundreds of digits.
_MOST_PLAIN_SECONDS = 1e9


def clip_name(rank: int, moment: Moment) -> str:
    """Make a portable file name for a clip, as "01-gate-camera-12.500-16.250.mp4".

    Args:
        rank: The moment's place in the answer, which no other moment of the answer has.
        moment: The moment.
    """
    times = f"{_seconds(moment.start_seconds)}-{_seconds(moment.end_seconds)}"
    return f"{rank:02d}-{title_of(moment.uri, moment.video_id)}-{times}.mp4"


def title_of(uri: str, video_id: str) -> str:
    """Make a part of a portable file name of a video's name without its suffix.

    Letters, digits, combining marks, ".", "-" and "_" are kept, and anything else, such as control characters,
    direction marks and emoji, becomes "_". It has at most 60 characters and 180 bytes of UTF-8. Where it was cut, or
    lost characters beyond ASCII, a digest of the video's URI follows, so that other videos have other names.

    Args:
        uri: The video's name.
        video_id: Its id.
    """
    stem = PurePosixPath(public_name(uri)).stem
    safe = re.sub("_+", "_", "".join(each if _is_safe(each) else "_" for each in stem)).strip("._-")
    title = _cut(safe).rstrip("._-")
    if title == safe and title and not _lost_characters(stem):
        return title
    digest = hashlib.sha256(f"{uri}\0{video_id}".encode(errors="surrogatepass")).hexdigest()
    return f"{title or 'video'}-{digest[:_DIGEST_CHARACTERS]}"


def _is_safe(character: str) -> bool:
    return character.isalnum() or character in "_.-" or _is_mark(character)


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M")


def _lost_characters(stem: str) -> bool:
    return any(not _is_safe(each) for each in stem if not each.isascii())


def _cut(text: str) -> str:
    """The beginning of a text, ended before a character that does not fit whole with its combining marks."""
    size, end = 0, 0
    for place, character in enumerate(text):
        if not _is_mark(character):
            end = place
        size += len(character.encode())
        if size > _MOST_TITLE_BYTES or place >= _MOST_TITLE_CHARACTERS:
            return text[:end]
    return text


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}" if abs(seconds) < _MOST_PLAIN_SECONDS else f"{seconds:.3e}"
