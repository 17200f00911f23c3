"""Private libraries: folders with mode 0700 and files with mode 0600, whatever the umask.

A file `.private` in the library's folder marks a private library. Every process that writes to the library, on any
machine, then creates its files with these modes (see `LocalFolder`).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import StoreError
from pipeline.store.file_name_patterns import temporary_name
from pipeline.store.local_folder import PRIVATE_MARK, LocalFolder, shown_path

__all__ = ["is_private", "loose_files", "make_private", "make_public", "tighten"]

_FOLDER_MODE, _FILE_MODE = 0o700, 0o600
_OTHERS = 0o077
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CONTENT = b"momentseek keeps the files of this library to their owner (library.private)\n"


def is_private(folder: Path) -> bool:
    """Whether a library's folder is marked as private."""
    return os.path.lexists(folder / PRIVATE_MARK)


def make_private(folder: Path) -> None:
    """Make a library and its existing files private; create its folder if it does not exist.

    If the library is already private, only two files are checked.

    Args:
        folder: A library's folder.

    Raises:
        StoreError: Modes cannot be changed, for example because the files belong to another user.
    """
    try:
        if not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                folder.mkdir(_FOLDER_MODE)
        if is_private(folder) and not stat.S_IMODE(folder.stat().st_mode) & _OTHERS:
            return
        # From here on, others cannot access the files in the folder.
        folder.chmod(_FOLDER_MODE)
        if not is_private(folder):
            LocalFolder(str(folder)).create(PRIVATE_MARK, _CONTENT)
        tighten(folder)
    except OSError as error:
        raise StoreError(
            f"{shown_path(str(folder))}: cannot be made private ({error.strerror}): its files must belong to this user;"
            " change their owner, or unset library.private"
        ) from error


def make_public(folder: Path) -> None:
    """Make a library public: new files get their modes from the umask, and existing files keep theirs.

    Raises:
        StoreError: The marker file cannot be removed.
    """
    try:
        (folder / PRIVATE_MARK).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{shown_path(str(folder))}: cannot be made public: {error.strerror}") from error


def tighten(folder: Path) -> None:
    """Remove the permissions of others from all files in a folder, without following links.

    A file with several hard links is replaced by a copy, so the mode of its other names does not change.

    Raises:
        OSError: A mode cannot be changed.
    """
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(folder, _FOLDER)
        try:
            _tighten_folder(descriptor)
        finally:
            os.close(descriptor)


def loose_files(folder: Path) -> Iterator[str]:
    """Yield the paths below a folder, and the folder itself ("."), for which others have any permission."""
    if folder.stat().st_mode & _OTHERS:
        yield "."
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            with contextlib.suppress(FileNotFoundError):
                mode = path.lstat().st_mode
                if not stat.S_ISLNK(mode) and mode & _OTHERS:
                    yield str(path.relative_to(folder))


def _tighten_folder(folder: int) -> None:
    os.fchmod(folder, _FOLDER_MODE)
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries]
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                inner = os.open(name, _FOLDER, dir_fd=folder)
                try:
                    _tighten_folder(inner)
                finally:
                    os.close(inner)
            elif stat.S_ISREG(mode) and mode & _OTHERS:
                _tighten_file(folder, name)


def _tighten_file(folder: int, name: str) -> None:
    descriptor = os.open(name, _FILE, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return
        if status.st_nlink == 1:
            os.fchmod(descriptor, _FILE_MODE)
            return
        temporary = temporary_name(name[:100])
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(temporary, flags, _FILE_MODE, dir_fd=folder), "wb") as copy:
            shutil.copyfileobj(file, copy)
        os.utime(temporary, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=folder)
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
