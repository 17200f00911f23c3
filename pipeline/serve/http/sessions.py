"""Sessions of browsers: a cookie that stands for a token, until the server ends or twelve hours have passed."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass

from pipeline.serve.http.access_tokens import AccessToken, AccessTokens

__all__ = ["COOKIE", "Sessions", "cookie_value"]

COOKIE = "momentseek_session"
"""Name of the cookie."""

_SECONDS = 12 * 3600.0
_MOST = 10_000


@dataclass(frozen=True)
class _Session:
    token: AccessToken
    ends_at: float


class Sessions:
    """The sessions of a server, in memory.

    Args:
        tokens: The tokens; a session ends when its token is removed.
    """

    def __init__(self, tokens: AccessTokens) -> None:
        self._tokens = tokens
        self._sessions: dict[str, _Session] = {}

    def begin(self, token: str) -> str | None:
        """Begin a session; return the value of its cookie, or None if the token is wrong."""
        found = self._tokens.find(token)
        if found is None:
            return None
        now = time.monotonic()
        self._sessions = {key: each for key, each in self._sessions.items() if each.ends_at > now}
        while len(self._sessions) >= _MOST:
            del self._sessions[next(iter(self._sessions))]
        value = secrets.token_urlsafe(32)
        self._sessions[_key(value)] = _Session(found, now + _SECONDS)
        return value

    def find(self, value: str) -> AccessToken | None:
        """Find the token of a session by the value of its cookie; None if there is no such session any more."""
        found = self._sessions.get(_key(value))
        if found is None or found.ends_at <= time.monotonic() or not self._tokens.has(found.token):
            return None
        return found.token

    def end(self, value: str) -> None:
        """End a session."""
        self._sessions.pop(_key(value), None)


def _key(value: str) -> str:
    """A digest: how long it takes to look it up tells nothing of the value."""
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()


def cookie_value(header: str, name: str) -> str:
    """Find the value of a cookie in a Cookie header; empty if it is not there."""
    for part in header.split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return ""
