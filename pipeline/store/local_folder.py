"""Access to files below a local folder without following links.

A library may come from others, or be in a place where others can write. Every folder below it is therefore opened with
O_NOFOLLOW, relative to its parent's descriptor (openat(2)), and every file relative to its folder's descriptor. So a
folder that is replaced by a link between a check and its use is not followed, either.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple

from pipeline.errors import StoreError
from pipeline.store.file_name_patterns import TEMPORARY, temporary_name

__all__ = ["PRIVATE_MARK", "LocalFolder", "shown_path"]

PRIVATE_MARK = ".private"
"""A library with a file of this name is private: only its owner can read it."""

PARTIAL = ".partial"
_ABANDONED_SECONDS = 3600.0
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Without O_NONBLOCK, opening a FIFO waits for its writer.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_SHOWN_CHARACTERS = 200
_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class _Folder(NamedTuple):
    """An open folder: its descriptor, its path for messages, and whether new files in it are private to their owner."""

    descriptor: int
    path: str
    is_private: bool


class LocalFolder:
    """A folder on a local disk. File names are relative to it, with slashes as separators.

    A link, FIFO, socket or device instead of a file or folder raises a StoreError. Files are replaced as a whole and
    never modified in place, so other hard links to a file keep the old content.

    Args:
        root: A library's folder. It may be a link or lie below one, since the user named it.
        below: Path of the folder with the files, relative to the root.
    """

    def __init__(self, root: str, below: str = "") -> None:
        self._root = root
        self._below = below

    def open(self, name: str) -> BinaryIO:
        """Open a regular file for reading.

        Raises:
            StoreError: It is a link or special file, or a folder above it is a link.
            OSError: It cannot be read, or does not exist.
        """
        folder_name, base = self._split(name)
        with self._entered(folder_name) as folder:
            if not self._is_file(folder, base):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), f"{folder.path}/{base}")
            try:
                descriptor = os.open(base, _FILE, dir_fd=folder.descriptor)
            except OSError:
                # It may have been replaced by a link since the check.
                self._is_file(folder, base)
                raise
        file = os.fdopen(descriptor, "rb")
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            file.close()
            raise _refusal(f"{folder.path}/{base}", "not a regular file")
        return file

    @contextlib.contextmanager
    def writing(self, name: str, *, is_synced: bool = True) -> Iterator[IO[bytes]]:
        """Open a new file that replaces the one of that name if the block ends without an error, synced if required.

        Raises:
            StoreError: A link or special file has that name, or a folder above it is a link.
            OSError: It cannot be written; an existing file is unchanged.
        """
        with self._temporary(name) as (file, temporary, partial, folder, base):
            yield file
            file.flush()
            if is_synced:
                os.fsync(file.fileno())
            self._check_replaceable(folder, base)
            os.replace(temporary, base, src_dir_fd=partial.descriptor, dst_dir_fd=folder.descriptor)
            if is_synced:
                os.fsync(folder.descriptor)

    def create(self, name: str, content: bytes) -> None:
        """Write a new file; the name must not exist.

        Raises:
            FileExistsError: The name exists.
            StoreError: A folder above it is a link.
            OSError: It cannot be written.
        """
        with self._temporary(name) as (file, temporary, partial, folder, base):
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            sides = {"src_dir_fd": partial.descriptor, "dst_dir_fd": folder.descriptor}
            os.link(temporary, base, **sides, follow_symlinks=False)
            os.unlink(temporary, dir_fd=partial.descriptor)
            os.fsync(folder.descriptor)

    def stat(self, name: str) -> os.stat_result | None:
        """Return the status of a file or folder; None if it does not exist.

        Raises:
            StoreError: It is a link or special file, or a folder above it is a link.
            OSError: The status cannot be read.
        """
        folder_name, base = self._split(name)
        try:
            with self._entered(folder_name) as folder:
                return _checked(folder, base)
        except FileNotFoundError:
            return None

    def names(self, folder_name: str) -> tuple[str, ...]:
        """List all names in a folder.

        Raises:
            StoreError: It is a link, or a folder above it is a link.
            OSError: It cannot be listed, or does not exist.
        """
        with self._entered(folder_name) as folder:
            return _names_in(folder)

    def statuses(self, names: Iterable[str]) -> dict[str, os.stat_result]:
        """Return the status of names in the folder itself, by name; links are not followed, missing names left out.

        Raises:
            StoreError: The folder is a link, or a folder above it is one.
            OSError: A status cannot be read, or the folder does not exist.
        """
        found = {}
        with self._entered("") as folder:
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    found[name] = os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False)
        return found

    def delete(self, name: str) -> bool:
        """Remove a regular file; return whether it existed.

        Raises:
            StoreError: It is a link or a special file, or a folder above it is a link; nothing is removed.
            OSError: It cannot be removed.
        """
        folder_name, base = self._split(name)
        try:
            with self._entered(folder_name) as folder:
                _checked(folder, base)
                os.unlink(base, dir_fd=folder.descriptor)
        except FileNotFoundError:
            return False
        return True

    def delete_folder(self, folder_name: str, pattern: re.Pattern[str]) -> None:
        """Remove a folder whose files all have names that match a pattern, if it exists.

        Raises:
            StoreError: It contains anything else, or it is a link or lies below one; nothing is removed.
            OSError: It cannot be removed.
        """
        above, base = self._split(folder_name)
        with contextlib.suppress(FileNotFoundError), self._entered(above) as parent:
            with self._entered(folder_name) as folder:
                files = _names_in(folder)
                for file in files:
                    if not pattern.fullmatch(file):
                        raise StoreError(
                            f"{shown_path(f'{folder.path}/{file}')}: is not a file of momentseek; move it away"
                        )
                    if not self._is_file(folder, file):
                        raise _refusal(f"{folder.path}/{file}", "a folder")
                for file in files:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(file, dir_fd=folder.descriptor)
            os.rmdir(base, dir_fd=parent.descriptor)

    def make(self) -> None:
        """Create the folder and its missing parents.

        Raises:
            StoreError: A folder below the root is a link.
            OSError: A folder cannot be created.
        """
        with self._entered("", create=True):
            pass

    @contextlib.contextmanager
    def _temporary(self, name: str) -> Iterator[tuple[IO[bytes], str, _Folder, _Folder, str]]:
        folder_name, base = self._split(name)
        with self._entered(folder_name, create=True) as folder, self._entered(PARTIAL, create=True) as partial:
            _remove_abandoned(partial)
            self._check_replaceable(folder, base)
            temporary = temporary_name(base)
            try:
                with _new_file(partial, temporary) as file:
                    yield file, temporary, partial, folder, base
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temporary, dir_fd=partial.descriptor)
                raise

    @contextlib.contextmanager
    def _entered(self, folder_name: str, *, create: bool = False) -> Iterator[_Folder]:
        """Open a folder one path component at a time, and close it at the end."""
        parts = [part for part in f"{self._below}/{folder_name}".split("/") if part]
        folder = self._opened_root(create)
        try:
            for part in parts:
                inner = _opened(folder, _safe(part, f"{folder.path}/{part}"), create)
                os.close(folder.descriptor)
                folder = inner
            yield folder
        finally:
            os.close(folder.descriptor)

    def _opened_root(self, create: bool) -> _Folder:
        if create:
            Path(self._root).mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._root, _FOLDER)
        is_private = create and _exists(descriptor, PRIVATE_MARK)
        return _Folder(descriptor, self._root.rstrip("/"), is_private)

    def _split(self, name: str) -> tuple[str, str]:
        folder_name, _, base = name.rpartition("/")
        return folder_name, _safe(base, f"{self._root}/{name}")

    def _is_file(self, folder: _Folder, base: str) -> bool:
        return stat.S_ISREG(_checked(folder, base).st_mode)

    def _check_replaceable(self, folder: _Folder, base: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            _checked(folder, base)


def shown_path(path: str) -> str:
    """Format a path for a message: at most 200 characters, without control characters."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in path)
    half = _MAX_SHOWN_CHARACTERS // 2
    # The beginning identifies the library, and the end the file.
    return text if len(text) <= _MAX_SHOWN_CHARACTERS else f"{text[: half - 3]}...{text[-half:]}"


def _opened(parent: _Folder, part: str, create: bool) -> _Folder:
    path = f"{parent.path}/{part}"
    try:
        return _Folder(os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=parent.descriptor), path, parent.is_private)
    except FileNotFoundError:
        if not create:
            raise
    except OSError:
        # For a link or special file, this raises a StoreError that names its kind.
        _checked(parent, part)
        raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(part, 0o700 if parent.is_private else 0o777, dir_fd=parent.descriptor)
    try:
        descriptor = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=parent.descriptor)
    except OSError:
        _checked(parent, part)
        raise
    return _Folder(descriptor, path, parent.is_private)


def _names_in(folder: _Folder) -> tuple[str, ...]:
    with os.scandir(folder.descriptor) as entries:
        return tuple(entry.name for entry in entries)


def _checked(folder: _Folder, base: str) -> os.stat_result:
    """Return the status of a regular file or folder.

    Raises:
        StoreError: It is a link or special file.
        OSError: It does not exist, or its status cannot be read.
    """
    found = os.stat(base, dir_fd=folder.descriptor, follow_symlinks=False)
    for is_kind, kind in _KINDS:
        if is_kind(found.st_mode):
            raise _refusal(f"{folder.path}/{base}", kind)
    return found


def _refusal(path: str, kind: str) -> StoreError:
    return StoreError(
        f"{shown_path(path)}: is {kind}, but a library has only regular files and folders; it was not followed, read,"
        " written or deleted: replace it by the original, or remove it by hand"
    )


def _safe(part: str, path: str) -> str:
    if part in ("", ".", "..") or "\0" in part:
        raise StoreError(f"{shown_path(path)}: is not a valid file name in a library")
    return part


@contextlib.contextmanager
def _new_file(folder: _Folder, name: str) -> Iterator[IO[bytes]]:
    """Create a file; in a private library it is private to its owner from the beginning."""
    descriptor = os.open(name, _NEW_FILE, 0o600 if folder.is_private else 0o666, dir_fd=folder.descriptor)
    with os.fdopen(descriptor, "r+b") as file:
        yield file


def _exists(descriptor: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _remove_abandoned(partial: _Folder) -> None:
    """Remove the temporary files of killed writers; newer ones may still be in use and stay.

    Raises:
        StoreError: A link has such a name.
        OSError: The files cannot be listed or removed.
    """
    for name in _names_in(partial):
        if not TEMPORARY.fullmatch(name):
            continue
        with contextlib.suppress(FileNotFoundError):
            found = _checked(partial, name)
            if stat.S_ISREG(found.st_mode) and found.st_mtime < time.time() - _ABANDONED_SECONDS:
                os.unlink(name, dir_fd=partial.descriptor)
