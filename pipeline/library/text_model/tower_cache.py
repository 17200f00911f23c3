"""A local cache of the text towers of remote libraries: the ONNX files, by their SHA-256.

The folder is `momentseek/text-towers` in `$XDG_CACHE_HOME`, by default `~/.cache`. Files appear whole, by a rename, so
several processes can use it at the same time; a file that is removed while another process reads it stays readable
there. Contents are compared with their hash at each use. Errors of the cache are only logged.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

__all__ = ["TowerCache", "cache_folder"]

_MAX_BYTES = 2 * 2**30
_PARTIAL = ".partial-"
_PARTIAL_SECONDS = 3600
_SHA256 = re.compile(r"[0-9a-f]{64}")
_log = logging.getLogger(__name__)


class _CachedFile(NamedTuple):
    used: float
    size: int
    path: Path


def cache_folder() -> Path:
    """Return the folder of the cache, which need not exist."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The specification has relative paths ignored.
    return (base if base.is_absolute() else Path.home() / ".cache") / "momentseek" / "text-towers"


class TowerCache:
    """Reads text towers through the cache.

    Args:
        folder: The cache's folder; None for the user's.
        max_bytes: Size above which the files that were used longest ago are removed.
    """

    def __init__(self, folder: Path | None = None, max_bytes: int = _MAX_BYTES) -> None:
        self._given = folder
        self._max_bytes = max_bytes

    def read(self, sha256: str, size_bytes: int, download: Callable[[], bytes]) -> bytes:
        """Return a file's content from the cache, or else download it and add it to the cache.

        Args:
            sha256: The file's SHA-256 in hex.
            size_bytes: The file's size.
            download: Reads the file from the library; what it returns is cached only if it has this hash.
        """
        if not _SHA256.fullmatch(sha256):
            raise ValueError(f"expected a SHA-256 in hex, got {sha256!r}")
        try:
            folder = self._folder()
            cached = _content(folder / sha256, sha256, size_bytes)
        except (OSError, RuntimeError) as error:  # without a home folder, pathlib raises RuntimeError
            _log.info("the cache of text towers cannot be used: %s", error)
            return download()
        if cached is not None:
            return cached
        content = download()
        if hashlib.sha256(content).hexdigest() == sha256:
            try:
                self._add(folder, sha256, content)
            except OSError as error:
                _log.warning("the text tower cannot be cached, so each search downloads it: %s", error)
        return content

    def _folder(self) -> Path:
        folder = self._given or cache_folder()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            raise OSError(f"{str(folder)!r} is not a folder of this user")
        return folder

    def _add(self, folder: Path, sha256: str, content: bytes) -> None:
        if len(content) > self._max_bytes:
            return
        partial = folder / f"{_PARTIAL}{secrets.token_hex(8)}"
        try:
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            self._make_room(folder, len(content))
            partial.replace(folder / sha256)
        finally:
            partial.unlink(missing_ok=True)

    def _make_room(self, folder: Path, size: int) -> None:
        """Remove the files that were used longest ago, and what killed processes left."""
        files = sorted(_files(folder))
        total = size + sum(file.size for file in files)
        for file in files:
            if total <= self._max_bytes:
                break
            with suppress(OSError):
                file.path.unlink()
            total -= file.size


def _files(folder: Path) -> Iterator[_CachedFile]:
    """List the towers in a folder, and remove old partial files."""
    for path in folder.iterdir():
        with suppress(OSError):  # another process has removed it
            status = path.lstat()
            if _SHA256.fullmatch(path.name):
                yield _CachedFile(status.st_mtime, status.st_size, path)
            elif path.name.startswith(_PARTIAL) and time.time() - status.st_mtime > _PARTIAL_SECONDS:
                path.unlink()


def _content(path: Path, sha256: str, size_bytes: int) -> bytes | None:
    """Read a cached file and mark it as used; None, and no file, if it is missing or damaged."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError:
        content = b""
    else:
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            is_sound = stat.S_ISREG(status.st_mode) and status.st_size == size_bytes
            content = file.read(size_bytes) if is_sound else b""
            if hashlib.sha256(content).hexdigest() == sha256:
                with suppress(OSError):
                    os.utime(descriptor)
                return content
    _log.warning("%s: a damaged file in the cache; it is removed", path)
    path.unlink(missing_ok=True)
    return None
