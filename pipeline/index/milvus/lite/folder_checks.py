"""Checks of the directory tree of a Milvus Lite folder: no links, no pipes, no hard-linked files.

The folder may come from others. Milvus Lite opens, overwrites and deletes files by their paths, so a link in the folder
would lead it to other files, and a pipe would block it forever.
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
_MAX_DEPTH = 16
_KINDS = {
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def check_index_folder(folder: Path) -> None:
    """Reject an index folder that is a link or not a folder; links below a library are not followed.

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
            f"the index {str(folder)!r} is a link, which is not followed: set index.uri to the intended folder, or"
            " remove the link and run: momentseek index rebuild"
        )
    if not stat.S_ISDIR(mode):
        raise MomentIndexError(
            f"the index {str(folder)!r} is not a folder; remove it and run: momentseek index rebuild"
        )


def wrong_files(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield entries that are neither a regular file nor a folder, as ("a link", "collections/x").

    Raises:
        OSError: Something cannot be listed.
    """
    for path, status in _files(folder):
        if kind := _KINDS.get(stat.S_IFMT(status.st_mode)):
            yield kind, path
        elif path.count("/") > _MAX_DEPTH:
            yield "folders that are too deep", path


def hard_links(folder: Path) -> list[str]:
    """List files with several hard links; overwriting one would change the file under its other names, too.

    Raises:
        OSError: Something cannot be listed.
    """
    return [path for path, status in _files(folder) if stat.S_ISREG(status.st_mode) and status.st_nlink > 1]


def own_copy(folder: Path, name: str) -> None:
    """Replace a hard-linked file by a copy that has no other name.

    Raises:
        OSError: The file cannot be copied.
    """
    path = folder / name
    copy = path.with_name(f"{path.name}.momentseek-copy")
    # Removed first: a leftover of this name could be a link, through which the copy would be written.
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


def emptied(folder: Path, *, lock_file: str) -> None:
    """Empty a folder while holding the lock on a file in it; links are removed, not followed.

    Args:
        folder: The folder; it must not be a link.
        lock_file: Name of the file that processes lock while they use the folder. It is kept if it is a regular file.

    Raises:
        BlockingIOError: A process has locked the file.
        OSError: Something cannot be removed.
    """
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with _locked(lock_file, here) as is_locked:
            for name in os.listdir(here):  # noqa: PTH208 - by the open folder
                if name == lock_file and is_locked:
                    continue
                if stat.S_ISDIR(os.stat(name, dir_fd=here, follow_symlinks=False).st_mode):
                    shutil.rmtree(name, dir_fd=here)
                else:
                    os.unlink(name, dir_fd=here)
    finally:
        os.close(here)


@contextmanager
def _locked(name: str, here: int) -> Iterator[bool]:
    """Lock a file if it is a regular one, and yield whether it is."""
    try:
        lock = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=here)
    except FileNotFoundError:
        yield False
        return
    except OSError as error:
        # A link, folder or pipe cannot be the lock of an open index.
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
    """Yield the relative path and status of every entry below a folder; links are not followed."""
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
            path = f"{prefix}{entry.name}"
            try:
                status = entry.stat(follow_symlinks=False)
                yield path, status
                if not stat.S_ISDIR(status.st_mode) or depth > _MAX_DEPTH:
                    continue
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                below = os.open(entry.name, flags, dir_fd=descriptor)
            except FileNotFoundError:
                # The process that uses the folder has removed it in the meantime.
                continue
            try:
                yield from _below(below, f"{path}/", depth + 1)
            finally:
                os.close(below)
