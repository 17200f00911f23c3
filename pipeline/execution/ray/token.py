"""Creates a user's Ray token file, readable by this user alone, and restricts one that others could read.

Whoever has the token can run any code on the Ray that asks for it. Ray itself writes `~/.ray/auth_token` with the modes
that the umask leaves, which on most machines lets every user read it.
"""

from __future__ import annotations

import logging
import os
import secrets
import stat
import tempfile
from pathlib import Path

from pipeline.errors import ConfigError

__all__ = ["exposure_of", "has_token_auth", "is_token_in_environment", "private_token", "tighten", "token_path"]

_log = logging.getLogger(__name__)

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_PATH_VARIABLE = "RAY_AUTH_TOKEN_PATH"
_TOKEN_BYTES = 32
"""256 bits, the length of the tokens that Ray makes."""


def has_token_auth() -> bool:
    """Whether Ray asks for a token; it does unless RAY_AUTH_MODE says otherwise."""
    return os.environ.get("RAY_AUTH_MODE", "token").lower() == "token"


def is_token_in_environment() -> bool:
    """Whether RAY_AUTH_TOKEN holds the token itself, so that no file is read."""
    return bool(os.environ.get("RAY_AUTH_TOKEN", "").strip())


def token_path() -> Path:
    """Where this user's token is kept: the file that RAY_AUTH_TOKEN_PATH names, else Ray's default."""
    return Path(os.environ.get(_PATH_VARIABLE) or "~/.ray/auth_token").expanduser()


def exposure_of(path: Path) -> str | None:
    """Who else can read or replace the token; None if nobody can.

    Returns:
        A phrase such as "other users can read it (mode 0644)".

    Raises:
        OSError: The file or its folder cannot be examined.
    """
    found, folder = path.stat(), path.parent.stat()
    if not stat.S_ISREG(found.st_mode):
        return "it is not a regular file"
    if found.st_uid not in (os.geteuid(), 0):
        return f"it belongs to user {found.st_uid}"
    if found.st_mode & _OTHERS:
        return f"other users can read it (mode {stat.S_IMODE(found.st_mode):04o})"
    if folder.st_uid not in (os.geteuid(), 0):
        return f"its folder belongs to user {folder.st_uid}"
    if folder.st_mode & _OTHERS_WRITE and not folder.st_mode & stat.S_ISVTX:
        return f"other users can replace it (its folder has mode {stat.S_IMODE(folder.st_mode):04o})"
    return None


def tighten(path: Path) -> tuple[str | None, str | None]:
    """Restrict an existing token file to its owner.

    Returns:
        Who else could use it before, and who still can, as `exposure_of` says it; None if nobody can.

    Raises:
        OSError: The file cannot be examined.
    """
    before = exposure_of(path)
    if before is None:
        return None, None
    _restrict(path, os.O_RDONLY | os.O_NONBLOCK, 0o600)
    _restrict(path.parent, os.O_RDONLY | os.O_DIRECTORY, None)
    after = exposure_of(path)
    if after is None:
        # Ray writes such files by itself, so this is the usual case, and no warning.
        _log.info(
            "%s: %s; it is private now (mode 0600). If others may have read the token, delete the file, make a new"
            " token with `ray get-auth-token --generate`, and restart the clusters that use it",
            path,
            before,
        )
    return before, after


def _restrict(path: Path, flags: int, mode: int | None) -> None:
    """Set a mode (None takes away only what lets others write), on what is open, if it is this user's."""
    try:
        descriptor = os.open(path, flags)
    except OSError:
        return
    try:
        found = os.fstat(descriptor)
        is_wanted_kind = stat.S_ISREG(found.st_mode) if mode is not None else found.st_mode & _OTHERS_WRITE
        if found.st_uid == os.geteuid() and is_wanted_kind and not found.st_mode & stat.S_ISVTX:
            os.fchmod(descriptor, stat.S_IMODE(found.st_mode) & ~_OTHERS_WRITE if mode is None else mode)
    except OSError as error:
        _log.debug("%s keeps its mode: %s", path, error)
    finally:
        os.close(descriptor)


def private_token(folder: Path) -> dict[str, str]:
    """Make sure that a Ray started here finds a token that only this user can read.

    The user's own token file is created or made private. This Ray gets a token of its own if others may have read the
    user's before, or if that cannot be kept private, as in a file of another user or a home that cannot be written.

    Args:
        folder: A private folder that lasts as long as this Ray; a token of its own is written there.

    Returns:
        Environment variables that Ray needs to find the token; empty if it finds the user's own.

    Raises:
        ConfigError: The file that RAY_AUTH_TOKEN_PATH names cannot be read.
    """
    if is_token_in_environment():
        return {}
    path = token_path()
    is_named = bool(os.environ.get(_PATH_VARIABLE))
    try:
        if not is_named:
            _create(path)
        before, problem = tighten(path)
    except OSError as error:
        if is_named:
            raise ConfigError(f"{_PATH_VARIABLE} names {str(path)!r}, which cannot be read ({error})") from error
        before = problem = f"it cannot be kept private ({error.strerror or error})"
    if before is None:
        return {}
    if problem is not None:
        _log.warning("the token in %s is not used: %s; this Ray gets a token of its own", path, problem)
    own = folder / "auth_token"
    _create(own)
    return {_PATH_VARIABLE: str(own)}


def _create(path: Path) -> None:
    """Write a new token, readable by this user alone from its first byte, unless there is a file already."""
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Written whole before it has its name, so that whoever starts Ray at the same moment never reads half of it.
    descriptor, written = tempfile.mkstemp(prefix=".auth_token.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_TOKEN_BYTES))
        try:
            path.hardlink_to(written)
        except FileExistsError:
            return
    finally:
        Path(written).unlink()
