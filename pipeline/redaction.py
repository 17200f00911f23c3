"""Removes credentials from URIs and texts of other libraries before they are shown, logged or stored."""

from __future__ import annotations

import re
import string
from urllib.parse import unquote

__all__ = ["CHAIN_LINK", "LONGEST_URI", "public_name", "public_text", "shown_name"]

LONGEST_URI = 8192
"""Maximum length of a URI in characters. Signed URLs have up to 4,000, keys of object stores 1,024, and most servers
accept 8,192."""

_HIDDEN = "..."
_LONGEST_SHOWN = 200
# Programs encode a URL within a URL once or twice; decoding without a limit would take quadratic time.
_MAX_DECODINGS = 4

_LONGEST_SCHEME = 32
# A URL that was mistaken for a path and made absolute: "/folder/http:/host/a.mp4".
_FLATTENED = re.compile(r"(?:https?|ftps?|s3a?|gc?s|az|abfss?|sftp|ssh|smb|webdavs?):/(?!/)", re.IGNORECASE)
_SCHEME_LETTERS = frozenset(f"{string.ascii_letters}{string.digits}+._-")
_LOCAL_SCHEMES = frozenset({"file", "local"})
# "://" within another text, percent-encoded any number of times.
_COLON_SLASHES = r"(?::|%(?:25)*3a)(?:/|%(?:25)*2f){2}"
_NESTED = re.compile(_COLON_SLASHES, re.IGNORECASE)
_AT = re.compile(r"@|%(?:25)*40", re.IGNORECASE)
# A link of a chain of fsspec: "zip://a.zip::simplecache::http://host/b".
CHAIN_LINK = re.compile(r"::(?=[A-Za-z][A-Za-z0-9+._-]*(?:::|://))")

# In URIs with these schemes, the user part is the container, which is needed to identify a file.
_CONTAINER_SCHEMES = frozenset({"az", "abfs", "abfss"})
# Keys of object stores may contain any character, so only text in the form of a query is treated as one.
_KEY_SCHEMES = frozenset({"s3", "s3a", "gs", "gcs", "oss", "oci", "tos", "memory", *_CONTAINER_SCHEMES})
_QUERY_MARK = re.compile(r"[?#]|%(?:25)*(?:3f|23)", re.IGNORECASE)
_EQUALS = re.compile(r"=|%(?:25)*3d", re.IGNORECASE)
_VERSION_OF_A_KEY = re.compile(r"\?versionId=[\w.+-]+")
_MATRIX_PARAMETERS = re.compile(r";[^/;]*=[^/]*")

_PORTED_HOST = re.compile(r"(?:\[[^\[\]]*\]|[^:\[\]]*)(?::\d*)?")

# Matches only at the start of a word: a search from every letter would take quadratic time.
_URI_IN_TEXT = re.compile(rf"(?<![A-Za-z0-9+._-])[A-Za-z0-9+._-]+{_COLON_SLASHES}[^\s\"'<>`]*", re.IGNORECASE)
# "Max retries exceeded with url: /a.mp4?Signature=abc"
_QUERY_OF_A_PATH_IN_TEXT = re.compile(r"(\burl:?\s+[^\s?]{0,8192})\?\S+", re.IGNORECASE)
_SECRET_PARAMETER = re.compile(
    r"(?<=[?&;])([\w.-]{0,64}(?:sig|signature|credential|token|secret|password|key|auth)[\w.-]{0,64}=)[^\s&\"'<>]+",
    re.I,
)
_SECRET_IN_TEXT = re.compile(
    r"\b(x-(?:amz|goog)-(?:credential|signature|security-token)|signature|sig|awsaccesskeyid|aws_secret_access_key"
    r"|access_token|authorization)\b([\"']?\s*(?:=|%(?:25)*3d|:)\s*[\"']?)((?:(?:basic|bearer)\s+)?[^\s&\"'<>,;]+)",
    re.IGNORECASE,
)


def public_name(uri: str) -> str:
    """Remove the credentials of a URI: user, query and fragment, in each link of a chain.

    The query of a signed URL is a credential. The result identifies the video's location, but may not be sufficient to
    open it. A local path is returned unchanged, unless it contains a URI. In object stores, whose keys may contain any
    character, only text in the form "?name=value" is treated as a query.
    """
    if len(uri) > LONGEST_URI and "://" in uri:
        return f"{uri[: uri.index('://')][:_LONGEST_SHOWN]}://{_HIDDEN}"
    return "::".join(map(_public_link, CHAIN_LINK.split(uri)))


def shown_name(uri: str) -> str:
    """Format a public name for a message: at most 200 characters, with escaped control characters."""
    name = "".join(character if character.isprintable() else repr(character)[1:-1] for character in public_name(uri))
    return name if len(name) <= _LONGEST_SHOWN else f"{name[: _LONGEST_SHOWN - len(_HIDDEN)]}{_HIDDEN}"


def public_text(text: str) -> str:
    """Remove the credentials from a text of another library: URIs become public names, and query values are removed.

    Messages of network libraries quote URLs: complete, percent-encoded, or only the path and query.
    """
    text = _URI_IN_TEXT.sub(lambda match: _public_quoted(match[0]), text)
    text = _QUERY_OF_A_PATH_IN_TEXT.sub(r"\1", text)
    text = _SECRET_PARAMETER.sub(rf"\1{_HIDDEN}", text)
    return _SECRET_IN_TEXT.sub(rf"\1\2{_HIDDEN}", text)


def _public_quoted(uri: str) -> str:
    # Punctuation at the end belongs to the sentence, not to the URI.
    end = len(uri.rstrip(",.;:!?)]}"))
    plain = uri[:end] if "://" in uri else _decoded(uri[:end])
    return (_HIDDEN if plain is None else public_name(plain)) + uri[end:]


def _public_link(uri: str) -> str:
    colon = uri.find("://")
    if colon >= 0 and uri[:colon].lower() in _LOCAL_SCHEMES:
        colon = uri.find("://", colon + 3)
    flattened = _FLATTENED.search(uri) if colon < 0 else None
    if flattened is not None:
        colon = flattened.end() - 2
    elif colon < 0:
        return uri
    # The text before a URI within a path may be long, but a scheme is short.
    scheme = _scheme_before(uri[max(0, colon - _LONGEST_SCHEME) : colon])
    end = colon + (3 if flattened is None else 2)
    start, rest = uri[:end], uri[end:]
    cut = 0 if scheme == "memory" else next((at for at, letter in enumerate(rest) if letter in "/?#"), len(rest))
    host = _public_host(scheme, rest[:cut])
    return start + (_HIDDEN if host is None else host + _public_path(scheme, rest[cut:]))


def _scheme_before(text: str) -> str:
    length = next((at for at, letter in enumerate(reversed(text)) if letter not in _SCHEME_LETTERS), len(text))
    return text[len(text) - length :].lower()


def _public_host(scheme: str, authority: str) -> str | None:
    """Return host and port without the user; None if they are invalid, as in "user:pass/word@host"."""
    *user, host = _AT.split(authority)
    if not _PORTED_HOST.fullmatch(host):
        return None
    if scheme in _CONTAINER_SCHEMES and len(user) == 1 and _PORTED_HOST.fullmatch(user[0]) and ":" not in user[0]:
        return authority
    return host


def _public_path(scheme: str, path: str) -> str:
    if scheme not in _KEY_SCHEMES:
        path = re.split(r"[?#]", path)[0]
        path = _MATRIX_PARAMETERS.sub("", path)
    query_start = _query_start(path)
    if not _VERSION_OF_A_KEY.fullmatch(path[query_start:]):
        path = path[:query_start]
    nested = _NESTED.search(path)
    if nested is not None:
        inner = _decoded(path[nested.end() :])
        if inner is None or "@" in inner.partition("/")[0] or "?" in inner or "#" in inner:
            path = f"{path[: nested.start()]}://{_HIDDEN}"
    return path


def _query_start(path: str) -> int:
    """Find the start of text in the form of a query, "?name=value", encoded or not; the path's end if there is none.

    The search is done for each path component, so that it takes linear time.
    """
    start = 0
    for part in path.split("/"):
        mark = _QUERY_MARK.search(part)
        if mark is not None and _EQUALS.search(part, mark.end()):
            return start + mark.start()
        start += len(part) + 1
    return len(path)


def _decoded(text: str) -> str | None:
    """Decode a text that was percent-encoded several times; None if it was encoded too often."""
    for _ in range(_MAX_DECODINGS):
        if (plain := unquote(text)) == text:
            return text
        text = plain
    return None
