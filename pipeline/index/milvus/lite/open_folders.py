"""Registry of the Milvus Lite folders that this process has open, shared between indexes.

Milvus Lite locks a folder for one engine, but a process may open several libraries with the same folder, for example in
a notebook. All of them share the engine that was opened first.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from pipeline.errors import MomentIndexError
from pipeline.index.milvus.lite.folder import LiteFolder

__all__ = ["LiteReference", "open_reference"]


class LiteReference:
    """A reference to an open Milvus Lite folder; the folder is closed with the last reference.

    Args:
        folder: The open folder.
        identity: Key of the folder in the registry; None if it is not shared.
    """

    def __init__(self, folder: LiteFolder, identity: tuple[int, int] | None) -> None:
        self._folder = folder
        self._identity = identity
        self._closed = False

    @property
    def uri(self) -> str:
        """The address of the folder's server for this process."""
        return self._folder.uri

    @property
    def is_own(self) -> bool:
        """Whether it is the library's own folder."""
        return self._folder.is_own

    @property
    def is_read_only(self) -> bool:
        """Whether the folder is read-only, so that writes are lost."""
        return self._folder.is_read_only

    @property
    def refusal(self) -> MomentIndexError | None:
        """The error for a collection that was not opened; None if none was rejected."""
        return self._folder.refusal

    @property
    def is_alone(self) -> bool:
        """Whether no other index of this process has the folder open."""
        return self._identity is None or _users.get(self._identity, 1) == 1

    def close(self) -> None:
        """Release the reference; closing twice is harmless."""
        with _lock:
            if self._closed:
                return
            self._closed = True
            if self._identity is not None and _users.get(self._identity, 0) > 1:
                _users[self._identity] -= 1
                return
            if self._identity is not None:
                _open.pop(self._identity, None)
                _users.pop(self._identity, None)
            self._folder.close()


def open_reference(path: Path, *, is_own: bool) -> LiteReference:
    """Open a Milvus Lite folder, or return a reference to it if this process has already opened it.

    A folder that was removed and created again counts as another one. A read-only folder is copied for each index and
    not shared.

    Args:
        path: The folder; created if it does not exist.
        is_own: As for `LiteFolder`.

    Raises:
        IndexLockedError: Another process has opened it, or this one has with the other value of `is_own`.
        IndexDamagedError: It is the library's own folder, and momentseek cannot have written its files.
        MomentIndexError: It cannot be opened.
    """
    with _lock:
        identity = _identity_of(path)
        shared = _open.get(identity) if identity is not None else None
        if identity is not None and shared is not None and shared.is_own == is_own:
            _users[identity] += 1
            return LiteReference(shared, identity)
        folder = LiteFolder(path, is_own=is_own)
        identity = None if folder.is_read_only else _identity_of(path)
        if identity is not None:
            _open[identity], _users[identity] = folder, 1
        return LiteReference(folder, identity)


def _identity_of(path: Path) -> tuple[int, int] | None:
    """Return device and inode of the lock file; it stays open with the folder, so its inode is not reused."""
    try:
        status = (path / "LOCK").lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _forget_all() -> None:
    """Clear the registry in a forked process: the engines' threads exist only in the parent."""
    global _lock  # noqa: PLW0603 - a lock that another thread held at the fork stays locked
    _lock = threading.Lock()
    _open.clear()
    _users.clear()


_lock = threading.Lock()
_open: dict[tuple[int, int], LiteFolder] = {}
_users: dict[tuple[int, int], int] = {}
os.register_at_fork(after_in_child=_forget_all)
