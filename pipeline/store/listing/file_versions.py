"""Versions of files: texts that change when a file is replaced, made from its status without reading it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = ["VersionsOf", "listed_version", "local_version"]

VersionsOf = Callable[[Iterable[str]], Mapping[str, str]]
"""Returns the versions of files by name; see `AtomicFolder.listing`."""

_VERSION_KEYS = "ETag", "etag", "md5Hash", "generation", "LastModified", "last_modified", "updated", "mtime", "created"
"""Listed properties that change when a file is replaced, on S3, Google Cloud, Azure, sftp, hdfs and in memory."""


def local_version(found: os.stat_result) -> str:
    """Make the version of a file on a local disk from its status; "" for anything but a regular file."""
    return f"{found.st_ino}-{found.st_mtime_ns}-{found.st_size}" if stat.S_ISREG(found.st_mode) else ""


def listed_version(entry: Mapping[str, Any]) -> str:
    """Make the version of a file from its entry in a listing of fsspec; "" if no property of it tells."""
    known = [f"{key}={entry[key]}" for key in _VERSION_KEYS if entry.get(key) is not None]
    return " ".join([*known, str(entry.get("size"))]) if known and entry.get("type") == "file" else ""
