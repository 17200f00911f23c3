"""A video's identity, from its content."""

from __future__ import annotations

import hashlib
from contextlib import closing

from pipeline.errors import VideoNotFoundError
from pipeline.video.media import open_media
from pipeline.video.settings import Fetching

__all__ = ["content_id"]

_PART_BYTES = 2**20


def content_id(path: str, fetching: Fetching | None = None) -> str:
    """A video's id: 16 hex digits of a BLAKE2b of its size and content, whatever its name and place.

    Of a file larger than 3 MiB only the first, the middle and the last MiB are read, so that an id costs the same for
    hours of video. Two files of the same size that differ elsewhere alone would be taken for one: copies that were
    damaged in between, say, but not two encodings or two recordings.

    Args:
        path: A path or URI.
        fetching: How remote videos are read; None for the defaults.

    Raises:
        VideoNotFoundError: There is no readable regular file at `path`.
        VideoReadError: It is remote, and its place errs or stalls, or it changed meanwhile.
        UnsupportedVideoError: It is empty, a still image or text.
    """
    with closing(open_media(path, fetching or Fetching())) as media:
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
    return digest.hexdigest()
