"""Paths and URIs as they are written: what kind one is, and how much of it may be shown."""

from __future__ import annotations

import os
import re
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

__all__ = ["is_remote", "kept_name", "local_path", "place_of", "public_name", "suffix_of"]

_WEB = ("http", "https")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def is_remote(uri: str) -> bool:
    """Whether it is read through a file system of fsspec, and not by the system's own."""
    return _scheme(uri) not in ("", "file", "local")


def local_path(uri: str) -> str:
    """The path that a file:// or local:// URI means; a path is returned as it is."""
    scheme = _scheme(uri)
    if scheme not in ("file", "local"):
        return uri
    path = uri[len(scheme) + 3 :]
    # A host may be named, and only this machine is ever meant: file://localhost/a/b.mp4.
    path = path.removeprefix("localhost") if path.startswith("localhost/") else path
    return unquote(path) if scheme == "file" else path


def public_name(uri: str) -> str:
    """A URI without what only its owner may know: an http(s) URL's query, fragment and user, others' password.

    A signed URL's query is its credential. What is left says where a video is, and may not be enough to open it.
    """
    scheme = _scheme(uri)
    if not is_remote(uri):
        return uri
    start = len(scheme) + 3
    host, slash, path = uri[start:].partition("/")
    if scheme in _WEB:
        host = re.split(r"[?#]", host)[0].rpartition("@")[2]
        return f"{uri[:start]}{host}{slash}{re.split(r'[?#]', path)[0]}"
    user, at, host = host.rpartition("@")
    return f"{uri[:start]}{user.partition(':')[0]}{at}{host}{slash}{path}"


def place_of(uri: str) -> str:
    """Where a video is read, whatever the working directory: URIs as they are, paths made absolute."""
    path = local_path(uri)
    # An empty path stays one: made absolute, it would be the working directory.
    return path if not path or is_remote(path) else os.path.abspath(path)  # noqa: PTH100 - Path keeps ".."


def kept_name(uri: str) -> str:
    """Where a video is, as the library keeps it: without the credentials that a signed URL carries."""
    return public_name(place_of(uri))


def suffix_of(uri: str) -> str:
    """The suffix of the file that is named, in lower case, with its dot; empty where there is none."""
    name = urlsplit(uri).path if _scheme(uri) in _WEB else uri
    return PurePosixPath(name).suffix.lower()


def _scheme(uri: str) -> str:
    match = _SCHEME.match(uri)
    return match.group(1).lower() if match else ""
