"""Classify paths and URIs, refuse those that are not read, and make names that may be shown."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from pipeline.redaction import CHAIN_LINK, LONGEST_URI, public_name, public_text, shown_name

__all__ = [
    "FURTHER_SCHEMES",
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
"""Schemes of fsspec that `fetching.schemes` allows, most of which name any host of the network. Those that read another
URI, keep copies or run code (zip, simplecache, reference, ...) are never read."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+._-]*)://")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def is_remote(uri: str) -> bool:
    """Whether it is read over the network or by fsspec, and not as a file of this machine. Chains of fsspec are."""
    return _scheme(uri) not in ("", *_LOCAL) or CHAIN_LINK.search(uri) is not None


def is_web(uri: str) -> bool:
    """Whether it is an http or https URL."""
    return _scheme(uri) in _WEB


def refusal_of(uri: str, further: Collection[str] = ()) -> str | None:
    """Why a remote URI is not read, with what to do; None for one that is.

    Args:
        uri: A URI that `is_remote`.
        further: Allowed schemes of `FURTHER_SCHEMES`.
    """
    scheme = _scheme(uri)
    if CHAIN_LINK.search(uri) or ("::" in uri and scheme not in _WEB):
        return "chained URIs (with '::') are not read; copy the file that is meant to a folder or an object store"
    if len(uri) > LONGEST_URI:
        return f"it is longer than {LONGEST_URI:,} characters; check the URI"
    if _CONTROL.search(uri):
        return "it has control characters; check the URI"
    if scheme in _WEB | _STORES or scheme in further:
        return None
    if scheme in FURTHER_SCHEMES:
        return f"{scheme}:// is read only where it is allowed; to trust its hosts, set fetching.schemes to [{scheme}]"
    allowed = ", ".join(sorted(_WEB | _STORES))
    return f"{scheme}:// is not read; check the scheme ({allowed} are), or copy the file to a folder"


def refusal_of_library(location: str) -> str | None:
    """Why no library can be at a location, with what to do; None where one can."""
    # fsspec takes a path with "::" for a chain, too, and one that begins with "data:" for data.
    if "::" in location or location.startswith("data:"):
        return "chained URIs (with '::') and data are no location; name a folder, or a place in an object store"
    if not is_remote(location):
        return None
    scheme = _scheme(location)
    if scheme in _WEB:
        return "a web server keeps no library; copy it to a folder or an object store"
    refusal = refusal_of(location, FURTHER_SCHEMES)
    if refusal is not None:
        return refusal
    user = location.partition("://")[2].partition("/")[0].rpartition("@")[0]
    path = location.partition("://")[2].partition("/")[2]
    if ":" in user or "?" in path:
        return (
            "a library's location has no password and no query; give credentials as its provider's package reads them"
        )
    return None


def local_path(uri: str) -> str:
    """The path that a file:// or local:// URI means; a path is returned as it is."""
    scheme = _scheme(uri)
    if scheme not in _LOCAL or is_remote(uri):
        return uri
    path = uri[len(scheme) + 3 :]
    # A host may be named, and only this machine is ever meant: file://localhost/a/b.mp4.
    path = path.removeprefix("localhost") if path.startswith("localhost/") else path
    return unquote(path) if scheme == "file" else path


def place_of(uri: str) -> str:
    """Where a video is read, whatever the working directory: URIs as they are, paths made absolute."""
    path = local_path(uri)
    # An empty path stays one: made absolute, it would be the working directory.
    return path if not path or is_remote(path) else os.path.abspath(path)  # noqa: PTH100 - Path keeps ".."


def kept_name(uri: str) -> str:
    """Where a video is, as the library keeps it: without the credentials that a signed URL carries."""
    # First, too: a path that is made absolute loses a slash of a URL in it.
    return public_name(place_of(public_name(uri)))


def suffix_of(uri: str) -> str:
    """The suffix of the file that is named, in lower case, with its dot; empty where there is none."""
    if _scheme(uri) not in _WEB:
        return PurePosixPath(uri).suffix.lower()
    try:
        return PurePosixPath(urlsplit(uri).path).suffix.lower()
    except ValueError:
        # Its host is malformed; whoever opens it reports that.
        return ""


def _scheme(uri: str) -> str:
    match = _SCHEME.match(uri)
    return match.group(1).lower() if match else ""
