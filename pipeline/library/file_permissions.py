"""Find files of this user that others can read or write: Ray's token and folders, configuration and library."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.execution.ray.session_folder import PREFIX, bases
from pipeline.execution.ray.token import exposure_of, has_token_auth, is_token_in_environment, token_path
from pipeline.library.trust import trust_folder
from pipeline.uris import is_remote, local_path

__all__ = ["LooseMode", "loose_modes"]

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_MAX_FILES = 1000


@dataclass(frozen=True)
class LooseMode:
    """A file or folder that other users can access.

    Attributes:
        finding: Which file or folder, and who can access it.
        remedy: How to restrict access.
    """

    finding: str
    remedy: str


def loose_modes(library: str) -> Iterator[LooseMode]:
    """Find what other users of this machine can read, replace or connect to; nothing is changed.

    Args:
        library: The library's folder or URL; a URL is not checked.
    """
    yield from _token()
    yield from _ray_folders()
    yield from _configuration()
    if not is_remote(library):
        yield from _library(Path(local_path(library)).resolve())


def _token() -> Iterator[LooseMode]:
    if not has_token_auth():
        mode = os.environ["RAY_AUTH_MODE"]
        yield LooseMode(
            f"RAY_AUTH_MODE is {mode!r}: while a batch runs on a Ray instance of its own, every user of this machine"
            " can run programs as you",
            "unset RAY_AUTH_MODE, or set it only to join a cluster without a token",
        )
        return
    if is_token_in_environment():
        return
    path = token_path()
    with suppress(OSError):
        exposure = exposure_of(path)
        if exposure is not None:
            yield LooseMode(
                f"Ray's token in {path}: {exposure}",
                f"chmod 600 {path}; if others may have read it, delete it, create a new one with `ray get-auth-token"
                " --generate`, and restart the clusters that use it",
            )


def _ray_folders() -> Iterator[LooseMode]:
    """Check the folders of this user's Ray instances: Ray creates its own open to all users."""
    for base in bases():
        with suppress(OSError):
            for folder in sorted(base.glob(f"{PREFIX}*")):
                if (mode := _own_mode(folder, _OTHERS)) is not None:
                    yield LooseMode(f"{folder} has mode {mode:04o}", f"chmod 700 {folder}")
            sessions = [session for session in base.glob("ray/session_*") if not session.is_symlink()]
            loose = [session for session in sessions if _own_mode(session, _OTHERS_WRITE) is not None]
            if loose:
                yield LooseMode(
                    f"all users can write to {len(loose)} folders in {base / 'ray'}, of Ray instances that momentseek"
                    " did not start",
                    "remove them if none of these instances runs any more; start Ray with --temp-dir below a folder of"
                    " mode 0700",
                )


def _configuration() -> Iterator[LooseMode]:
    folder = trust_folder().parent
    paths = [folder, *sorted(folder.rglob("*"))[:_MAX_FILES]] if folder.is_dir() else []
    for path in paths:
        if (mode := _own_mode(path, _OTHERS_WRITE)) is not None:
            yield LooseMode(f"other users can write to {path} (mode {mode:04o})", f"chmod go-w {path}")


def _library(folder: Path) -> Iterator[LooseMode]:
    if (mode := _own_mode(folder, _OTHERS_WRITE)) is not None:
        yield LooseMode(f"other users can write to {folder} (mode {mode:04o})", f"chmod go-w {folder}, unless shared")
    elif (mode := _own_mode(folder, _OTHERS)) is not None:
        yield LooseMode(
            f"other users can read {folder} (mode {mode:04o}): names, metadata and embeddings of its videos",
            f"chmod 700 {folder}, unless others are to search it",
        )


def _own_mode(path: Path, loose: int) -> int | None:
    """The mode of a file or folder of this user if it grants any of these permissions; otherwise None."""
    with suppress(OSError):
        status = path.lstat()
        if status.st_uid == os.geteuid() and not stat.S_ISLNK(status.st_mode) and status.st_mode & loose:
            return stat.S_IMODE(status.st_mode)
    return None
