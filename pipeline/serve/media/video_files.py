"""Opens the file of a library's video for a player; only the content that was indexed is ever given out."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import BinaryIO

from pipeline.errors import VideoReadError
from pipeline.io.media import open_media
from pipeline.types import VideoInfo
from pipeline.video import IndexedVideos

__all__ = ["media_type", "open_video_file"]

_TYPES = {
    "mov,mp4,m4a,3gp,3g2,mj2": "video/mp4",
    "matroska,webm": "video/webm",
    "ogg": "video/ogg",
}


def media_type(info: VideoInfo) -> str:
    """Return the media type of a video's file; never one that a browser shows as a document."""
    return _TYPES.get(info.container, "application/octet-stream")


def open_video_file(videos: IndexedVideos, video_id: str) -> tuple[BinaryIO, int]:
    """Open the file of a video, and return it with its size in bytes.

    The content is compared with the video's id first. So if a name now leads to another file, by a link or otherwise,
    that file is not given out. A file of a remote video reads by ranges.

    Raises:
        VideoError: The video is not found, its content has changed, or it cannot be read.
    """
    place = videos.place(video_id)
    media = open_media(place, videos.fetching)
    file = media.open()
    with ExitStack() as unless_right:
        unless_right.callback(file.close)
        # What was identified by its name must be what was opened.
        if videos.place(video_id, place) != place or not _is_same_file(file, media.state):
            raise VideoReadError(place, "it was replaced while it was opened; try again")
        unless_right.pop_all()
    return file, file.seek(0, os.SEEK_END)


def _is_same_file(file: BinaryIO, state: str) -> bool:
    try:
        status = os.fstat(file.fileno())
    except OSError:
        # A remote file has no descriptor; its state is checked with every range.
        return True
    return state == f"{status.st_size} {status.st_mtime_ns}"
