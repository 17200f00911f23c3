"""Finds videos in local folders and by local file name patterns.

Links to folders are followed, since mounted disks are often linked. Each real folder is read only once, so circular
links end; a folder's own path is preferred to the path through a link. Nothing is skipped silently: unreadable folders
and broken links are reported with their paths.
"""

from __future__ import annotations

import glob
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["SUFFIXES", "FolderContent", "content_of", "matches_of"]

_Key = tuple[int, int]  # device and inode

SUFFIXES = frozenset(
    {
        ".264",
        ".265",
        ".3g2",
        ".3gp",
        ".asf",
        ".avi",
        ".divx",
        ".dv",
        ".f4v",
        ".flv",
        ".gif",
        ".h264",
        ".h265",
        ".hevc",
        ".ivf",
        ".m1v",
        ".m2t",
        ".m2ts",
        ".m2v",
        ".m4v",
        ".mjpeg",
        ".mjpg",
        ".mkv",
        ".mov",
        ".mp4",
        ".mpeg",
        ".mpg",
        ".mts",
        ".mxf",
        ".nut",
        ".obu",
        ".ogg",
        ".ogm",
        ".ogv",
        ".qt",
        ".rm",
        ".rmvb",
        ".tp",
        ".trp",
        ".ts",
        ".vob",
        ".webm",
        ".wmv",
        ".wtv",
        ".y4m",
    }
)
"""Lower-case suffixes of the files in a folder that count as videos."""


@dataclass(frozen=True)
class FolderContent:
    """The videos found in a folder and below it.

    Attributes:
        videos: Sorted paths of the files with a video's suffix, without hidden ones.
        unreadable: Sorted paths of unreadable folders and broken links.
    """

    videos: tuple[str, ...]
    unreadable: tuple[str, ...]

    def __iter__(self) -> Iterator[str]:
        """All paths, sorted."""
        return iter(sorted((*self.videos, *self.unreadable)))


def content_of(folder: str) -> FolderContent:
    """Find the videos, by their suffix, in a folder and the folders below it."""
    return _Walk(folder).content


def matches_of(pattern: str) -> list[str]:
    """Find the files that match a pattern (*, ?, [...], ** for any depth), and the videos in folders that do, sorted.

    Hidden files and folders match only if the pattern contains the dot. Links to a folder that has already been read
    are left out. The results include folders without videos, and unreadable folders on the way.
    """
    matches = sorted(set(_matches(pattern)))
    seen: set[_Key] = set()
    found = {
        match: _meant(match, seen) for match in sorted(matches, key=lambda match: (Path(match).is_symlink(), match))
    }
    return [path for match in matches for path in found[match]]


def _meant(match: str, seen: set[_Key]) -> list[str]:
    if not os.path.isdir(match):  # noqa: PTH112 - takes names that are not UTF-8, too
        return [match]
    walk = _Walk(match, seen, is_linked=Path(match).is_symlink())
    return list(walk.content) or [match] * bool(walk.folders)


def _matches(pattern: str) -> Iterator[str]:
    before, has_depth, after = _split_at_depth(pattern)
    if not has_depth:
        yield from glob.glob(pattern)  # noqa: PTH207 - takes names that are not UTF-8, too
        yield from _closed_folders(pattern)
        return
    for root in _matches(before) if before else [""]:
        if root and not os.path.isdir(root):  # noqa: PTH112 - as above
            continue
        walk = _Walk(root or os.curdir)
        yield from (_below(root, path) for path in walk.unreadable)
        for folder in walk.folders:
            if after:
                yield from _matches(os.path.join(glob.escape(_below(root, folder)), after))  # noqa: PTH118
        if not after:
            yield from (_below(root, path) for path in walk.files)


def _split_at_depth(pattern: str) -> tuple[str, bool, str]:
    """Split a pattern at its first component that is **: the part before, whether there is one, and the part after."""
    parts = pattern.split("/")
    if "**" not in parts:
        return pattern, False, ""
    place = parts.index("**")
    before = "/".join(parts[:place]) or ("/" if place and not parts[0] else "")
    return before, True, "/".join(parts[place + 1 :])


def _below(root: str, path: str) -> str:
    """Return a path below the working directory in the form of the pattern, without a leading dot."""
    return path if root else os.path.relpath(path, os.curdir) if path != os.curdir else ""


def _closed_folders(pattern: str) -> Iterator[str]:
    """Yield folders that match the start of a pattern but cannot be searched for the rest."""
    parts = pattern.split("/")
    for count in range(1, len(parts)):
        start = "/".join(parts[:count])
        if glob.has_magic(start):
            found = glob.glob(start)  # noqa: PTH207
            yield from (each for each in found if os.path.isdir(each) and not os.access(each, os.R_OK | os.X_OK))  # noqa: PTH112


class _Walk:
    """Reads a folder, everything below it, and then the targets of links.

    Args:
        root: The folder.
        seen: Real folders that have already been read; links to them are not followed.
        is_linked: Whether `root` is a link that may lead to one of them.

    Attributes:
        folders: All folders that were read.
        files: All files in them, without hidden ones.
        unreadable: Unreadable folders and broken links.
    """

    def __init__(self, root: str, seen: set[_Key] | None = None, *, is_linked: bool = False) -> None:
        self.folders: list[str] = []
        self.files: list[str] = []
        self.unreadable: list[str] = []
        self._seen = set() if seen is None else seen
        self._links: deque[str] = deque()
        self._read(root, is_linked=is_linked)
        while self._links:
            self._read(self._links.popleft(), is_linked=True)

    @property
    def content(self) -> FolderContent:
        """The videos, and the unreadable folders and links."""
        videos = (path for path in self.files if _suffix(path) in SUFFIXES)
        return FolderContent(tuple(sorted(videos)), tuple(sorted(self.unreadable)))

    def _read(self, top: str, *, is_linked: bool) -> None:
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            try:
                found = os.stat(folder)  # noqa: PTH116
                key = found.st_dev, found.st_ino
                if is_linked and key in self._seen:
                    continue
                self._seen.add(key)
                with os.scandir(folder) as scanned:
                    entries = sorted(scanned, key=lambda entry: entry.name)
            except OSError:
                self.unreadable.append(folder)
                continue
            self.folders.append(folder)
            inner = [entry.path for entry in entries if self._is_inner_folder(entry)]
            waiting.extend(reversed(inner))

    def _is_inner_folder(self, entry: os.DirEntry[str]) -> bool:
        """Whether an entry is a folder to read next; files and links are recorded."""
        if entry.name.startswith("."):
            return False
        if entry.is_dir(follow_symlinks=False):
            return True
        is_link = entry.is_symlink()
        if is_link and os.path.isdir(entry.path):  # noqa: PTH112 - a link to itself is no error here
            self._links.append(entry.path)
        elif not is_link or os.path.exists(entry.path):  # noqa: PTH110
            self.files.append(entry.path)
        elif _may_mean_videos(entry):
            self.unreadable.append(entry.path)
        return False


def _may_mean_videos(broken: os.DirEntry[str]) -> bool:
    """Whether a broken link may have referred to a video or a folder, by its suffix or that of its target."""
    suffixes = {_suffix(broken.path), _suffix(os.readlink(broken.path))}  # noqa: PTH115
    return bool(suffixes & (SUFFIXES | {""}))


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower()  # noqa: PTH122 - Path drops a leading "./"
