"""Shadow copies of read-only Milvus Lite folders, which Milvus Lite can open.

Milvus Lite locks its folder and keeps logs in it, even where it only searches. It is therefore given a folder of its
own for as long as it is open: small files are copied, large ones, which nobody here can change, are linked to.
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
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    lock = folder / _LOCK
    return _may(place, os.W_OK | os.X_OK) and (not lock.exists() or _may(lock, os.W_OK))


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def shadow(folder: Path, target: Path) -> None:
    """Fill a folder with copies of, or links to, the files of another.

    Args:
        folder: May be missing.
        target: An empty folder.

    Raises:
        OSError: Something cannot be read, or there is no space for it.
    """
    source = folder.absolute()
    for parent, _, files in os.walk(source, onerror=_raise):
        below = target / Path(parent).relative_to(source)
        below.mkdir(exist_ok=True)
        for name in files:
            given = Path(parent) / name
            if name == _LOCK:
                continue
            # What this user may write to could be overwritten through a link.
            if given.stat().st_size > _COPIED_BYTES and not _may(given, os.W_OK):
                (below / name).symlink_to(given)
            else:
                # Not the modes: a copy of what nobody may write to must be writable.
                shutil.copyfile(given, below / name)


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
