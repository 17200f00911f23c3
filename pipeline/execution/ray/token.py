"""Create a user's Ray token file, readable by this user alone, and restrict an existing one that others could read.

Whoever has the token can run any code on a Ray instance that requires it. Ray itself writes `~/.ray/auth_token` with
the modes that the umask allows, so that on most machines every user can read it.
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
"""256 bits, the length of the tokens that Ray creates."""


def has_token_auth() -> bool:
    """Whether Ray requires a token; it does unless RAY_AUTH_MODE is set to something else."""
    return os.environ.get("RAY_AUTH_MODE", "token").lower() == "token"


def is_token_in_environment() -> bool:
    """Whether RAY_AUTH_TOKEN holds the token itself, so that no file is read."""
    return bool(os.environ.get("RAY_AUTH_TOKEN", "").strip())


def token_path() -> Path:
    """Return the path of this user's token: the file that RAY_AUTH_TOKEN_PATH names, else Ray's default."""
    return Path(os.environ.get(_PATH_VARIABLE) or "~/.ray/auth_token").expanduser()


def exposure_of(path: Path) -> str | None:
    """Describe who else can read or replace the token; None if nobody can.

    Returns:
        A phrase such as "other users can read it (mode 0644)".

    Raises:
        OSError: The file or its folder cannot be examined.
    """
    status, folder = path.stat(), path.parent.stat()
    if not stat.S_ISREG(status.st_mode):
        return "it is not a regular file"
    if status.st_uid not in (os.geteuid(), 0):
        return f"it belongs to user {status.st_uid}"
    if status.st_mode & _OTHERS:
        return f"other users can read it (mode {stat.S_IMODE(status.st_mode):04o})"
    if folder.st_uid not in (os.geteuid(), 0):
        return f"its folder belongs to user {folder.st_uid}"
    if folder.st_mode & _OTHERS_WRITE and not folder.st_mode & stat.S_ISVTX:
        return f"other users can replace it (its folder has mode {stat.S_IMODE(folder.st_mode):04o})"
    return None


def tighten(path: Path) -> tuple[str | None, str | None]:
    """Restrict an existing token file to its owner.

    Returns:
        Who else could use the token before, and who still can, as phrases of `exposure_of`; None if nobody.

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
        # Ray itself writes files with such modes, so this is common, and not worth a warning.
        _log.info(
            "%s: %s; it is private now (mode 0600). If others may have read the token, delete the file, create a new"
            " token with `ray get-auth-token --generate`, and restart the clusters that use it",
            path,
            before,
        )
    return before, after


def _restrict(path: Path, flags: int, mode: int | None) -> None:
    """Set the mode of a file of this user, or, without a mode, remove the write permissions of others."""
    try:
        descriptor = os.open(path, flags)
    except OSError:
        return
    try:
        status = os.fstat(descriptor)
        is_affected = stat.S_ISREG(status.st_mode) if mode is not None else status.st_mode & _OTHERS_WRITE
        if status.st_uid == os.geteuid() and is_affected and not status.st_mode & stat.S_ISVTX:
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode) & ~_OTHERS_WRITE if mode is None else mode)
    except OSError as error:
        _log.debug("%s keeps its mode: %s", path, error)
    finally:
        os.close(descriptor)


def private_token(folder: Path) -> dict[str, str]:
    """Make sure that a Ray instance started here finds a token that only this user can read.

    The user's own token file is created or made private. The instance gets a separate token if others may have read the
    user's, or if the file cannot be made private, for example because it belongs to another user.

    Args:
        folder: A private folder that exists as long as the Ray instance; a separate token is written there.

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
        before = problem = f"it cannot be made private ({error.strerror or error})"
    if before is None:
        return {}
    if problem is not None:
        _log.warning("the token in %s is not used: %s; this Ray instance gets a token of its own", path, problem)
    own = folder / "auth_token"
    _create(own)
    return {_PATH_VARIABLE: str(own)}


def _create(path: Path) -> None:
    """Write a new token, readable by this user alone from the first byte, unless the file exists."""
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Written under another name first, so that a Ray instance that starts now never reads half of it.
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
