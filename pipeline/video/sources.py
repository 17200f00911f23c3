"""From what a caller names to the videos that are meant."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.types import Source
from pipeline.uris import is_remote, local_path, suffix_of
from pipeline.video.files import videos_within
from pipeline.video.manifests import MANIFESTS, manifest_rows

__all__ = ["expand"]


def expand(paths: Iterable[str]) -> Iterator[Source]:
    """List the videos that paths and URIs stand for, in their order; each once, unless more is said of it later.

    - A file stands for itself, whatever its suffix, and so does a URI.
    - A folder stands for all videos in it and below, known by suffix, sorted; hidden ones are left out.
    - A manifest (.csv, .jsonl, .parquet) stands for the videos in it, one a row, with the other columns as metadata;
      see `manifest_rows`.
    - A list file (.txt) stands for the paths in it: one a line; empty lines and lines that begin with # are skipped.
    - What does not exist is read as a pattern (*, ?, [...], ** for any depth), and stands for its sorted matches.

    Paths in manifests and lists are relative to the folder of these. What stands for no video, as a folder without any,
    comes out as it is, and opening it says why.

    Raises:
        SourceError: A manifest cannot be read, or a row of it is not as it should be.
    """
    seen: set[str] = set()
    for path in paths:
        for found in _expanded(local_path(path), is_named=True):
            place = found.uri if is_remote(found.uri) else os.path.abspath(found.uri)  # noqa: PTH100 - keeps ".."
            if place not in seen or found.metadata:
                seen.add(place)
                yield found


def _expanded(path: str, *, is_named: bool) -> Iterator[Source]:
    """The videos of a path; of lists and manifests only where the caller `is_named` it himself."""
    if not path:
        return
    if is_remote(path):
        yield Source(path)
    elif os.path.isdir(path):  # noqa: PTH112 - Path("") is a folder
        yield from map(Source, videos_within(path) or [path])
    elif not os.path.lexists(path) and glob.has_magic(path):
        yield from _matches(path)
    elif is_named and os.path.isfile(path) and suffix_of(path) in MANIFESTS:  # noqa: PTH113
        yield from _in_manifest(path)
    elif is_named and os.path.isfile(path) and suffix_of(path) == ".txt":  # noqa: PTH113
        yield from _listed(path)
    else:
        yield Source(path)


def _matches(pattern: str) -> Iterator[Source]:
    matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - keeps the path as it was given
    if not matches:
        yield Source(pattern)
    for match in matches:
        yield from _expanded(match, is_named=False)


def _in_manifest(path: str) -> Iterator[Source]:
    folder = os.path.dirname(path)  # noqa: PTH120 - keeps the path as it was given
    is_empty = True
    try:
        with Path(path).open("rb") as file:
            for source in manifest_rows(path, file):
                is_empty = False
                yield Source(_beside(folder, source.uri), source.metadata)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror or error}); check its permissions") from error
    if is_empty:
        raise SourceError(f"{path}: names no video; fill it, or leave it out")


def _beside(folder: str, name: str) -> str:
    local = local_path(name)
    return local if is_remote(local) else os.path.join(folder, local)  # noqa: PTH118 - keeps the path as it was given


def _listed(path: str) -> Iterator[Source]:
    try:
        text = Path(path).read_bytes().decode("utf-8-sig", errors="surrogateescape")
    except OSError:
        yield Source(path)
        return
    folder = os.path.dirname(path)  # noqa: PTH120 - keeps the path as it was given
    lines = [line.strip("\r") for line in text.split("\n")]
    named = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not named:
        yield Source(path)
    for line in named:
        literal = _beside(folder, line)
        yield from _expanded(literal if os.path.lexists(literal) else _beside(folder, line.strip()), is_named=False)
