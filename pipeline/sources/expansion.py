"""Expand paths, URIs, patterns, lists and manifests to videos."""

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
# A million names of 250 bytes; the content of a list is in memory several times.
_MAX_LIST_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Listed:
    """The content of a list or manifest: absolute paths and URIs, not yet expanded.

    Attributes:
        sources: Its entries, in order; the lines of a list have no metadata.
        are_videos: Whether each entry is one video, as in a manifest; an entry of a list may be a folder or a pattern.
    """

    sources: tuple[Source, ...]
    are_videos: bool

    def as_file(self) -> tuple[str, bytes]:
        """Serialize the entries as a file that `expand` reads; return its suffix and content."""
        if self.are_videos:
            return ".jsonl", json_manifest(self.sources).encode()
        lines = [f"{source.uri}\n" for source in self.sources]
        return _LIST, "".join(lines).encode(errors="surrogateescape")


def expand(
    paths: Iterable[str], fetching: Fetching | None = None, *, check: MetadataCheck | None = None
) -> Iterator[Source]:
    """List the videos of paths and URIs in order, each once, unless a later entry has metadata for it.

    - A file is one video, whatever its suffix.
    - A folder contributes all videos in it and below, recognized by suffix and sorted, without hidden ones. Links to
      folders are followed, and each real folder is read once. In an object store, a folder is a name that ends with /
      or has no suffix of a video; web servers have no folders.
    - A manifest (.csv, .jsonl, .parquet) lists videos, one per row, with the other columns as metadata; see
      `manifest_rows`.
    - A list file (.txt) contains paths, one per line; empty lines and lines that begin with # are skipped.
    - A name that does not exist is treated as a pattern (*, ?, [...], ** for any depth), and contributes its sorted
      matches; in an object store, a name with such characters is a pattern.

    Paths in manifests and lists are relative to the folder of the manifest or list. A name without any video, such as
    an empty or unreadable folder, or a broken link, is returned unchanged, and opening it reports the reason.

    Args:
        paths: Paths and URIs.
        fetching: Settings for reading remote manifests and folders; None for the defaults.
        check: Called with the metadata of each row of a manifest; a ValueError that it raises becomes a SourceError
            that names the line.

    Raises:
        SourceError: A manifest cannot be read, or a row of it is invalid; or a remote folder cannot be listed.
    """
    expander = _Expander(fetching or Fetching(), check)
    seen: set[str] = set()
    for path in paths:
        for source in expander.expanded(local_path(path)):
            name = source.uri if is_remote(source.uri) else os.path.abspath(source.uri)  # noqa: PTH100 - keeps ".."
            if name not in seen or source.metadata:
                seen.add(name)
                yield source


def read_listings(paths: Iterable[str], *, check: MetadataCheck | None = None) -> Iterator[str | Listed]:
    """Read local lists and manifests, for another machine that will `expand` the rest.

    Other sources, such as folders, patterns, videos and remote ones, stay names; paths become absolute, and each name
    occurs once. An empty list stays a name, too.

    Args:
        paths: Paths and URIs, as for `expand`.
        check: As for `expand`.

    Raises:
        SourceError: A manifest cannot be read, or a row of it is invalid.
    """
    expander = _Expander(Fetching(), check)
    seen: set[str] = set()
    for path in map(local_path, paths):
        listed = None if is_remote(path) else expander.listed(path)
        if listed is not None:
            yield listed
        elif (name := _absolute(path)) not in seen:
            seen.add(name)
            yield name


class _Expander:
    """Expands names to sources."""

    def __init__(self, fetching: Fetching, check: MetadataCheck | None) -> None:
        self._fetching = fetching
        self._check = check

    def expanded(self, path: str) -> Iterator[Source]:
        """Expand a name given by the caller, which may be a list or manifest."""
        if _is_listing(path, MANIFESTS):
            yield from self._in_manifest(path)
        elif _is_listing(path, (_LIST,)):
            names = self._in_list(path)
            for name in names:
                yield from self._videos_of(name)
            if not names:
                yield Source(path)
        elif is_remote(path) and has_listing(path) and suffix_of(path) not in SUFFIXES and not is_pattern(path):
            yield from map(Source, remote_videos_within(path, self._fetching) or [path])
        else:
            yield from self._videos_of(path)

    def listed(self, path: str) -> Listed | None:
        """Read a list or manifest on this machine; None if the path is neither, or the list is empty."""
        if _is_listing(path, MANIFESTS):
            rows = self._in_manifest(path)
            return Listed(tuple(Source(_absolute(row.uri), row.metadata) for row in rows), are_videos=True)
        names = self._in_list(path) if _is_listing(path, (_LIST,)) else []
        return Listed(tuple(Source(_absolute(name)) for name in names), are_videos=False) if names else None

    def _videos_of(self, path: str) -> Iterator[Source]:
        """Expand a name that may come from a list: a file, folder or pattern; no list in it is read."""
        if not path:
            return
        if is_remote(path):
            yield from self._remote_videos_of(path)
        elif os.path.isdir(path):  # noqa: PTH112 - Path("") is a folder
            yield from map(Source, list(content_of(path)) or [path])
        elif not os.path.lexists(path) and glob.has_magic(path):
            yield from map(Source, matches_of(path) or [path])
        else:
            yield Source(path)

    def _remote_videos_of(self, uri: str) -> Iterator[Source]:
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
                yield Source(_resolved(path, source.uri), source.metadata)
        if is_empty:
            raise SourceError(f"{shown_name(path)}: lists no video; add some, or leave the file out")

    def _in_list(self, path: str) -> list[str]:
        """Read the names in a list; spaces around a line are part of the name only if such a file exists."""
        with self._opened(path) as file:
            content = file.read(_MAX_LIST_BYTES + 1)
        if len(content) > _MAX_LIST_BYTES:
            raise SourceError(f"{shown_name(path)}: is larger than {_MAX_LIST_BYTES:,} bytes; split it")
        text = content.decode("utf-8-sig", errors="surrogateescape")
        lines = [line.strip("\r") for line in text.split("\n")]
        entries = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
        literal = [_resolved(path, line) for line in entries]
        return [
            name if os.path.lexists(name) else _resolved(path, line.strip())
            for name, line in zip(literal, entries, strict=True)
        ]

    @contextmanager
    def _opened(self, path: str) -> Iterator[BinaryIO]:
        """Open a list or manifest for reading."""
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
    return path if is_remote(path) else os.path.abspath(path)  # noqa: PTH100 - makes ./a.mp4 and a.mp4 equal


def _resolved(listing: str, name: str) -> str:
    """Resolve a name in a list relative to the folder of the list."""
    path = local_path(name)
    if is_remote(path) or os.path.isabs(path):  # noqa: PTH117 - takes bytes that are not UTF-8, too
        return path
    if not is_remote(listing):
        return os.path.join(os.path.dirname(listing), path)  # noqa: PTH118, PTH120 - keeps the path as it was given
    scheme, _, rest = listing.partition("://")
    folder = (rest if has_listing(listing) else rest.partition("?")[0]).rpartition("/")[0]
    end = "/" if path.endswith("/") else ""
    return f"{scheme}://{posixpath.normpath(posixpath.join(folder, path))}{end}"
