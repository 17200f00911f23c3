"""List videos in folders of object stores, and those that match a pattern."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from pipeline.errors import SourceError, VideoError
from pipeline.io.folders import SUFFIXES
from pipeline.io.fsspec_object import fault_of, file_system
from pipeline.io.retries import retried, within
from pipeline.io.settings import Fetching
from pipeline.uris import is_web, refusal_of, shown_name, suffix_of

__all__ = ["has_listing", "is_pattern", "remote_matches", "remote_videos_within"]

T = TypeVar("T")

_WILDCARD = re.compile(r"[*?\[]")
# Object stores return a thousand names per answer, and fsspec waits for all answers.
_LISTING_ANSWERS = 20


def has_listing(uri: str) -> bool:
    """Whether a URI's server can list files; web servers cannot."""
    return not is_web(uri)


def is_pattern(uri: str) -> bool:
    """Whether a URI is a pattern, that is, contains a wildcard."""
    return _WILDCARD.search(uri) is not None


def remote_videos_within(uri: str, fetching: Fetching) -> list[str]:
    """List the URIs of all videos in a remote folder and below, recognized by suffix and sorted, without hidden ones.

    The list is empty if there is no such folder, or it is a file.

    Raises:
        SourceError: The folder cannot be listed.
    """
    return _listed(uri, fetching, lambda files, path: _videos_below(files, path.rstrip("/"), uri.rstrip("/")))


def remote_matches(pattern: str, fetching: Fetching) -> list[str]:
    """List the files that a pattern matches (*, ?, [...], ** for any depth) and the videos in matching folders.

    Raises:
        SourceError: The server cannot list it.
    """
    root = pattern[: _root_end(pattern)]

    def matches(files: Any, path: str) -> list[str]:
        root_path = path[: _root_end(path)]
        found: set[str] = set()
        for name, info in files.glob(path, detail=True).items():
            match = str(name).rstrip("/")
            below = match[len(root_path) :]
            if "/." in f"/{below}" and "/." not in f"/{path[len(root_path) :]}":
                continue
            uri = root + below
            found.update(_videos_below(files, match, uri) if info["type"] == "directory" else [uri])
        return sorted(found)

    return _listed(pattern, fetching, matches)


def _root_end(pattern: str) -> int:
    """The end of the literal part of a pattern: after the last / before the first wildcard."""
    match = _WILDCARD.search(pattern)
    return pattern.rfind("/", 0, match.start() if match else None) + 1


def _videos_below(files: Any, path: str, uri: str) -> list[str]:
    names = (str(name)[len(path) :] for name in files.find(path) if str(name).startswith(f"{path}/"))
    return sorted(f"{uri}{name}" for name in names if "/." not in name and suffix_of(name) in SUFFIXES)


def _listed(uri: str, fetching: Fetching, listing: Callable[[Any, str], list[str]]) -> list[str]:
    def attempt() -> list[str]:
        try:
            files.invalidate_cache(path)
            return within(_LISTING_ANSWERS * fetching.timeout_seconds, lambda: listing(files, path))
        except FileNotFoundError:
            return []
        except Exception as error:  # noqa: BLE001 - file systems raise different errors, which `fault_of` interprets
            raise fault_of(error, uri) from None

    if (refusal := refusal_of(uri, fetching.schemes)) is not None:
        raise SourceError(f"{shown_name(uri)}: cannot be listed: {refusal}")
    try:
        files, path = file_system(uri)
        return retried(uri, fetching, attempt)
    except VideoError as error:
        raise SourceError(f"{shown_name(uri)}: cannot be listed: {error.problem}") from None
