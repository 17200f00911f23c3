"""Classifies paths and URIs, rejects unsupported ones, and makes names that may be shown."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from pipeline.redaction import CHAIN_LINK, LONGEST_URI, public_name, public_text, shown_name

__all__ = [
    "FURTHER_SCHEMES",
    "base_name",
    "is_remote",
    "is_web",
    "kept_name",
    "local_path",
    "place_of",
    "public_name",
    "public_text",
    "refusal_of",
    "refusal_of_library",
    "shown_name",
    "suffix_of",
]

_WEB = frozenset({"http", "https"})
_LOCAL = frozenset({"file", "local"})
_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "memory"})
FURTHER_SCHEMES = frozenset({"ftp", "hdfs", "hf", "oci", "oss", "sftp", "smb", "ssh", "tos", "webhdfs"})
"""Schemes of fsspec that `fetching.schemes` can allow; most of them can refer to any host of the network. Schemes that
read another URI, keep copies or run code (zip, simplecache, reference, ...) are never accepted."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+._-]*)://")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def base_name(name: str) -> str:
    """Return the file name of a path or URI."""
    return PurePosixPath(name).name


def is_remote(uri: str) -> bool:
    """Whether a URI is read over the network or by fsspec, not as a file of this machine; chained URIs always are."""
    return _scheme(uri) not in ("", *_LOCAL) or CHAIN_LINK.search(uri) is not None


def is_web(uri: str) -> bool:
    """Whether a URI is an http or https URL."""
    return _scheme(uri) in _WEB


def refusal_of(uri: str, further: Collection[str] = ()) -> str | None:
    """Explain why a remote URI is not accepted, and what to do; None if it is accepted.

    Args:
        uri: A remote URI (`is_remote`).
        further: The allowed schemes of `FURTHER_SCHEMES`.
    """
    scheme = _scheme(uri)
    if CHAIN_LINK.search(uri) or ("::" in uri and scheme not in _WEB):
        return "chained URIs (with '::') are not supported; copy the file to a folder or an object store"
    if len(uri) > LONGEST_URI:
        return f"it is longer than {LONGEST_URI:,} characters; check the URI"
    if _CONTROL.search(uri):
        return "it has control characters; check the URI"
    if scheme in _WEB | _STORES or scheme in further:
        return None
    if scheme in FURTHER_SCHEMES:
        return f"{scheme}:// must be allowed explicitly; to trust its hosts, set fetching.schemes to [{scheme}]"
    allowed = ", ".join(sorted(_WEB | _STORES))
    return f"{scheme}:// is not supported; check the scheme (supported: {allowed}), or copy the file to a folder"


def refusal_of_library(location: str) -> str | None:
    """Explain why a library cannot be at a location, and what to do; None if it can."""
    # fsspec also treats a path with "::" as a chain, and one that starts with "data:" as data.
    if "::" in location or location.startswith("data:"):
        return "chained URIs (with '::') and data: URLs are not supported; name a folder, or a URL of an object store"
    if not is_remote(location):
        return None
    scheme = _scheme(location)
    if scheme in _WEB:
        return "a library cannot be on a web server; copy it to a folder or an object store"
    refusal = refusal_of(location, FURTHER_SCHEMES)
    if refusal is not None:
        return refusal
    user = location.partition("://")[2].partition("/")[0].rpartition("@")[0]
    path = location.partition("://")[2].partition("/")[2]
    if ":" in user or "?" in path:
        return (
            "a library's location cannot contain a password or query; provide credentials in the way of the storage"
            " provider's package"
        )
    return None


def local_path(uri: str) -> str:
    """Return the path of a file:// or local:// URI; a path is returned unchanged."""
    scheme = _scheme(uri)
    if scheme not in _LOCAL or is_remote(uri):
        return uri
    path = uri[len(scheme) + 3 :]
    # The only host in such a URI can be this machine: file://localhost/a/b.mp4.
    path = path.removeprefix("localhost") if path.startswith("localhost/") else path
    return unquote(path) if scheme == "file" else path


def place_of(uri: str) -> str:
    """Return a video's location independent of the working directory: URIs unchanged, paths made absolute."""
    path = local_path(uri)
    # An empty path stays empty: made absolute, it would be the working directory.
    return path if not path or is_remote(path) else os.path.abspath(path)  # noqa: PTH100 - Path keeps ".."


def kept_name(uri: str) -> str:
    """Return a video's location as the library stores it, without credentials such as a signed URL's query."""
    # Redacted before, too, because a URL loses a slash when it is made absolute as a path.
    return public_name(place_of(public_name(uri)))


def suffix_of(uri: str) -> str:
    """Return the suffix of the file's name, in lower case with its dot; empty if there is none."""
    if _scheme(uri) not in _WEB:
        return PurePosixPath(uri).suffix.lower()
    try:
        return PurePosixPath(urlsplit(uri).path).suffix.lower()
    except ValueError:
        # The host is malformed, which is reported when the URL is opened.
        return ""


def _scheme(uri: str) -> str:
    match = _SCHEME.match(uri)
    return match.group(1).lower() if match else ""
