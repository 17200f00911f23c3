"""From what a caller names to the videos that are meant."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.types import Source
from pipeline.video.files import videos_within

__all__ = ["expand"]


def expand(paths: Iterable[str]) -> Iterator[Source]:
    """List the videos that paths stand for, in their order; each file once.

    - A file stands for itself, whatever its suffix.
    - A folder stands for all videos in it and below, known by suffix, sorted; hidden ones are left out.
    - A list file (.txt) stands for the paths in it: one a line, relative to the list's own folder; empty lines and
      lines that begin with # are skipped.
    - What does not exist is read as a pattern (*, ?, [...], ** for any depth), and stands for its sorted matches.

    Nothing raises: what stands for no video, as a folder without any, comes out as it is, and opening it says why.
    """
    seen: set[str] = set()
    for path in paths:
        for found in _expanded(path, lists=True):
            place = os.path.abspath(found)  # noqa: PTH100 - Path.absolute keeps ".."
            if place not in seen:
                seen.add(place)
                yield Source(found)


def _expanded(path: str, *, lists: bool) -> Iterator[str]:
    if not path:
        return
    if os.path.isdir(path):  # noqa: PTH112 - Path("") is a folder
        yield from videos_within(path) or [path]
    elif not os.path.lexists(path) and glob.has_magic(path):
        yield from _matches(path)
    elif lists and path.lower().endswith(".txt") and os.path.isfile(path):  # noqa: PTH113
        yield from _listed(path)
    else:
        yield path


def _matches(pattern: str) -> Iterator[str]:
    matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - keeps the path as it was given
    if not matches:
        yield pattern
    for match in matches:
        yield from _expanded(match, lists=False)


def _listed(path: str) -> Iterator[str]:
    try:
        text = Path(path).read_bytes().decode("utf-8-sig", errors="surrogateescape")
    except OSError:
        yield path
        return
    folder = os.path.dirname(path)  # noqa: PTH120 - keeps the path as it was given
    lines = [line.strip("\r") for line in text.split("\n")]
    named = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not named:
        yield path
    for line in named:
        literal = os.path.join(folder, line)  # noqa: PTH118
        stripped = os.path.join(folder, line.strip())  # noqa: PTH118
        yield from _expanded(literal if os.path.lexists(literal) else stripped, lists=False)
