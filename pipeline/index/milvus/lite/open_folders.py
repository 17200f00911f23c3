"""Registry of the Milvus Lite folders that this process has open, shared between indexes.

Milvus Lite locks a folder for one engine, and a process can have several libraries open on it, as notebooks do. All of
them use the engine that was opened first.
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
        identity: By which its shares are counted; None if it is not shared.
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
        """The reason why a collection was not opened; None where none was refused."""
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


def open_reference(place: Path, *, is_own: bool) -> LiteReference:
    """Open a Milvus Lite folder, or reference the one that this process has open already.

    A folder that was removed and made again meanwhile is another one. One that is read-only is copied for each index,
    and is not shared.

    Args:
        place: The folder; made if it is missing.
        is_own: As of `LiteFolder`.

    Raises:
        IndexLockedError: Another process holds it, or this one does as a folder of the other kind.
        IndexDamagedError: It is the library's own, and its files are not what momentseek wrote.
        MomentIndexError: It cannot be opened.
    """
    with _lock:
        identity = _identity_of(place)
        known = _open.get(identity) if identity is not None else None
        if identity is not None and known is not None and known.is_own == is_own:
            _users[identity] += 1
            return LiteReference(known, identity)
        folder = LiteFolder(place, is_own=is_own)
        identity = None if folder.is_read_only else _identity_of(place)
        if identity is not None:
            _open[identity], _users[identity] = folder, 1
        return LiteReference(folder, identity)


def _identity_of(place: Path) -> tuple[int, int] | None:
    """Device and inode of the lock file, which stays open as long as the folder: no other file gets its number."""
    try:
        status = (place / "LOCK").lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _forget_all() -> None:
    """In a forked process: its parent has the folders, whose threads are not here."""
    global _lock  # noqa: PLW0603 - a lock that another thread held at the fork stays locked
    _lock = threading.Lock()
    _open.clear()
    _users.clear()


_lock = threading.Lock()
_open: dict[tuple[int, int], LiteFolder] = {}
_users: dict[tuple[int, int], int] = {}
os.register_at_fork(after_in_child=_forget_all)
