"""Checks of the directory tree of a Milvus Lite folder: no links, no pipes, nothing shared.

The folder may come from others. Milvus Lite opens, overwrites and deletes files by their paths, so that a link in the
folder would lead it elsewhere, and a pipe would stop it for ever.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import MomentIndexError

__all__ = ["check_index_folder", "emptied", "hard_links", "own_copy", "wrong_files"]

# Milvus Lite's own files are at most 7 folders deep (databases/D/collections/C/partitions/P/data).
_MOST_DEPTH = 16
_KINDS = {
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def check_index_folder(folder: Path) -> None:
    """Refuse an index folder that is a link or no folder: links below a library are not followed.

    Raises:
        MomentIndexError: It is a link or a file.
    """
    try:
        mode = folder.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise MomentIndexError(f"the index in {str(folder)!r} cannot be opened: {error}") from error
    if stat.S_ISLNK(mode):
        raise MomentIndexError(
            f"the index {str(folder)!r} is a link, which is not followed: set index.uri to the folder that is meant, or"
            " remove the link and run: momentseek index rebuild"
        )
    if not stat.S_ISDIR(mode):
        raise MomentIndexError(f"the index {str(folder)!r} is no folder; remove it and run: momentseek index rebuild")


def wrong_files(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield what is neither a regular file nor a folder, as ("a link", "collections/x").

    Raises:
        OSError: Something cannot be listed.
    """
    for place, seen in _files(folder):
        if kind := _KINDS.get(stat.S_IFMT(seen.st_mode)):
            yield kind, place
        elif place.count("/") > _MOST_DEPTH:
            yield "folders that are too deep", place


def hard_links(folder: Path) -> list[str]:
    """List hard-linked files: overwriting one overwrites the file under its other names, too.

    Raises:
        OSError: Something cannot be listed.
    """
    return [place for place, seen in _files(folder) if stat.S_ISREG(seen.st_mode) and seen.st_nlink > 1]


def own_copy(folder: Path, place: str) -> None:
    """Replace a hard-linked file by a copy of its own.

    Raises:
        OSError: It cannot be copied.
    """
    path = folder / place
    copy = path.with_name(f"{path.name}.momentseek-copy")
    # A copy that was ended early would be written through, if it were a link.
    copy.unlink(missing_ok=True)
    try:
        with open(path, "rb", opener=_opened) as given, copy.open("xb") as target:
            os.fchmod(target.fileno(), stat.S_IMODE(os.fstat(given.fileno()).st_mode))
            shutil.copyfileobj(given, target)
        copy.replace(path)
    except BaseException:
        with suppress(OSError):
            copy.unlink(missing_ok=True)
        raise


def emptied(folder: Path, *, kept: str) -> None:
    """Empty a folder while holding the lock of a file in it; links are removed, not followed.

    Args:
        folder: No link.
        kept: The file that a process locks which uses the folder. It stays if it is a regular file.

    Raises:
        BlockingIOError: A process has locked it.
        OSError: Something cannot be removed.
    """
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with _locked(kept, here) as is_locked:
            for name in os.listdir(here):  # noqa: PTH208 - by the open folder
                if name == kept and is_locked:
                    continue
                if stat.S_ISDIR(os.stat(name, dir_fd=here, follow_symlinks=False).st_mode):
                    shutil.rmtree(name, dir_fd=here)
                else:
                    os.unlink(name, dir_fd=here)
    finally:
        os.close(here)


@contextmanager
def _locked(name: str, here: int) -> Iterator[bool]:
    """Whether there is a regular file of that name, which is locked meanwhile."""
    try:
        lock = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=here)
    except FileNotFoundError:
        yield False
        return
    except OSError as error:
        # A link, a folder, or a pipe: nobody can hold the index by it.
        if error.errno not in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise
        yield False
        return
    try:
        is_file = stat.S_ISREG(os.fstat(lock).st_mode)
        if is_file:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield is_file
    finally:
        os.close(lock)


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """All that is below a folder, with its path from there; links are not followed."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        yield from _below(descriptor, "", 0)
    finally:
        os.close(descriptor)


def _below(descriptor: int, prefix: str, depth: int) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(descriptor) as entries:
        for entry in entries:
            place = f"{prefix}{entry.name}"
            try:
                seen = entry.stat(follow_symlinks=False)
                yield place, seen
                if not stat.S_ISDIR(seen.st_mode) or depth > _MOST_DEPTH:
                    continue
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                below = os.open(entry.name, flags, dir_fd=descriptor)
            except FileNotFoundError:
                # The process that holds the folder is at work.
                continue
            try:
                yield from _below(below, f"{place}/", depth + 1)
            finally:
                os.close(below)
