"""Hides where videos are from clients with the role search: JSON answers name files without their folders.

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

__all__ = ["HiddenFolders", "folder_of", "sees_folders", "text_without_folders", "without_folders"]

_NAMES = frozenset({"uri", "name", "names", "former_names", "video", "first_sources", "active", "examples"})
"""Keys of locations of videos, or of lists of them."""
_TEXTS = frozenset({"problem", "problems", "broken", "cause", "detail", "notes", "why", "hint", "remedy"})
"""Keys of messages, or of lists of them."""
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


def without_folders(value: Any, folders: Iterable[str] = ()) -> Any:
    """Remove the folders of videos from JSON values, by the keys that have locations and messages.

    Args:
        value: The JSON value.
        folders: Further folders that a message may contain, as for `text_without_folders`.
    """
    return _without(value, "", frozenset(filter(None, (*folders, *_folders_in(value)))))


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


class HiddenFolders:
    """Removes the folders of videos from JSON answers to clients with the role search.

    Args:
        app: What answers the requests.
        library: Place of the library, which messages may contain.
    """

    def __init__(self, app: ASGIApp, library: str) -> None:
        self._app = app
        self._folders = tuple(f"{place.rstrip('/')}/" for place in (library, str(Path(library).absolute())))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and rewrite its answer (ASGI)."""
        if scope["type"] != "http" or sees_folders(scope):
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
                await _send_held(held, b"".join(parts), self._folders, send)

        await self._app(scope, receive, send_rewritten)


def _is_json(message: Message) -> bool:
    return Headers(raw=message.get("headers", [])).get("content-type", "").startswith(_JSON)


async def _send_held(start: Message, body: bytes, folders: Collection[str], send: Send) -> None:
    if body:
        content = without_folders(json.loads(body), folders)
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    headers = MutableHeaders(raw=list(start["headers"]))
    if "content-length" in headers:
        headers["Content-Length"] = str(len(body))
    await send({**start, "headers": headers.raw})
    await send({"type": "http.response.body", "body": body})
