"""Private Unix domain sockets for the Milvus Lite server of this process.

A TCP port on the loopback interface can be reached by every user of the machine, and Milvus Lite requires no password.
A socket in a folder with mode 0700 can be reached only by its owner, which the kernel ensures.

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

# sockaddr_un.sun_path has 108 bytes on Linux and 104 on macOS, including a final NUL (unix(7)).
_MAX_PATH_BYTES = 103
# A socket that is bound but does not listen yet refuses connections, like one left by a killed process.
_MIN_AGE_SECONDS = 60.0
# A folder can be removed between its creation and its use, when another process of this user closes its last socket.
_ATTEMPTS = 3


class PrivateSocket:
    """A socket that a gRPC server is bound to until `close`, or until this process ends.

    Its folder is not a link, belongs to this user with mode 0700, and is at a location where no other user can replace
    it. Each name is used only once, because pymilvus caches connections and schemas by address.

    Attributes:
        path: Path of the socket.
        uri: Address of the socket for gRPC and pymilvus, as "unix:///tmp/momentseek-1000/4f1d-4711-9a0b3c.sock".

    Args:
        server: A server that has not been started yet.
        folder: The index folder that the server serves.

    Raises:
        MomentIndexError: There is no safe location for the socket.
    """

    def __init__(self, server: grpc.Server, folder: Path) -> None:
        self.path = _bound(server, socket_prefix(folder))
        self.uri = _uri(self.path)
        self._remove = weakref.finalize(self, _remove, self.path, os.getpid())

    def close(self) -> None:
        """Remove the socket, and its folder if it was the last one in it; closing twice is harmless."""
        self._remove()


def socket_prefix(folder: Path) -> str:
    """Return the prefix of an index folder's socket names, which is the same for every path to the folder."""
    status = folder.stat()
    return hashlib.blake2b(f"{status.st_dev}:{status.st_ino}".encode(), digest_size=6).hexdigest()


def _roots() -> list[Path]:
    """Return the folders in which a socket's folder may be created, best first.

    XDG_RUNTIME_DIR is the last one, since it is emptied when the user logs out, even if a batch is still running.
    """
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    roots = [Path("/tmp"), Path(tempfile.gettempdir())]  # noqa: S108 - checked by `_safe` and `_is_private`
    return [*dict.fromkeys([*roots, *([runtime] if runtime.is_absolute() else [])])]


def _bound(server: grpc.Server, prefix: str) -> Path:
    name = f"{prefix}-{os.getpid()}-{secrets.token_hex(3)}.sock"
    for _ in range(_ATTEMPTS):
        for folder in _private_folders():
            path = folder / name
            if len(os.fsencode(path)) > _MAX_PATH_BYTES:
                _remove_folder(folder)
                continue
            with suppress(RuntimeError, OSError):
                server.add_insecure_port(_uri(path))
                path.chmod(0o600)
                return path
    tried = ", ".join(map(str, _roots()))
    raise MomentIndexError(
        f"there is no safe location for the socket of Milvus Lite (tried {tried}): set XDG_RUNTIME_DIR or TMPDIR to a"
        " folder of your own with mode 0700 and a path of at most 60 bytes"
    )


def _private_folders() -> Iterator[Path]:
    """Yield folders that only this user can access: the one with a fixed name in each root, then new ones."""
    roots = [*filter(None, map(_safe, _roots()))]
    for root in roots:
        folder = root / f"momentseek-{os.geteuid()}"
        if _is_private(folder):
            _sweep(folder)
            yield folder
    for root in roots:
        # Another user has a folder with the fixed name.
        with suppress(OSError):
            yield Path(tempfile.mkdtemp(prefix=f"momentseek-{os.geteuid()}-", dir=root))


def _safe(root: Path) -> Path | None:
    """Resolve the links of a root; None if another user could replace a folder of ours in it."""
    trusted = {0, os.geteuid(), Path("/").stat().st_uid}
    try:
        folder = root.resolve(strict=True)
        for parent in (folder, *folder.parents):
            status = parent.stat()
            others_write = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not status.st_mode & stat.S_ISVTX
            if status.st_uid not in trusted or others_write:
                return None
    except OSError:
        return None
    return folder


def _is_private(folder: Path) -> bool:
    """Create a folder if it does not exist; return whether only this user can access it."""
    try:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) == 0o700


def _sweep(folder: Path) -> None:
    """Remove the sockets of killed processes, on which nothing listens any more."""
    with suppress(OSError):
        for path in folder.glob("*.sock"):
            status = path.lstat()
            is_old = time.time() - status.st_mtime > _MIN_AGE_SECONDS
            if stat.S_ISSOCK(status.st_mode) and is_old and _is_abandoned(path):
                path.unlink(missing_ok=True)


def _is_abandoned(path: Path) -> bool:
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
    # A forked process must not remove the socket of its parent.
    if os.getpid() == process:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        _remove_folder(path.parent)


def _remove_folder(folder: Path) -> None:
    # This fails, as intended, if the folder contains other sockets.
    with suppress(OSError):
        folder.rmdir()
