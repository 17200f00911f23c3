"""Creates and removes the private folder of a local Ray; its path is short enough for Unix sockets.

Ray gives its temporary folder mode 0777, and its sockets ask for no token. So Ray's folder lies in a folder of mode
0700, which keeps every other user out whatever modes Ray sets below it.
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
"""Ray's own temporary folder, within the private one: Ray would open the private one to all."""
_LOCK = "owner"
# The kernel takes 107 bytes for a Unix socket's path. Ray adds /session_<26 characters of time>_<process>/sockets/
# plasma_store, where a process id has at most 7 digits, and maybe a suffix to tell several apart.
_SOCKET_BYTES = 107
_RAY_ADDS = "/session_2026-11-29_19-34-31_095814_4194304/sockets/plasma_store.1"
_OURS_ADDS = f"/{PREFIX}xxxxxxxx/{RAY_PART}"
_MOST_BASE_BYTES = _SOCKET_BYTES - len(_RAY_ADDS) - len(_OURS_ADDS)
_REMOVAL_SECONDS = 3.0
# A folder without a lock belongs to a process that is between the two calls that make them, or that died there.
_UNLOCKED_SECONDS = 3600.0


@contextmanager
def session_folder() -> Iterator[Path]:
    """Create a private folder for one Ray, and remove it at the end; those of dead processes are removed first.

    The folder has mode 0700 from its creation. It lies in RAY_TMPDIR, else in the folder for temporary files (TMPDIR),
    else in /tmp or /var/tmp: in the first of them that this user can write to, that no other user can rearrange, and
    whose path is short enough for the sockets that Ray creates below it.

    Yields:
        The private folder; Ray's own is `RAY_PART` in it.

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
    """The folders in which a Ray's folder may lie, in the order in which they are tried."""
    named = [os.environ.get("RAY_TMPDIR") or "", tempfile.gettempdir(), "/tmp", "/var/tmp"]  # noqa: S108 - sticky
    return [Path(name) for name in dict.fromkeys(named) if name]


def _created() -> Path:
    problems = []
    for base in bases():
        problem = _problem_of(base)
        if problem is None:
            remove_abandoned(base)
            return Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        problems.append(f"{base} {problem}")
    raise ExecutionError(
        f"Ray has no place for its sockets: {'; '.join(problems)}. Set RAY_TMPDIR to a folder of your own with a path"
        f" of at most {_MOST_BASE_BYTES} bytes"
    )


def _locked(folder: Path) -> int:
    """The descriptor of the folder's lock, which is held before it has its name and until this process ends."""
    unnamed = folder / f"{_LOCK}.new"
    lock = os.open(unnamed, os.O_CREAT | os.O_EXCL | os.O_RDONLY, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    unnamed.rename(folder / _LOCK)
    return lock


def _problem_of(base: Path) -> str | None:
    """Why a Ray's folder cannot lie in a folder; None if it can."""
    if not base.is_absolute() or len(os.fsencode(base)) > _MOST_BASE_BYTES:
        return "has too long a path"
    try:
        found = base.stat()
    except OSError as error:
        return f"cannot be used ({error.strerror})"
    if not stat.S_ISDIR(found.st_mode) or not os.access(base, os.W_OK | os.X_OK):
        return "is no folder that this user can write to"
    others_write = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if found.st_uid not in (0, os.geteuid()) or (others_write and not found.st_mode & stat.S_ISVTX):
        return "can be rearranged by other users"
    return None


def restrict(folder: Path) -> None:
    """Close the folders in which Ray keeps its sockets, too, so that nothing depends on the outer one alone."""
    for path in (
        folder / RAY_PART,
        *folder.glob(f"{RAY_PART}/session_*"),
        *folder.glob(f"{RAY_PART}/session_*/sockets"),
    ):
        if not path.is_symlink():
            path.chmod(0o700)


def remove_abandoned(base: Path) -> None:
    """Remove the folders of this user's Rays whose process has died without removing them."""
    with suppress(OSError):
        for entry in sorted(base.glob(f"{PREFIX}*")):
            found = entry.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and _is_abandoned(entry, found.st_mtime):
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
    """Remove a folder in which processes that are ending may write for a moment yet."""
    until = time.monotonic() + _REMOVAL_SECONDS
    while True:
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        if time.monotonic() > until:
            _log.warning("%s could not be removed; the next batch on this machine tries again", folder)
            return
        time.sleep(0.1)
