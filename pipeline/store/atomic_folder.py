"""Atomic file writes at an fsspec URL; on a local disk no link is followed."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import IO, Any

import fsspec
import fsspec.core
from fsspec.implementations.local import LocalFileSystem

from pipeline.errors import StoreError, StoreFullError
from pipeline.store.listing.file_versions import VersionsOf, listed_version, local_version
from pipeline.store.listing.object_stores import entries_in, storage_options
from pipeline.store.local_folder import LocalFolder
from pipeline.uris import public_text, refusal_of_library, shown_name

__all__ = ["MOST_BYTES", "AtomicFolder"]

MOST_BYTES = 64 * 2**20
"""Maximum size of a file that is read whole. A run's report has less than 1 MiB; a frame sample has up to 16 MiB at
1,024 dimensions."""

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class AtomicFolder:
    """A folder on a disk or in an object store, whose files are written whole or not at all.

    On a local disk, links below `url` are not followed (see `LocalFolder`). A file is first written to `.partial/` in
    the same folder, synced, and then renamed; files left there by killed writers are removed after an hour. For a
    remote URL, the file is written to the system's temporary folder and uploaded in one operation. Object stores make
    an upload visible whole or not at all; on a file system without this property (sftp, hdfs), an interrupted upload
    can leave a broken file.

    File names are relative to the folder, with slashes as separators. On a local disk, every method raises a StoreError
    if it meets a link or special file instead of a regular file or folder.

    Args:
        url: A library's folder or URL. The folder itself may be a link.
        below: Path of the folder with the files, relative to `url`.

    Attributes:
        root: Path of the folder in its file system.
    """

    def __init__(self, url: str, below: str = "") -> None:
        location = f"{url.rstrip('/')}/{below}" if below else url
        if (refusal := refusal_of_library(url)) is not None:
            raise StoreError(f"{shown_name(location)!r} cannot hold a store: {refusal}")
        try:
            self._files, root = fsspec.core.url_to_fs(url, **storage_options(url))
        except (ImportError, ValueError) as error:
            raise StoreError(f"{shown_name(location)!r} cannot hold a store: {public_text(str(error))}") from None
        library = str(root).rstrip("/")
        self.root = f"{library}/{below}" if below else library
        is_local = isinstance(self._files, LocalFileSystem)
        self._folder = LocalFolder(library or "/", below) if is_local else None

    @property
    def is_remote(self) -> bool:
        """Whether the folder is not in a local file system, so that every access is a request."""
        return self._folder is None

    def __repr__(self) -> str:
        return f"AtomicFolder({self.root})"

    def write(self, name: str, content: bytes, *, is_synced: bool = True) -> None:
        """Write a small file at `root/name`, replacing an existing one.

        Args:
            name: Name of the file.
            content: Its content.
            is_synced: Whether to wait until it is on the disk. A file that can be made again need not be.

        Raises:
            StoreError: It could not be written; an existing file is unchanged.
        """
        with self.writing(name, is_synced=is_synced) as file:
            file.write(content)

    @contextlib.contextmanager
    def writing(self, name: str, *, is_synced: bool = True) -> Iterator[IO[bytes]]:
        """Open a new file that replaces `root/name` once the block ends without an error.

        Raises:
            StoreError: It could not be written; an existing file is unchanged.
        """
        path = f"{self.root}/{name}"
        try:
            local = None if self._folder is None else self._folder.writing(name, is_synced=is_synced)
            with self._remote(path) if local is None else local as file:
                yield file
        except OSError as error:
            if error.errno in _NO_SPACE:
                raise _full(path) from error
            problem = str(error) or type(error).__name__
            raise StoreError(f"{path}: cannot be written: {problem}; no partial file was left") from error

    def create(self, name: str, content: bytes) -> bool:
        """Create a file at `root/name` unless it exists; return whether it was created, which only one caller does.

        Raises:
            StoreError: It could not be written.
        """
        path = f"{self.root}/{name}"
        try:
            if self._folder is not None:
                self._folder.create(name, content)
            else:
                self._files.pipe_file(path, content, mode="create")
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno in _NO_SPACE:
                raise _full(path) from error
            raise StoreError(f"{path}: cannot be written: {error}") from error
        return True

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name.

        Raises:
            OSError: Its status cannot be read.
        """
        if self._folder is not None:
            return self._folder.stat(name) is not None
        return bool(self._files.exists(f"{self.root}/{name}"))

    def version(self, name: str) -> str:
        """Identify the content of a file without reading it: changes when the file is replaced, "" if there is none.

        Raises:
            OSError: Its status cannot be read.
        """
        if self._folder is not None:
            found = self._folder.stat(name)
            return "" if found is None else local_version(found)
        self._files.invalidate_cache(self.root)
        try:
            return str(self._files.ukey(f"{self.root}/{name}"))
        except FileNotFoundError:
            return ""

    def listing(self, suffix: str) -> tuple[list[str], VersionsOf]:
        """List the files in the folder that have a suffix, by one listing.

        Returns:
            Their names, not ordered; and a function that returns the versions of some of them by name. A version
            changes when the file is replaced; it is "" if the storage lists no such property, or if the entry is not a
            file. Files that were removed meanwhile are left out.

        Raises:
            OSError: The folder cannot be listed.
        """
        local = self._folder
        try:
            if local is not None:
                names = [name for name in local.names("") if name.endswith(suffix)]
                return names, lambda some: {name: local_version(one) for name, one in local.statuses(some).items()}
            self._files.invalidate_cache(self.root)
            entries = self._files.ls(self.root, detail=True)
        except FileNotFoundError:
            return [], lambda _: {}
        named = ((str(entry["name"]).rstrip("/").rpartition("/")[2], entry) for entry in entries)
        versions = {name: listed_version(entry) for name, entry in named if name.endswith(suffix)}
        return [*versions], lambda some: {name: versions[name] for name in some}

    def check(self, name: str) -> None:
        """Reject a link or special file before another component opens the file or folder by its path.

        Raises:
            StoreError: It is a link or special file, or its status cannot be read.
        """
        try:
            if self._folder is not None:
                self._folder.stat(name)
        except OSError as error:
            raise StoreError(f"{self.root}/{name}: cannot be checked: {error}") from error

    def open(self, name: str) -> Any:
        """Open a file for reading.

        Raises:
            FileNotFoundError: There is none.
            OSError: It cannot be read.
        """
        if self._folder is not None:
            return self._folder.open(name)
        return self._files.open(f"{self.root}/{name}", "rb")

    def read_start(self, name: str, max_bytes: int) -> bytes:
        """Read at most the first `max_bytes` bytes of a file, with one request.

        Raises:
            FileNotFoundError: There is no such file.
            OSError: The file cannot be read.
        """
        if self._folder is not None:
            with self._folder.open(name) as file:
                return file.read(max_bytes)
        return bytes(self._files.cat_file(f"{self.root}/{name}", start=0, end=max_bytes))

    def read_starts(self, names: Sequence[str], max_bytes: int) -> list[bytes | Exception]:
        """Read at most the first `max_bytes` bytes of each of some files; on a server, by requests at the same time.

        Returns:
            For each name its content, or the error.
        """
        if self._folder is None:
            return list(self._files.cat_ranges([f"{self.root}/{name}" for name in names], 0, max_bytes))
        found: list[bytes | Exception] = []
        for name in names:
            try:
                found.append(self.read_start(name, max_bytes))
            except (OSError, StoreError) as error:
                found.append(error)
        return found

    def read_end(self, name: str, max_bytes: int) -> bytes:
        """Read at most the last `max_bytes` bytes of a file, with one request.

        Raises:
            FileNotFoundError: There is no such file.
            OSError: The file cannot be read.
        """
        if self._folder is not None:
            with self._folder.open(name) as file:
                size_bytes = file.seek(0, os.SEEK_END)
                file.seek(max(0, size_bytes - max_bytes))
                return file.read(max_bytes)
        return bytes(self._files.cat_file(f"{self.root}/{name}", start=-max_bytes))

    def read(self, name: str, max_bytes: int = MOST_BYTES) -> bytes:
        """Read all of a small file.

        Raises:
            FileNotFoundError: There is none.
            StoreError: It is larger than `max_bytes`.
            OSError: It cannot be read.
        """
        content = self.read_start(name, max_bytes + 1)
        if len(content) > max_bytes:
            raise StoreError(
                f"{self.root}/{name}: has more than {max_bytes:,} bytes, which momentseek never writes; delete it"
            )
        return content

    def written_at(self, name: str) -> datetime | None:
        """Return the time of a file's last write in UTC, by the storage's clock; None if it is unknown.

        Raises:
            FileNotFoundError: There is no such file.
            OSError: Its status cannot be read.
        """
        if self._folder is not None:
            status = self._folder.stat(name)
            if status is None:
                raise FileNotFoundError(errno.ENOENT, "there is no such file", f"{self.root}/{name}")
            return datetime.fromtimestamp(status.st_mtime, UTC)
        try:
            found: datetime = self._files.modified(f"{self.root}/{name}")
        except NotImplementedError:
            return None
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)

    def list(self, folder: str, suffix: str) -> list[str]:
        """List the files with a suffix directly in a folder: sorted names below `root`; none if it does not exist.

        Raises:
            OSError: It cannot be listed.
        """
        names = self._names(folder)
        prefix = f"{folder}/" if folder else ""
        return sorted(f"{prefix}{name}" for name in names if name.endswith(suffix) and not name.startswith("."))

    def folders(self, folder: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
        """List the folders directly in a folder whose names match a pattern: sorted names below `root`.

        Raises:
            OSError: They cannot be listed.
        """
        found = tuple(f"{folder}/{name}" for name in sorted(self._names(folder)) if pattern.fullmatch(name))
        return found if self._folder is None else tuple(name for name in found if self._is_folder(name))

    def delete(self, name: str) -> bool:
        """Remove a file; return whether it existed.

        Raises:
            OSError: It cannot be removed.
        """
        if self._folder is not None:
            return self._folder.delete(name)
        path = f"{self.root}/{name}"
        # Object stores report no error when a missing object is removed.
        if not self._files.exists(path):
            return False
        with contextlib.suppress(FileNotFoundError):
            self._files.rm_file(path)
        return True

    def delete_folder(self, folder: str, pattern: re.Pattern[str]) -> None:
        """Remove a folder whose files all have names that match a pattern, if it exists.

        Raises:
            StoreError: It contains something else (checked on a local disk only); nothing is removed.
            OSError: It cannot be removed.
        """
        if self._folder is not None:
            self._folder.delete_folder(folder, pattern)
            return
        if not self._names(folder):
            return
        with contextlib.suppress(FileNotFoundError):
            self._files.rm(f"{self.root}/{folder}", recursive=True)

    def _names(self, folder: str) -> tuple[str, ...]:
        try:
            if self._folder is not None:
                return self._folder.names(folder)
            return tuple(entries_in(self._files, self.root, folder))
        except FileNotFoundError:
            return ()

    def _is_folder(self, name: str) -> bool:
        found = None if self._folder is None else self._folder.stat(name)
        return found is not None and stat.S_ISDIR(found.st_mode)

    @contextlib.contextmanager
    def _remote(self, path: str) -> Iterator[IO[bytes]]:
        with tempfile.NamedTemporaryFile(prefix="momentseek-") as file:
            yield file
            file.flush()
            self._files.put_file(file.name, path)


def _full(path: str) -> StoreFullError:
    return StoreFullError(
        f"{path}: cannot be written: there is no space left on the device; free some space, or choose another location;"
        " no partial file was left"
    )
