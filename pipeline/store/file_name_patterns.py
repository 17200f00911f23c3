"""Name patterns of the files that a library writes; only files with such names are read or deleted."""

from __future__ import annotations

import re
import uuid

__all__ = [
    "MARK",
    "MARKS_FOLDER",
    "NOTE",
    "RUN_ID",
    "STORE",
    "TEMPORARY",
    "VIDEO_ID",
    "is_temporary_of",
    "temporary_name",
]

VIDEO_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
"""A video's id, and a fingerprint: a part of a file name that leaves room for a suffix (255 bytes are allowed)."""

STORE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*-[A-Za-z0-9][A-Za-z0-9_.-]*")
"""The folder of one store: the fingerprints of the sampling and of the encoder."""

NOTE = re.compile(r"[0-9a-f]{16}\.json")
"""A small file that is named after a hash."""

MARKS_FOLDER = "marks"
"""The folder of the marks of a library, with a folder a video."""

MARK = re.compile(r"[0-9a-f]{8}-[0-9a-f]{16}\.json")
"""A mark: hashes of its subject, and of subject and interval."""

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,110}")
"""A run's id; its number, where one was appended, included."""

TEMPORARY = re.compile(r".+\.[0-9a-f]{32}", re.DOTALL)
"""A file that is not finished: its name, and a random number."""


def temporary_name(name: str) -> str:
    """Make a fresh name for a file that is being written."""
    return f"{name}.{uuid.uuid4().hex}"


def is_temporary_of(temporary: str, name: str) -> bool:
    """Whether a name is one that `temporary_name` makes for another."""
    return TEMPORARY.fullmatch(temporary) is not None and temporary[:-33] == name
