"""A folder that nothing may touch: its content, modes, times and links, before and after."""

from __future__ import annotations

import os
import time
from pathlib import Path

OLD = time.time() - 100_000
"""Longer ago than files of killed writers are kept."""


def canary_in(folder: Path) -> Path:
    """Make a folder outside of a library whose files are named as a library's own are, and are old."""
    for name in (
        f"v1.parquet.{'0' * 32}",
        f"{'a' * 16}.json",
        "v1.parquet",
        "library.yaml",
        "notes.txt",
        f"below/v1.parquet.{'1' * 32}",
    ):
        file = folder / "canary" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("do not touch")
        os.utime(file, (OLD, OLD))
    return folder / "canary"


def state_of(folder: Path) -> dict[str, object]:
    """What can be seen of a folder and all in it, but for the times at which it was read."""
    found = {}
    for path in sorted((folder, *folder.rglob("*"))):
        known = path.lstat()
        content = path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(folder))] = (known.st_mode, known.st_mtime_ns, known.st_size, content)
    return found
