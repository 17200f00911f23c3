"""Temporary copies of read-only Milvus Lite folders, which Milvus Lite can open.

Milvus Lite locks its folder and writes logs to it, even if it only searches. So it gets a temporary folder, in which
small files are copies and large ones, which this user cannot change, are links.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

__all__ = ["is_writable", "shadow"]

_COPIED_BYTES = 2**20
_LOCK = "LOCK"


def is_writable(folder: Path) -> bool:
    """Whether this user can write to a folder, or create it."""
    existing = folder.absolute()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    lock = folder / _LOCK
    return _may(existing, os.W_OK | os.X_OK) and (not lock.exists() or _may(lock, os.W_OK))


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def shadow(folder: Path, target: Path) -> None:
    """Fill a folder with copies of, or links to, the files of another.

    Args:
        folder: The source; it may be missing.
        target: An empty folder.

    Raises:
        OSError: Something cannot be read, or there is no space for the copies.
    """
    source = folder.absolute()
    for parent, _, files in os.walk(source, onerror=_raise):
        below = target / Path(parent).relative_to(source)
        below.mkdir(exist_ok=True)
        for name in files:
            original = Path(parent) / name
            if name == _LOCK:
                continue
            # Files that this user can write are copied, since they could be overwritten through a link.
            if original.stat().st_size > _COPIED_BYTES and not _may(original, os.W_OK):
                (below / name).symlink_to(original)
            else:
                # Without modes: the copy of a read-only file must be writable.
                shutil.copyfile(original, below / name)


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
