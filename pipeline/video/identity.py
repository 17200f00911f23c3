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
        video_id: The id of the content.
        state: State of the file, for `check_state`.
    """

    video_id: str
    state: str


def content_id(path: str, fetching: Fetching | None = None) -> str:
    """Compute a video's id; see `identify`.

    Raises:
        VideoError: The video cannot be read; see `identify`.
    """
    return identify(path, fetching or Fetching()).video_id


def identify(path: str, fetching: Fetching) -> Identity:
    """Compute the id of the video at a path or URI.

    The id is 16 hex digits of a BLAKE2b hash of the file's size and content; it does not depend on name or location.

    Only the first, middle and last MiB of a file larger than 3 MiB are read, so that the cost does not depend on the
    length of the video. Two files of the same size that differ only elsewhere get the same id. This can happen with
    damaged copies, but not with different encodings or recordings.

    Args:
        path: A path or URI.
        fetching: Settings for reading remote videos.

    Raises:
        VideoNotFoundError: There is no readable regular file at `path`.
        VideoReadError: The server or store fails or stalls, or the file changed while it was read.
        UnsupportedVideoError: The file is empty, a still image or text.
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
