"""Expands paths, URIs, patterns, lists and manifests to videos."""

from __future__ import annotations

import glob
import os
import posixpath
from collections.abc import Container, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import SourceError, VideoError
from pipeline.io.folders import SUFFIXES, content_of, matches_of
from pipeline.io.media import open_remote
from pipeline.io.settings import Fetching
from pipeline.sources.manifests import MANIFESTS, MetadataCheck, json_manifest, manifest_rows
from pipeline.sources.remote_folders import has_listing, is_pattern, remote_matches, remote_videos_within
from pipeline.types import Source
from pipeline.uris import is_remote, local_path, shown_name, suffix_of

__all__ = ["Listed", "expand", "read_listings"]

_LIST = ".txt"
# A million names of 250 bytes; what a list holds is in memory several times.
_MOST_LIST_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Listed:
    """The content of a list or manifest: absolute paths and URIs, not yet searched for.

    Attributes:
        sources: Its entries, in their order; the lines of a list have no metadata.
        are_videos: Whether each entry is one video, as in a manifest; an entry of a list may be a folder or a pattern.
    """

    sources: tuple[Source, ...]
    are_videos: bool

    def as_file(self) -> tuple[str, bytes]:
        """Serialize it as a file that `expand` reads: suffix and content."""
        if self.are_videos:
            return ".jsonl", json_manifest(self.sources).encode()
        lines = [f"{source.uri}\n" for source in self.sources]
        return _LIST, "".join(lines).encode(errors="surrogateescape")


def expand(
    paths: Iterable[str], fetching: Fetching | None = None, *, check: MetadataCheck | None = None
) -> Iterator[Source]:
    """List the videos that paths and URIs stand for, in their order; each once, unless more is said of it later.

    - A file stands for itself, whatever its suffix.
    - A folder stands for all videos in it and below, known by suffix, sorted; hidden ones are left out. Links to
      folders are followed, and each real folder is read once. In an object store its name ends with /, or has no suffix
      of a video; web servers have no folders.
    - A manifest (.csv, .jsonl, .parquet) stands for the videos in it, one a row, with the other columns as metadata;
      see `manifest_rows`.
    - A list file (.txt) stands for the paths in it: one a line; empty lines and lines that begin with # are skipped.
    - What does not exist is read as a pattern (*, ?, [...], ** for any depth), and stands for its sorted matches; in an
      object store it is one if it looks so.

    Paths in manifests and lists are relative to the folder of these. What stands for no video, as a folder without any
    or one that may not be read, and a link that leads nowhere, comes out as it is, and opening it says why.

    Args:
        paths: Paths and URIs.
        fetching: How remote manifests and folders are read; None for the defaults.
        check: Called with the metadata of each row of a manifest; a ValueError of it becomes a SourceError that names
            the line.

    Raises:
        SourceError: A manifest cannot be read, or a row of it is not as it should be; or a remote folder cannot be
            listed.
    """
    naming = _Naming(fetching or Fetching(), check)
    seen: set[str] = set()
    for path in paths:
        for found in naming.expanded(local_path(path)):
            place = found.uri if is_remote(found.uri) else os.path.abspath(found.uri)  # noqa: PTH100 - keeps ".."
            if place not in seen or found.metadata:
                seen.add(place)
                yield found


def read_listings(paths: Iterable[str], *, check: MetadataCheck | None = None) -> Iterator[str | Listed]:
    """Read local lists and manifests, for another machine that will `expand` the rest.

    All else, as folders, patterns, videos and whatever is remote, stays a name; paths become absolute, each name comes
    once. A list that names nothing stays a name, too.

    Args:
        paths: Paths and URIs, as for `expand`.
        check: As for `expand`.

    Raises:
        SourceError: A manifest cannot be read, or a row of it is not as it should be.
    """
    naming = _Naming(Fetching(), check)
    seen: set[str] = set()
    for path in map(local_path, paths):
        listed = None if is_remote(path) else naming.listed(path)
        if listed is not None:
            yield listed
        elif (name := _absolute(path)) not in seen:
            seen.add(name)
            yield name


class _Naming:
    """Expands names to sources."""

    def __init__(self, fetching: Fetching, check: MetadataCheck | None) -> None:
        self._fetching = fetching
        self._check = check

    def expanded(self, path: str) -> Iterator[Source]:
        """What a caller's own name stands for: lists and manifests are read, too."""
        if _is_listing(path, MANIFESTS):
            yield from self._in_manifest(path)
        elif _is_listing(path, (_LIST,)):
            names = self._in_list(path)
            for name in names:
                yield from self._found(name)
            if not names:
                yield Source(path)
        elif is_remote(path) and has_listing(path) and suffix_of(path) not in SUFFIXES and not is_pattern(path):
            yield from map(Source, remote_videos_within(path, self._fetching) or [path])
        else:
            yield from self._found(path)

    def listed(self, path: str) -> Listed | None:
        """What a list or manifest on this machine names; None where the path is that of neither, or a list is empty."""
        if _is_listing(path, MANIFESTS):
            rows = self._in_manifest(path)
            return Listed(tuple(Source(_absolute(row.uri), row.metadata) for row in rows), are_videos=True)
        names = self._in_list(path) if _is_listing(path, (_LIST,)) else []
        return Listed(tuple(Source(_absolute(name)) for name in names), are_videos=False) if names else None

    def _found(self, path: str) -> Iterator[Source]:
        """What a name stands for that may come from a list: files, folders and patterns, and nothing is asked."""
        if not path:
            return
        if is_remote(path):
            yield from self._found_remote(path)
        elif os.path.isdir(path):  # noqa: PTH112 - Path("") is a folder
            yield from map(Source, list(content_of(path)) or [path])
        elif not os.path.lexists(path) and glob.has_magic(path):
            yield from map(Source, matches_of(path) or [path])
        else:
            yield Source(path)

    def _found_remote(self, uri: str) -> Iterator[Source]:
        found: list[str] = []
        if has_listing(uri):
            if is_pattern(uri):
                found = remote_matches(uri, self._fetching)
            elif uri.endswith("/"):
                found = remote_videos_within(uri, self._fetching)
        yield from map(Source, found or [uri])

    def _in_manifest(self, path: str) -> Iterator[Source]:
        is_empty = True
        with self._opened(path) as file:
            for source in manifest_rows(path, file, self._check):
                is_empty = False
                yield Source(_beside(path, source.uri), source.metadata)
        if is_empty:
            raise SourceError(f"{shown_name(path)}: names no video; fill it, or leave it out")

    def _in_list(self, path: str) -> list[str]:
        """The names in a list; spaces at the ends of a line are a name's own only where such a file is there."""
        with self._opened(path) as file:
            content = file.read(_MOST_LIST_BYTES + 1)
        if len(content) > _MOST_LIST_BYTES:
            raise SourceError(f"{shown_name(path)}: is larger than {_MOST_LIST_BYTES:,} bytes; split it")
        text = content.decode("utf-8-sig", errors="surrogateescape")
        lines = [line.strip("\r") for line in text.split("\n")]
        named = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
        literal = [_beside(path, line) for line in named]
        return [
            place if os.path.lexists(place) else _beside(path, line.strip())
            for place, line in zip(literal, named, strict=True)
        ]

    @contextmanager
    def _opened(self, path: str) -> Iterator[BinaryIO]:
        """A list's bytes."""
        try:
            if is_remote(path):
                with closing(open_remote(path, self._fetching)) as media, media.open() as file:
                    yield file
                    media.check_unchanged()
            else:
                with Path(path).open("rb") as file:
                    yield file
        except VideoError as error:
            raise SourceError(f"{shown_name(path)}: cannot be read: {error.problem}") from None
        except OSError as error:
            raise SourceError(
                f"{shown_name(path)}: cannot be read ({error.strerror or error}); check its permissions"
            ) from error


def _is_listing(path: str, suffixes: Container[str]) -> bool:
    return suffix_of(path) in suffixes and (is_remote(path) or os.path.isfile(path))  # noqa: PTH113 - Path("") is a folder


def _absolute(path: str) -> str:
    return path if is_remote(path) else os.path.abspath(path)  # noqa: PTH100 - so that ./a.mp4 and a.mp4 are one name


def _beside(listing: str, name: str) -> str:
    """Where a list means a video to be."""
    path = local_path(name)
    if is_remote(path) or os.path.isabs(path):  # noqa: PTH117 - takes bytes that are not UTF-8, too
        return path
    if not is_remote(listing):
        return os.path.join(os.path.dirname(listing), path)  # noqa: PTH118, PTH120 - keeps the path as it was given
    scheme, _, rest = listing.partition("://")
    folder = (rest if has_listing(listing) else rest.partition("?")[0]).rpartition("/")[0]
    end = "/" if path.endswith("/") else ""
    return f"{scheme}://{posixpath.normpath(posixpath.join(folder, path))}{end}"
