"""Files at an fsspec URL: written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import fsspec
import fsspec.core
from fsspec.implementations.local import LocalFileSystem

from pipeline.errors import StoreError
from pipeline.uris import public_text, refusal_of_library, shown_name

__all__ = ["Place"]

_ABANDONED_SECONDS = 3600.0
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class Place:
    """A folder on the disk or in an object store.

    On the disk a file is written beside its place, under `.partial/`, synced and renamed; what killed writers left
    there is removed after an hour. Elsewhere it is written to the system's folder of temporary files and put from there
    at once, which object stores show whole or not at all; a file system that does neither (sftp, hdfs) can be left with
    a broken file.

    Attributes:
        root: The folder as its file system names it.
    """

    def __init__(self, url: str) -> None:
        if (refusal := refusal_of_library(url)) is not None:
            raise StoreError(f"no store can be kept at {shown_name(url)!r}: {refusal}")
        try:
            self._files, root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise StoreError(f"no store can be kept at {shown_name(url)!r}: {public_text(str(error))}") from None
        self.root = str(root).rstrip("/")
        self._is_local = isinstance(self._files, LocalFileSystem)

    def __repr__(self) -> str:
        return f"Place({self.root})"

    def write(self, name: str, content: bytes) -> None:
        """Put a small file at `root/name`, replacing what was there.

        Raises:
            StoreError: It could not be written; what was there still is.
        """
        with self.writing(name) as file:
            file.write(content)

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """A file to be filled, which replaces what is at `root/name` once the block is left without an error.

        Raises:
            StoreError: It could not be written; what was there still is.
        """
        path = f"{self.root}/{name}"
        try:
            with _local(Path(path), Path(self.root) / ".partial") if self._is_local else self._remote(path) as file:
                yield file
        except OSError as error:
            if error.errno in _NO_SPACE:
                problem = "there is no space left for it; free some, or choose another place"
            else:
                problem = str(error) or type(error).__name__
            raise StoreError(f"{path}: cannot be written: {problem}; nothing of it was kept") from error

    def create(self, name: str, content: bytes) -> bool:
        """Put a file at `root/name` unless there is one; whether it was put. Of several at once, one succeeds.

        Raises:
            StoreError: It could not be written.
        """
        path = f"{self.root}/{name}"
        try:
            if self._is_local:
                _create_local(Path(path), content)
            else:
                self._files.pipe_file(path, content, mode="create")
        except FileExistsError:
            return False
        except OSError as error:
            raise StoreError(f"{path}: cannot be written: {error}") from error
        return True

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name.

        Raises:
            OSError: It cannot be looked for.
        """
        return bool(self._files.exists(f"{self.root}/{name}"))

    def open(self, name: str) -> Any:
        """Open a file for reading.

        Raises:
            FileNotFoundError: There is none.
            OSError: It cannot be read.
        """
        return self._files.open(f"{self.root}/{name}", "rb")

    def read(self, name: str) -> bytes:
        """All of a small file.

        Raises:
            FileNotFoundError: There is none.
            OSError: It cannot be read.
        """
        with self.open(name) as file:
            return bytes(file.read())

    def written_at(self, name: str) -> datetime | None:
        """When a file was last written, by the clock of what holds it, in UTC; None where that does not say.

        Raises:
            OSError: It cannot be asked.
        """
        try:
            found: datetime = self._files.modified(f"{self.root}/{name}")
        except NotImplementedError:
            return None
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)

    def list(self, folder: str, suffix: str) -> list[str]:
        """Names below `root` of the files with that suffix directly in a folder, in order; none where it is missing.

        Raises:
            OSError: It cannot be listed.
        """
        path = f"{self.root}/{folder}".rstrip("/")
        self._files.invalidate_cache(path)
        try:
            found = self._files.ls(path, detail=False)
        except FileNotFoundError:
            return []
        names = (str(entry).rstrip("/").rpartition("/")[2] for entry in found)
        prefix = f"{folder}/" if folder else ""
        return sorted(f"{prefix}{name}" for name in names if name.endswith(suffix) and not name.startswith("."))

    def delete(self, name: str) -> bool:
        """Remove a file; whether there was one.

        Raises:
            OSError: It cannot be removed.
        """
        path = f"{self.root}/{name}"
        # Object stores remove what isn't there without a word.
        if not self._files.exists(path):
            return False
        with contextlib.suppress(FileNotFoundError):
            self._files.rm_file(path)
        return True

    def delete_folder(self, folder: str) -> None:
        """Remove a folder and all in it, if there is one.

        Raises:
            OSError: It cannot be removed.
        """
        with contextlib.suppress(FileNotFoundError):
            self._files.rm(f"{self.root}/{folder}", recursive=True)

    @contextlib.contextmanager
    def _remote(self, path: str) -> Iterator[IO[bytes]]:
        with tempfile.NamedTemporaryFile(prefix="momentseek-") as file:
            yield file
            file.flush()
            self._files.put_file(file.name, path)


@contextlib.contextmanager
def _local(path: Path, partial: Path) -> Iterator[IO[bytes]]:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial.mkdir(exist_ok=True)
    _remove_abandoned(partial)
    temporary = partial / f"{path.name}.{uuid.uuid4().hex}"
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _create_local(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{uuid.uuid4().hex}"
    try:
        temporary.write_bytes(content)
        os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _remove_abandoned(partial: Path) -> None:
    """Remove what writers that were killed left behind; younger files may be in the hands of a living one."""
    for file in partial.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if file.stat().st_mtime < time.time() - _ABANDONED_SECONDS:
                file.unlink()


def _sync_folder(folder: Path) -> None:
    """Make a rename outlast a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
