"""Create and remove the private folder of a local Ray instance; its path is short enough for Unix sockets.

Ray gives its temporary folder mode 0777, and its sockets require no token. Ray's folder is therefore created inside a
folder of mode 0700, which keeps all other users out whatever modes Ray sets below it.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import ExecutionError

__all__ = ["PREFIX", "RAY_PART", "bases", "remove_abandoned", "restrict", "session_folder"]

_log = logging.getLogger(__name__)

PREFIX = "ms-ray-"
RAY_PART = "r"
"""Ray's own temporary folder, inside the private one: Ray makes its own folder accessible to all users."""
_LOCK = "owner"
# The kernel allows 107 bytes for the path of a Unix socket. Ray appends /session_<26 characters of time>_<process>/
# sockets/plasma_store, where a process id has at most 7 digits, and possibly a suffix to tell several apart.
_SOCKET_BYTES = 107
_RAY_ADDS = "/session_2026-11-29_19-34-31_095814_4194304/sockets/plasma_store.1"
_PREFIX_ADDS = f"/{PREFIX}xxxxxxxx/{RAY_PART}"
_MAX_BASE_BYTES = _SOCKET_BYTES - len(_RAY_ADDS) - len(_PREFIX_ADDS)
_REMOVAL_SECONDS = 3.0
# A folder without a lock belongs to a process that is just about to create the lock, or that died before it did.
_UNLOCKED_SECONDS = 3600.0


@contextmanager
def session_folder() -> Iterator[Path]:
    """Create a private folder for one Ray instance, and remove it at the end; folders of dead processes go first.

    The folder has mode 0700 from its creation. Candidates for its location are RAY_TMPDIR, the folder for temporary
    files (TMPDIR), /tmp and /var/tmp, in this order. The first one is used that this user can write to, in which no
    other user can rename entries, and whose path is short enough for the sockets that Ray creates below it.

    Yields:
        The private folder; Ray's own folder is `RAY_PART` inside it.

    Raises:
        ExecutionError: None of these folders can be used.
    """
    folder = _created()
    lock = _locked(folder)
    try:
        yield folder
    finally:
        _remove(folder)
        os.close(lock)


def bases() -> list[Path]:
    """Return the folders in which Ray's folder may be created, in order of preference."""
    candidates = [os.environ.get("RAY_TMPDIR") or "", tempfile.gettempdir(), "/tmp", "/var/tmp"]  # noqa: S108 - sticky
    return [Path(name) for name in dict.fromkeys(candidates) if name]


def _created() -> Path:
    problems = []
    for base in bases():
        problem = _problem_of(base)
        if problem is None:
            remove_abandoned(base)
            return Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        problems.append(f"{base} {problem}")
    raise ExecutionError(
        f"Ray has no place for its sockets: {'; '.join(problems)}. Set RAY_TMPDIR to a folder of your own whose path"
        f" has at most {_MAX_BASE_BYTES} bytes"
    )


def _locked(folder: Path) -> int:
    """Create and acquire the folder's lock; it appears under its name only when it is held by this process."""
    unnamed = folder / f"{_LOCK}.new"
    lock = os.open(unnamed, os.O_CREAT | os.O_EXCL | os.O_RDONLY, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    unnamed.rename(folder / _LOCK)
    return lock


def _problem_of(base: Path) -> str | None:
    """Why Ray's folder cannot be created in a folder; None if it can."""
    if not base.is_absolute() or len(os.fsencode(base)) > _MAX_BASE_BYTES:
        return "has too long a path"
    try:
        status = base.stat()
    except OSError as error:
        return f"cannot be used ({error.strerror})"
    if not stat.S_ISDIR(status.st_mode) or not os.access(base, os.W_OK | os.X_OK):
        return "is not a folder that this user can write to"
    others_write = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if status.st_uid not in (0, os.geteuid()) or (others_write and not status.st_mode & stat.S_ISVTX):
        return "can be rearranged by other users"
    return None


def restrict(folder: Path) -> None:
    """Restrict the folders with Ray's sockets, too, so that access does not depend on the outer folder alone."""
    for path in (
        folder / RAY_PART,
        *folder.glob(f"{RAY_PART}/session_*"),
        *folder.glob(f"{RAY_PART}/session_*/sockets"),
    ):
        if not path.is_symlink():
            path.chmod(0o700)


def remove_abandoned(base: Path) -> None:
    """Remove folders of this user's Ray instances whose process has died without removing them."""
    with suppress(OSError):
        for entry in sorted(base.glob(f"{PREFIX}*")):
            status = entry.lstat()
            if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and _is_abandoned(entry, status.st_mtime):
                _log.info("removing %s, whose process has ended", entry)
                shutil.rmtree(entry, ignore_errors=True)


def _is_abandoned(folder: Path, changed_seconds: float) -> bool:
    """Whether no living process holds the folder's lock."""
    try:
        lock = os.open(folder / _LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return time.time() - changed_seconds > _UNLOCKED_SECONDS
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True


def _remove(folder: Path) -> None:
    """Remove a folder; processes that are ending may still write into it for a moment."""
    deadline = time.monotonic() + _REMOVAL_SECONDS
    while True:
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        if time.monotonic() > deadline:
            _log.warning("%s could not be removed; the next batch on this machine tries again", folder)
            return
        time.sleep(0.1)
