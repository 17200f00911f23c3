"""Shares one Milvus Lite folder between several indexes and processes of a user.

Milvus Lite locks a folder for one engine. The process that opens the folder first holds it: the other indexes of that
process share its engine, and other processes join it over its private socket. When it ends or is killed, the kernel
releases the lock, and the next process that makes a request holds the folder. There is no background process.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from pathlib import Path

from pipeline.errors import IndexLockedError
from pipeline.index.milvus.lite.folder import LiteFolder
from pipeline.index.milvus.lite.holder_file import Holder, read_holder
from pipeline.io.private_socket import is_private_socket, socket_uri
from pipeline.io.process_identity import command_of, this_process

__all__ = ["LiteReference", "open_reference", "unanswered"]

# A holder writes its file milliseconds after locking the folder; a process that does not write one does not share.
_UNNAMED_SECONDS = 2.0
_FIRST_PAUSE_SECONDS = 0.02
_MAX_PAUSE_SECONDS = 0.5


class LiteReference:
    """A reference to an open Milvus Lite folder; a folder that this process holds is closed with the last reference.

    Attributes:
        uri: Address of the folder's server, in this process or in another one.
        holder: The other process that holds the folder; None if this process holds it.

    Args:
        folder: The folder that this process holds; None if another process holds it.
        identity: Key of the folder in the registry; None if it is not shared in this process.
        holder: The other process that holds the folder.
    """

    def __init__(
        self, folder: LiteFolder | None, identity: tuple[int, int] | None = None, holder: Holder | None = None
    ) -> None:
        self._folder = folder
        self._identity = identity
        self._process = os.getpid()
        self._closed = False
        self.holder = holder
        self.uri = folder.uri if folder is not None else _uri_of(holder)

    @property
    def is_joined(self) -> bool:
        """Whether another process holds the folder; after a fork, this includes the parent."""
        return self._folder is None or os.getpid() != self._process

    @property
    def is_read_only(self) -> bool:
        """Whether the folder is read-only, so that writes are lost."""
        return self._folder is not None and self._folder.is_read_only

    @property
    def is_alone(self) -> bool:
        """Whether no other index of this process uses the folder, and no other process has used it through this one."""
        if self._folder is None or self._folder.has_guests:
            return False
        return self._identity is None or _users.get(self._identity, 1) == 1

    def close(self) -> None:
        """Release the reference; closing twice is harmless."""
        with _lock:
            if self._closed or self._folder is None or os.getpid() != self._process:
                self._closed = True
                return
            self._closed = True
            if self._identity is not None and _users.get(self._identity, 0) > 1:
                _users[self._identity] -= 1
                return
            if self._identity is not None:
                _open.pop(self._identity, None)
                _users.pop(self._identity, None)
            self._folder.close()


def open_reference(path: Path, *, is_own: bool, patience_seconds: float) -> LiteReference:
    """Open a Milvus Lite folder, or return a reference to it if this process or another one has already opened it.

    A folder that was removed and created again counts as another one. A read-only folder is copied for each index and
    not shared.

    Args:
        path: The folder; created if it does not exist.
        is_own: As for `LiteFolder`.
        patience_seconds: How long to wait for a process that is opening or closing the folder.

    Raises:
        IndexLockedError: Another process has opened it and does not share it, or it is open with the other value of
            `is_own`.
        IndexDamagedError: It is the library's own folder, and momentseek cannot have written its files.
        MomentIndexError: It cannot be opened.
    """
    started, pause = time.monotonic(), _FIRST_PAUSE_SECONDS
    while True:
        try:
            return _opened(path, is_own=is_own)
        except IndexLockedError as error:
            holder = read_holder(path)
            if holder is not None and holder.process == this_process():
                raise
            if holder is None or not holder.process.is_running:
                longest = max(patience_seconds, _UNNAMED_SECONDS) if _is_only_read(path) else _UNNAMED_SECONDS
                refusal = error
            elif holder.is_own != is_own:
                raise
            else:
                longest, refusal = max(patience_seconds, _UNNAMED_SECONDS), unanswered(path, holder)
            if time.monotonic() - started > longest:
                raise refusal from error
        # What locks a folder without a name is most likely a search that reads its files for some milliseconds.
        pause = _FIRST_PAUSE_SECONDS if holder is None else min(2 * pause, _MAX_PAUSE_SECONDS)
        time.sleep(pause)


def _is_only_read(path: Path) -> bool:
    """Whether no process has a folder open; searches of several processes may lock it in turn, to read its files."""
    try:
        lock = os.open(path / "LOCK", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(lock, fcntl.LOCK_UN)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True


def _opened(path: Path, *, is_own: bool) -> LiteReference:
    with _lock:
        identity = _identity_of(path)
        shared = _open.get(identity) if identity is not None else None
        if identity is not None and shared is not None and shared.is_own == is_own:
            _users[identity] += 1
            return LiteReference(shared, identity)
        # Joining a process avoids importing Milvus Lite, which takes a second.
        if shared is None and (holder := _serving(path, is_own=is_own)) is not None:
            return LiteReference(None, holder=holder)
        folder = LiteFolder(path, is_own=is_own)
        identity = None if folder.is_read_only else _identity_of(path)
        if identity is not None:
            _open[identity], _users[identity] = folder, 1
        return LiteReference(folder, identity)


def _serving(path: Path, *, is_own: bool) -> Holder | None:
    """Return the other process that serves a folder; None if there is none that can be joined."""
    holder = read_holder(path)
    if holder is None or holder.socket is None or holder.is_own != is_own or holder.process == this_process():
        return None
    return holder if holder.process.is_running and is_private_socket(holder.socket, path) else None


def unanswered(path: Path, holder: Holder) -> IndexLockedError:
    """Make the error for a process that serves a folder and does not respond."""
    number = holder.process.number
    state = "is suspended" if holder.process.is_stopped else "does not respond"
    remedy = f"resume it (kill -CONT {number}) or stop it (kill -KILL {number})"
    return IndexLockedError(
        f"the index in {str(path)!r} is served by process {number} ({command_of(number)}), which {state};"
        f" {remedy if holder.process.is_stopped else f'wait until it ends, or stop it (kill {number})'}"
    )


def _uri_of(holder: Holder | None) -> str:
    if holder is None or holder.socket is None:
        raise ValueError("a folder without a holder has no address")
    return socket_uri(holder.socket)


def _identity_of(path: Path) -> tuple[int, int] | None:
    """Return device and inode of the lock file, which is open as long as the folder, so the inode is not reused."""
    try:
        status = (path / "LOCK").lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _forget_all() -> None:
    """Clear the registry in a forked process: the engines' threads exist only in the parent."""
    global _lock  # noqa: PLW0603 - a lock that another thread held at the fork stays locked
    _lock = threading.Lock()
    for folder in _open.values():
        folder.leave_to_parent()
    _open.clear()
    _users.clear()


_lock = threading.Lock()
_open: dict[tuple[int, int], LiteFolder] = {}
_users: dict[tuple[int, int], int] = {}
os.register_at_fork(after_in_child=_forget_all)
