"""Hides the place of the library from all but administrators, and the folders of videos from the role search.

It is done to the answers as a whole, so that no route can forget it. Texts that people wrote, such as notes, questions
and metadata, are left as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.serve.http.access_tokens import allows
from pipeline.uris import base_name

__all__ = [
    "LIBRARY",
    "HiddenFolders",
    "folder_of",
    "places_of",
    "sees_folders",
    "text_without_folders",
    "without_folders",
]

_NAMES = frozenset({"uri", "name", "names", "former_names", "video", "first_sources", "active", "examples"})
"""Keys of locations of videos, or of lists of them."""
_TEXTS = frozenset({"problem", "problems", "broken", "cause", "detail", "notes", "why", "hint", "remedy"})
"""Keys of messages, or of lists of them."""
LIBRARY = "LIBRARY"
"""What messages have in place of the place of the library."""
_OWN = frozenset({"metadata", "query"})
"""Keys of what people chose."""
_FOLDERS = re.compile(
    r"(?<![\w.~%/-])(?:[A-Za-z][A-Za-z0-9+.-]*:/{1,2})?(?!/api/v1/)(?:/[^/\s'\"<>]+)+/(?=[^/\s'\"<>])"
)
_QUOTED_FOLDERS = re.compile(r"(?<=['\"])/(?:[^'\"/\n]+/)+(?=[^'\"/\n]+['\"])")
_JSON = ("application/json", "application/problem+json")


def sees_folders(scope: Scope) -> bool:
    """Whether the client of a request may see the folders of videos: with the role review or admin."""
    return allows(scope.get("state", {}).get("role", "search"), "review")


def places_of(library: str) -> tuple[str, ...]:
    """Return the forms in which messages name the place of a library, the longest first.

    A mere name, such as "library", is not among them: it says nothing, and other words can be the same.
    """
    forms = {library, str(Path(library).absolute())}
    return tuple(sorted((form for form in forms if "/" in form and form.strip("/.")), key=len, reverse=True))


def folder_of(uri: str) -> str:
    """Return the folder of a location, with the slash at its end; empty if it has none."""
    name = base_name(uri)
    return uri.removesuffix(name) if name and uri.endswith(name) else ""


def text_without_folders(text: str, folders: Iterable[str] = ()) -> str:
    """Remove folders from a message.

    Args:
        text: The message.
        folders: Folders that it may contain, each with the slash at its end; others are found if they are in quotes, or
            have no white space.
    """
    for folder in sorted(folders, key=len, reverse=True):
        text = text.replace(folder, "")
    return _FOLDERS.sub("", _QUOTED_FOLDERS.sub("", text))


def without_folders(value: Any) -> Any:
    """Remove the folders of videos from JSON values, by the keys that have locations and messages."""
    return _without(value, "", frozenset(_folders_in(value)))


def _folders_in(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, one in value.items():
            if name not in _OWN:
                yield from _folders_in(one, name)
    elif isinstance(value, list):
        for one in value:
            yield from _folders_in(one, key)
    elif isinstance(value, str) and key in _NAMES and len(folder := folder_of(value)) > 1:
        yield folder


def _without(value: Any, key: str, folders: Collection[str]) -> Any:
    if isinstance(value, dict):
        return {name: one if name in _OWN else _without(one, name, folders) for name, one in value.items()}
    if isinstance(value, list):
        return [_without(one, key, folders) for one in value]
    if isinstance(value, str) and key in _NAMES:
        return base_name(value) or value
    return text_without_folders(value, folders) if isinstance(value, str) and key in _TEXTS else value


def _without_places(value: Any, places: Collection[str], key: str = "") -> Any:
    """Replace the place of the library in the messages of JSON values."""
    if isinstance(value, dict):
        return {name: one if name in _OWN else _without_places(one, places, name) for name, one in value.items()}
    if isinstance(value, list):
        return [_without_places(one, places, key) for one in value]
    if isinstance(value, str) and key in _TEXTS:
        for place in places:
            value = value.replace(place, LIBRARY)
    return value


class HiddenFolders:
    """Rewrites JSON answers to clients that may not see where the library or the videos are.

    Args:
        app: What answers the requests.
        library: Place of the library, which messages may contain.
    """

    def __init__(self, app: ASGIApp, library: str) -> None:
        self._app = app
        self._places = places_of(library)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and rewrite its answer (ASGI)."""
        if scope["type"] != "http" or scope.get("state", {}).get("role") == "admin":
            await self._app(scope, receive, send)
            return
        held: Message | None = None
        parts: list[bytes] = []

        async def send_rewritten(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start" and _is_json(message):
                held = message
                return
            if held is None:
                await send(message)
                return
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                body = self._rewritten(b"".join(parts), has_folders=sees_folders(scope))
                await _send_held(held, body, send)

        await self._app(scope, receive, send_rewritten)

    def _rewritten(self, body: bytes, *, has_folders: bool) -> bytes:
        if not body or (has_folders and not any(place.encode() in body for place in self._places)):
            return body
        content = _without_places(json.loads(body), self._places)
        if not has_folders:
            content = without_folders(content)
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _is_json(message: Message) -> bool:
    return Headers(raw=message.get("headers", [])).get("content-type", "").startswith(_JSON)


async def _send_held(start: Message, body: bytes, send: Send) -> None:
    headers = MutableHeaders(raw=list(start["headers"]))
    if "content-length" in headers:
        headers["Content-Length"] = str(len(body))
    await send({**start, "headers": headers.raw})
    await send({"type": "http.response.body", "body": body})
