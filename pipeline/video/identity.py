"""Computes a video's id from its content."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass

from pipeline.errors import VideoNotFoundError
from pipeline.io.media import open_media
from pipeline.io.settings import Fetching

__all__ = ["Identity", "content_id", "identify"]

_PART_BYTES = 2**20


@dataclass(frozen=True)
class Identity:
    """The id of a video, and the state of its file when it was computed.

    Attributes:
        video_id: Its content's id.
        state: What its place said of the content, for `check_state`.
    """

    video_id: str
    state: str


def content_id(path: str, fetching: Fetching | None = None) -> str:
    """Compute a video's id; see `identify`.

    Raises:
        VideoError: It cannot be read, as `identify` says.
    """
    return identify(path, fetching or Fetching()).video_id


def identify(path: str, fetching: Fetching) -> Identity:
    """Compute the id of the video at a path or URI.

    Its id is 16 hex digits of a BLAKE2b of its size and content, whatever its name and place.

    Of a file larger than 3 MiB only the first, the middle and the last MiB are read, so that an id costs the same for
    hours of video. Two files of the same size that differ elsewhere alone would be taken for one: copies that were
    damaged in between, say, but not two encodings or two recordings.

    Args:
        path: A path or URI.
        fetching: How remote videos are read.

    Raises:
        VideoNotFoundError: There is no readable regular file at `path`.
        VideoReadError: It is remote, and its place errs or stalls, or it changed meanwhile.
        UnsupportedVideoError: It is empty, a still image or text.
    """
    with closing(open_media(path, fetching)) as media:
        try:
            with media.open() as file:
                size_bytes = file.seek(0, 2)
                digest = hashlib.blake2b(str(size_bytes).encode(), digest_size=8)
                middle, tail = (size_bytes - _PART_BYTES) // 2, size_bytes - _PART_BYTES
                starts = [0, middle, tail] if size_bytes > 3 * _PART_BYTES else range(0, size_bytes, _PART_BYTES)
                for start in starts:
                    file.seek(start)
                    digest.update(file.read(_PART_BYTES))
        except OSError as error:
            raise VideoNotFoundError(path, f"the file cannot be read ({error.strerror})") from error
        media.check_unchanged()
    return Identity(digest.hexdigest(), media.state)
