"""Placement of indexed videos in folders, by copies or links; existing files are never replaced."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from pipeline.errors import VideoError, VideoReadError
from pipeline.export.clip_names import title_of
from pipeline.io.media import open_media
from pipeline.uris import is_remote, local_path, suffix_of
from pipeline.video import IndexedVideos, identify

__all__ = ["copy_video", "link_video", "publish"]

_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
_CHUNK_BYTES = 4 * 2**20
_ID_CHARACTERS = 8


def copy_video(videos: IndexedVideos, video_id: str, uri: str, folder: Path) -> tuple[Path, bool]:
    """Copy a video into a folder under its own name, with its id appended if that name is taken.

    The copy appears once it is complete and checked against the indexed content. Existing files are not replaced.

    Args:
        videos: Finds a file that still has the video's content.
        video_id: The video's id.
        uri: The preferred name.
        folder: An existing folder.

    Returns:
        The copy, and whether it is new: an equal one may have existed before.

    Raises:
        VideoError: The video is gone, has other content now, changes during the copy, or its names are taken.
        OSError: The folder cannot be written to.
    """
    place = videos.place(video_id, uri)
    for target in _targets(folder, uri, video_id):
        if _holds(target, video_id, videos):
            return target, False
    partial = folder / f".{secrets.token_hex(8)}.partial{_suffix(uri)}"
    try:
        _copy(videos, place, partial)
        if identify(str(partial), videos.fetching).video_id != video_id:
            raise VideoReadError(uri, "its copy holds another content; was it changed meanwhile? Index it again")
        for target in _targets(folder, uri, video_id):
            if publish(partial, target):
                return target, True
    finally:
        partial.unlink(missing_ok=True)
    raise _taken(folder, uri)


def link_video(videos: IndexedVideos, video_id: str, uri: str, folder: Path) -> tuple[Path, bool]:
    """Create a symbolic link to a video in a folder, with the names of `copy_video`.

    Raises:
        VideoError: The video is gone, has other content now, is not on this machine, or its names are taken.
        OSError: The folder cannot be written to.
    """
    place = videos.place(video_id, uri)
    if is_remote(place):
        raise VideoReadError(uri, "a link leads to a file of this machine, and this one is remote; use `place: copy`")
    source = Path(os.path.abspath(local_path(place)))  # noqa: PTH100 - Path.absolute keeps ".."
    for target in _targets(folder, uri, video_id):
        try:
            target.symlink_to(source)
        except FileExistsError:
            if target.is_symlink() and target.readlink() == source:
                return target, False
        else:
            return target, True
    raise _taken(folder, uri)


def publish(partial: Path, target: Path) -> bool:
    """Rename a finished file unless the name is taken; return whether it was renamed.

    Raises:
        OSError: The folder cannot be written to.
    """
    try:
        os.link(partial, target)
    except FileExistsError:
        return False
    except OSError:
        # Without hard links, an empty file reserves the name first.
        try:
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            return False
        try:
            partial.replace(target)
        except OSError:
            target.unlink(missing_ok=True)
            raise
    return True


def _targets(folder: Path, uri: str, video_id: str) -> Iterator[Path]:
    title, suffix = title_of(uri, video_id), _suffix(uri)
    yield folder / f"{title}{suffix}"
    yield folder / f"{title}-{video_id[:_ID_CHARACTERS]}{suffix}"


def _suffix(uri: str) -> str:
    suffix = suffix_of(uri)
    return suffix if _SUFFIX.fullmatch(suffix) else ""


def _holds(target: Path, video_id: str, videos: IndexedVideos) -> bool:
    """Whether a file is a copy of a video; links are not copies."""
    if target.is_symlink() or not target.is_file():
        return False
    with suppress(VideoError):
        return identify(str(target), videos.fetching).video_id == video_id
    return False


def _copy(videos: IndexedVideos, place: str, partial: Path) -> None:
    with closing(open_media(place, videos.fetching)) as media:
        with media.open() as source, partial.open("xb") as copy:
            while chunk := source.read(_CHUNK_BYTES):
                copy.write(chunk)
            copy.flush()
            os.fsync(copy.fileno())
        media.raise_failure()
        media.check_unchanged()


def _taken(folder: Path, uri: str) -> VideoReadError:
    return VideoReadError(uri, f"its names in {str(folder)!r} are taken by other files, which are not replaced")
