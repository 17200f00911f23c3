"""Safe file names for clips, made from the names of videos."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import PurePosixPath

from pipeline.types import Moment
from pipeline.uris import public_name

__all__ = ["clip_name", "title_of"]

# A file name has at most 255 bytes on almost all file systems. In addition to the title it contains the rank, two
# times, a digest and the suffix: at most 60 bytes.
_MOST_TITLE_BYTES = 180
_MOST_TITLE_CHARACTERS = 60
_DIGEST_CHARACTERS = 8
# Thirty years. A file with a longer duration is damaged, and its times would have hundreds of digits.
_MOST_PLAIN_SECONDS = 1e9


def clip_name(rank: int, moment: Moment) -> str:
    """Make a portable file name for a clip, such as "01-gate-camera-12.500-16.250.mp4".

    Args:
        rank: The moment's rank, unique in the answer.
        moment: The moment.
    """
    times = f"{_seconds(moment.start_seconds)}-{_seconds(moment.end_seconds)}"
    return f"{rank:02d}-{title_of(moment.uri, moment.video_id)}-{times}.mp4"


def title_of(uri: str, video_id: str) -> str:
    """Make part of a portable file name from a video's name, without its suffix.

    Letters, digits, combining marks, ".", "-" and "_" are kept. All other characters, such as control characters,
    direction marks and emoji, become "_". The result has at most 60 characters and 180 bytes of UTF-8. If it was
    shortened, or lost characters beyond ASCII, a digest of the video's URI follows, so that different videos have
    different names.

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
    """Shorten a text without splitting a character from its combining marks."""
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
