"""Remove credentials from URIs and foreign texts before they are shown, logged or stored."""

from __future__ import annotations

import re
import string
from urllib.parse import unquote

__all__ = ["CHAIN_LINK", "LONGEST_URI", "public_name", "public_text", "shown_name"]

LONGEST_URI = 8192
"""Characters of a URI. Signed URLs have up to 4,000, keys of object stores 1,024, and most servers take 8,192."""

_HIDDEN = "..."
_LONGEST_SHOWN = 200
# Programs encode a URL within a URL once or twice; to decode without a limit takes quadratic time.
_MOST_DECODINGS = 4

_LONGEST_SCHEME = 32
# A URL that was taken for a path and made absolute: "/folder/http:/host/a.mp4".
_FLATTENED = re.compile(r"(?:https?|ftps?|s3a?|gc?s|az|abfss?|sftp|ssh|smb|webdavs?):/(?!/)", re.IGNORECASE)
_SCHEME_LETTERS = frozenset(f"{string.ascii_letters}{string.digits}+._-")
_LOCAL_SCHEMES = frozenset({"file", "local"})
# The same where a URI is part of another text, whatever number of times it was percent-encoded.
_COLON_SLASHES = r"(?::|%(?:25)*3a)(?:/|%(?:25)*2f){2}"
_NESTED = re.compile(_COLON_SLASHES, re.IGNORECASE)
_AT = re.compile(r"@|%(?:25)*40", re.IGNORECASE)
# A link of a chain of fsspec: "zip://a.zip::simplecache::http://host/b".
CHAIN_LINK = re.compile(r"::(?=[A-Za-z][A-Za-z0-9+._-]*(?:::|://))")

# The user part of their URIs is the container, without which nothing is named.
_CONTAINER_SCHEMES = frozenset({"az", "abfs", "abfss"})
# Keys of object stores may have any character: only what has the form of a query is taken for one.
_KEY_SCHEMES = frozenset({"s3", "s3a", "gs", "gcs", "oss", "oci", "tos", "memory", *_CONTAINER_SCHEMES})
_QUERY_MARK = re.compile(r"[?#]|%(?:25)*(?:3f|23)", re.IGNORECASE)
_EQUALS = re.compile(r"=|%(?:25)*3d", re.IGNORECASE)
_VERSION_OF_A_KEY = re.compile(r"\?versionId=[\w.+-]+")
_MATRIX_PARAMETERS = re.compile(r";[^/;]*=[^/]*")

_PORTED_HOST = re.compile(r"(?:\[[^\[\]]*\]|[^:\[\]]*)(?::\d*)?")

# It begins where a word does: a search from each letter on would take quadratic time.
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
    """A URI without credentials: without the user, the query and the fragment, in each link of a chain.

    A signed URL's query is its credential. The result says where a video is, and may not be enough to open it. A local
    path is returned as it is, unless there is a URI in it. In object stores, whose keys may have any character, a query
    is what has the form of one ("?name=value").
    """
    if len(uri) > LONGEST_URI and "://" in uri:
        return f"{uri[: uri.index('://')][:_LONGEST_SHOWN]}://{_HIDDEN}"
    return "::".join(map(_public_link, CHAIN_LINK.split(uri)))


def shown_name(uri: str) -> str:
    """The public name for a message: control characters escaped, at most 200 characters."""
    name = "".join(character if character.isprintable() else repr(character)[1:-1] for character in public_name(uri))
    return name if len(name) <= _LONGEST_SHOWN else f"{name[: _LONGEST_SHOWN - len(_HIDDEN)]}{_HIDDEN}"


def public_text(text: str) -> str:
    """A text of another library without credentials: URIs by their public names, and no values of queries.

    Messages of network libraries quote URLs: whole, encoded, or the path and the query alone.
    """
    text = _URI_IN_TEXT.sub(lambda match: _public_quoted(match[0]), text)
    text = _QUERY_OF_A_PATH_IN_TEXT.sub(r"\1", text)
    text = _SECRET_PARAMETER.sub(rf"\1{_HIDDEN}", text)
    return _SECRET_IN_TEXT.sub(rf"\1\2{_HIDDEN}", text)


def _public_quoted(uri: str) -> str:
    # A sentence goes on after a URI.
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
    # What precedes a URI within a path may be of any length, a scheme is short.
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
    """Host and port without the user; None where it is no host, as in "user:pass/word@host"."""
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
    """Where that begins which has the form of a query, "?name=value", encoded or not; the path's end if there is none.

    The search goes from folder to folder, so that it takes linear time.
    """
    start = 0
    for part in path.split("/"):
        mark = _QUERY_MARK.search(part)
        if mark is not None and _EQUALS.search(part, mark.end()):
            return start + mark.start()
        start += len(part) + 1
    return len(path)


def _decoded(text: str) -> str | None:
    """A text that was percent-encoded some times; None where that was more often than programs do."""
    for _ in range(_MOST_DECODINGS):
        if (plain := unquote(text)) == text:
            return text
        text = plain
    return None
