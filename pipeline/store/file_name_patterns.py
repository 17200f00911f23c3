"""Name patterns of the files that a library writes; only files with such names are read or deleted."""

from __future__ import annotations

import re
import uuid

__all__ = [
    "CATALOGUE_FILE",
    "CATALOGUE_FOLDER",
    "FILE_NAMES_FOLDER",
    "FILE_NAME_ENTRY",
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
"""A video's id or a fingerprint. Both become parts of file names, and 200 characters leave room for a suffix: file
names may have 255 bytes."""

STORE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*-[A-Za-z0-9][A-Za-z0-9_.-]*")
"""The folder of one store: the fingerprints of sampling and encoder."""

NOTE = re.compile(r"[0-9a-f]{16}\.json")
"""A small JSON file named by a hash."""

MARKS_FOLDER = "marks"
"""The folder of the marks of a library, with a folder a video."""

MARK = re.compile(r"[0-9a-f]{8}-[0-9a-f]{16}\.json")
"""A mark: hashes of its subject, and of subject and interval."""

CATALOGUE_FOLDER = "catalogue"
"""The folder of a store's catalogue."""

CATALOGUE_FILE = re.compile(r"[0-3][0-9a-f]\.parquet")
"""A file of a catalogue."""

FILE_NAMES_FOLDER = "filenames"
"""The folder of a store's index of file names."""

FILE_NAME_ENTRY = re.compile(r"[0-9a-f]{16}\.[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
"""A file of that index: the hash of a file name, and a video's id."""

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,110}")
"""A run's id, including an appended number."""

TEMPORARY = re.compile(r".+\.[0-9a-f]{32}", re.DOTALL)
"""An unfinished file: its final name and a random number."""


def temporary_name(name: str) -> str:
    """Make a unique temporary name for a file that is being written."""
    return f"{name}.{uuid.uuid4().hex}"


def is_temporary_of(temporary: str, name: str) -> bool:
    """Whether `temporary` is a temporary name of the file `name`."""
    return TEMPORARY.fullmatch(temporary) is not None and temporary[:-33] == name
