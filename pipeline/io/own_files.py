"""Small files by which the processes of one user find each other; a file of another user is not read."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

__all__ = ["read_own_file", "remove_own_file", "write_own_file"]

_MAX_BYTES = 4096


def write_own_file(path: Path, content: bytes) -> None:
    """Write a file atomically, readable by this user only.

    Raises:
        OSError: The file cannot be written.
    """
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        partial.replace(path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


def read_own_file(path: Path) -> bytes | None:
    """Read a file; None if it is missing, a link, of another user, or larger than 4 KiB."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_size > _MAX_BYTES:
            return None
        return os.read(descriptor, _MAX_BYTES)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def remove_own_file(path: Path) -> None:
    """Remove a file, if there is one, and the temporary files of processes that were killed while writing it."""
    with suppress(OSError):
        for found in path.parent.glob(f"{path.name}*"):
            found.unlink(missing_ok=True)
