"""Tokens that requests must carry: made once, shown once, and kept as digests in a file of the owner's."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from pipeline.errors import ConfigError
from pipeline.parsing import ParseError, parse_json, read_bytes

__all__ = ["AccessToken", "AccessTokens", "Role", "allows"]

Role = Literal["search", "review", "admin"]
"""What a token allows: to ask and to look; to mark and to keep cases as well; or everything."""

_ROLES: tuple[Role, ...] = get_args(Role)
_PREFIX = "msk_"
_MAX_BYTES = 2**18
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_log = logging.getLogger(__name__)


def allows(role: Role, wanted: Role) -> bool:
    """Whether a role allows what another one does."""
    return _ROLES.index(role) >= _ROLES.index(wanted)


@dataclass(frozen=True)
class AccessToken:
    """A named token, known by its digest.

    Attributes:
        name: Whose it is.
        role: What it allows.
        digest: SHA-256 of the token, in hex.
    """

    name: str
    role: Role
    digest: str


class AccessTokens:
    """The tokens of a server, in a file that only its owner can read.

    Args:
        path: The file; it need not exist.

    Raises:
        ConfigError: The file cannot be read, has another form, or can be read by others.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._state = _state(path)
        self._tokens = _read(path)

    def __len__(self) -> int:
        return len(self._tokens)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tokens."""
        return tuple(token.name for token in self._tokens)

    def add(self, name: str, role: Role) -> str:
        """Make a token and write the file; return the token, which is stored nowhere.

        Raises:
            ConfigError: There is a token of this name, or the file cannot be written.
        """
        if not _NAME.fullmatch(name):
            raise ConfigError(f"a token cannot be named {name[:60]!r}; use letters, digits and _ . - (at most 60)")
        if name in self.names:
            raise ConfigError(f"{self._path}: there is a token named {name!r} already; choose another name")
        fresh = _PREFIX + secrets.token_urlsafe(32)
        self._keep((*self._tokens, AccessToken(name, role, _digest(fresh))))
        return fresh

    def remove(self, name: str) -> None:
        """Remove a token and write the file; a running server refuses the token from then on.

        Raises:
            ConfigError: There is no token of this name, or the file cannot be written.
        """
        if name not in self.names:
            raise ConfigError(f"{self._path}: there is no token named {name!r}; there are: {', '.join(self.names)}")
        self._keep(tuple(token for token in self._tokens if token.name != name))

    def _keep(self, tokens: tuple[AccessToken, ...]) -> None:
        _write(self._path, tokens)
        self._tokens, self._state = tokens, _state(self._path)

    def _refresh(self) -> None:
        """Read the file again if it was changed; one that cannot be read admits nobody."""
        if (state := _state(self._path)) == self._state:
            return
        self._state = state
        try:
            self._tokens = _read(self._path)
        except ConfigError as error:
            _log.error("%s", error)
            self._tokens = ()

    def has(self, token: AccessToken) -> bool:
        """Whether a token that was found before is still one of these."""
        self._refresh()
        return token in self._tokens

    def find(self, token: str) -> AccessToken | None:
        """Find a token; the time that this takes does not depend on how much of it is right."""
        self._refresh()
        digest = _digest(token)
        found = None
        for known in self._tokens:
            if hmac.compare_digest(known.digest, digest):
                found = known
        return found


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def _read(path: Path) -> tuple[AccessToken, ...]:
    try:
        mode = path.stat().st_mode
        content = parse_json(read_bytes(path, _MAX_BYTES))
    except FileNotFoundError:
        return ()
    except (OSError, ParseError) as error:
        raise ConfigError(f"{path}: the tokens cannot be read ({error})") from error
    if mode & 0o077:
        raise ConfigError(f"{path}: other users can read the tokens; run: chmod 600 {path}")
    try:
        return tuple(_token(entry) for entry in content["tokens"])
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{path}: not a file of tokens; remove it, and new ones are made ({error!r})") from error


def _token(entry: dict[str, str]) -> AccessToken:
    role = entry["role"]
    if role not in get_args(Role):
        raise ValueError(f"unknown role {role!r}")
    return AccessToken(str(entry["name"]), role, str(entry["digest"]))  # type: ignore[arg-type]


def _write(path: Path, tokens: Iterable[AccessToken]) -> None:
    content = json.dumps({"tokens": [asdict(token) for token in tokens]}, indent=1).encode()
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(file, "wb") as stream:
            stream.write(content)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ConfigError(f"{path}: the tokens cannot be written ({error.strerror})") from error
