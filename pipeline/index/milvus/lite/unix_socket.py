"""Private Unix domain sockets for the Milvus Lite server of this process.

A TCP port on the loopback is open to every user of the machine, and Milvus Lite asks for no password. A socket in a
folder of mode 0700 is open to its user alone; the kernel sees to that.

Another process of the same user can find the socket of an index: it is in `ROOT/momentseek-UID/` for one of the roots
of `_roots`, and its name begins with `socket_prefix` of the index folder.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import stat
import tempfile
import time
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from pipeline.errors import MomentIndexError

if TYPE_CHECKING:
    import grpc

__all__ = ["PrivateSocket", "socket_prefix"]

# sockaddr_un.sun_path takes 108 bytes on Linux and 104 on macOS, and the last one ends the name (unix(7)).
_MOST_PATH_BYTES = 103
# A socket that is bound but does not listen yet refuses connections as one that a killed process left behind does.
_YOUNG_SECONDS = 60.0
# A folder can vanish between its making and its use, when another process of this user closes its last socket.
_TRIES = 3


class PrivateSocket:
    """A socket that a gRPC server is bound to until `close`, or until this process ends.

    Its folder has mode 0700 and is this user's, no link, and lies where no other user can put another one in its place.
    A name is used once: pymilvus remembers connections and schemas by address.

    Attributes:
        path: The socket.
        uri: The same for gRPC and pymilvus, as "unix:///tmp/momentseek-1000/4f1d-4711-9a0b3c.sock".

    Args:
        server: Not started yet.
        folder: The index folder that it serves.

    Raises:
        MomentIndexError: There is no place for it that is safe.
    """

    def __init__(self, server: grpc.Server, folder: Path) -> None:
        self.path = _bound(server, socket_prefix(folder))
        self.uri = _uri(self.path)
        self._remove = weakref.finalize(self, _remove, self.path, os.getpid())

    def close(self) -> None:
        """Remove the socket, and its folder where it was the last; closing twice is harmless."""
        self._remove()


def socket_prefix(folder: Path) -> str:
    """Prefix of the names of an index folder's sockets, the same for every path to the folder."""
    seen = folder.stat()
    return hashlib.blake2b(f"{seen.st_dev}:{seen.st_ino}".encode(), digest_size=6).hexdigest()


def _roots() -> list[Path]:
    """Where a socket's folder may be, best first.

    XDG_RUNTIME_DIR is last, since it is emptied when its user logs out, while a batch goes on.
    """
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    roots = [Path("/tmp"), Path(tempfile.gettempdir())]  # noqa: S108 - checked by `_safe` and `_is_private`
    return [*dict.fromkeys([*roots, *([runtime] if runtime.is_absolute() else [])])]


def _bound(server: grpc.Server, prefix: str) -> Path:
    name = f"{prefix}-{os.getpid()}-{secrets.token_hex(3)}.sock"
    for _ in range(_TRIES):
        for place in _private_folders():
            path = place / name
            if len(os.fsencode(path)) > _MOST_PATH_BYTES:
                _remove_folder(place)
                continue
            with suppress(RuntimeError, OSError):
                server.add_insecure_port(_uri(path))
                path.chmod(0o600)
                return path
    tried = ", ".join(map(str, _roots()))
    raise MomentIndexError(
        f"there is no safe place for the socket of Milvus Lite (tried {tried}): set XDG_RUNTIME_DIR or TMPDIR to a"
        " folder of your own with mode 0700, whose name is at most 60 bytes long"
    )


def _private_folders() -> Iterator[Path]:
    """Folders that only this user can enter: the known one of each root, then new ones."""
    roots = [*filter(None, map(_safe, _roots()))]
    for root in roots:
        place = root / f"momentseek-{os.geteuid()}"
        if _is_private(place):
            _sweep(place)
            yield place
    for root in roots:
        # Somebody else has taken the known name.
        with suppress(OSError):
            yield Path(tempfile.mkdtemp(prefix=f"momentseek-{os.geteuid()}-", dir=root))


def _safe(root: Path) -> Path | None:
    """A root without links, if no other user can put another folder in the place of one of ours there."""
    trusted = {0, os.geteuid(), Path("/").stat().st_uid}
    try:
        place = root.resolve(strict=True)
        for folder in (place, *place.parents):
            seen = folder.stat()
            others_write = seen.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not seen.st_mode & stat.S_ISVTX
            if seen.st_uid not in trusted or others_write:
                return None
    except OSError:
        return None
    return place


def _is_private(place: Path) -> bool:
    """Make a folder that only this user can enter; whether it is one, where it is there already."""
    try:
        with suppress(FileExistsError):
            place.mkdir(mode=0o700)
        seen = place.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.geteuid() and stat.S_IMODE(seen.st_mode) == 0o700


def _sweep(place: Path) -> None:
    """Remove sockets that nobody listens on any more: those of killed processes."""
    with suppress(OSError):
        for path in place.glob("*.sock"):
            seen = path.lstat()
            if stat.S_ISSOCK(seen.st_mode) and time.time() - seen.st_mtime > _YOUNG_SECONDS and _is_deserted(path):
                path.unlink(missing_ok=True)


def _is_deserted(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(0.1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False


def _uri(path: Path) -> str:
    return f"unix://{quote(os.fsencode(path))}"


def _remove(path: Path, process: int) -> None:
    # A fork of this process ends without taking the socket away from it.
    if os.getpid() == process:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        _remove_folder(path.parent)


def _remove_folder(place: Path) -> None:
    # Not where other sockets are in it.
    with suppress(OSError):
        place.rmdir()
