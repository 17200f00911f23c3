"""Private Unix domain sockets: the addresses of servers that only processes of the same user may connect to.

Every user of the machine can connect to a TCP port on the loopback interface. The kernel ensures that only the owner
can connect to a socket in a folder with mode 0700.

A socket serves a folder, such as an index or a library. It is in `ROOT/momentseek-UID/` for one of the roots of
`_roots`, and its name begins with `socket_prefix` of the served folder. Other processes of the same user read its path
from a file in the served folder, and use it only if `is_private_socket` accepts it.
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
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

__all__ = ["PrivateSocket", "is_private_socket", "socket_prefix", "socket_uri"]

# sockaddr_un.sun_path has 108 bytes on Linux and 104 on macOS, including a final NUL (unix(7)).
_MAX_PATH_BYTES = 103
# A socket that is bound but not listening yet refuses connections, like one left by a killed process.
_MIN_AGE_SECONDS = 60.0
# A folder can be removed between its creation and its use, when another process of this user closes its last socket.
_ATTEMPTS = 3


class PrivateSocket:
    """A socket that a server of this process is bound to until `close`, or until this process ends.

    Its folder is not a link, belongs to this user with mode 0700, and is at a location where no other user can replace
    it. Each name is used only once, because pymilvus caches connections and schemas by address.

    Attributes:
        path: Path of the socket.
        uri: Address of the socket for gRPC and pymilvus, as "unix:///tmp/momentseek-1000/4f1d-4711-9a0b3c.sock".

    Args:
        bind: Binds a server that has not been started yet to a path; raises OSError or RuntimeError if it cannot.
        folder: The folder that the server serves.

    Raises:
        OSError: There is no safe location for the socket.
    """

    def __init__(self, bind: Callable[[Path], object], folder: Path) -> None:
        self.path = _bound(bind, socket_prefix(folder))
        self.uri = socket_uri(self.path)
        self._remove = weakref.finalize(self, _remove, self.path, os.getpid())

    def close(self) -> None:
        """Remove the socket, and its folder if it was the last one in it; closing twice is harmless."""
        self._remove()


def socket_prefix(folder: Path) -> str:
    """Return the prefix of the names of a folder's sockets, which is the same for every path to the folder."""
    status = folder.stat()
    return hashlib.blake2b(f"{status.st_dev}:{status.st_ino}".encode(), digest_size=6).hexdigest()


def is_private_socket(path: Path, folder: Path) -> bool:
    """Whether the socket of a folder has a listener and can have been created only by this user.

    Args:
        path: The socket.
        folder: The folder that it should serve.
    """
    try:
        status, prefix = path.lstat(), socket_prefix(folder)
    except (OSError, ValueError):
        return False
    is_own = stat.S_ISSOCK(status.st_mode) and status.st_uid == os.geteuid()
    if not is_own or not path.name.startswith(f"{prefix}-") or not path.is_absolute() or ".." in path.parts:
        return False
    # Another user could change the target of a link after this check.
    is_straight = path.parent.resolve() == path.parent
    return is_straight and _is_owners_alone(path.parent) and _safe(path.parent.parent) is not None and _listens(path)


def socket_uri(path: Path) -> str:
    """Return the address of a socket for gRPC and pymilvus."""
    return f"unix://{quote(os.fsencode(path))}"


def _roots() -> list[Path]:
    """Return the folders in which a socket's folder may be created, in order of preference.

    XDG_RUNTIME_DIR is the last one, since it is emptied when the user logs out, even if a batch is still running.
    """
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    roots = [Path("/tmp"), Path(tempfile.gettempdir())]  # noqa: S108 - checked by `_safe` and `_is_private`
    return [*dict.fromkeys([*roots, *([runtime] if runtime.is_absolute() else [])])]


def _bound(bind: Callable[[Path], object], prefix: str) -> Path:
    name = f"{prefix}-{os.getpid()}-{secrets.token_hex(3)}.sock"
    for _ in range(_ATTEMPTS):
        for folder in _private_folders():
            path = folder / name
            if len(os.fsencode(path)) > _MAX_PATH_BYTES:
                _remove_folder(folder)
                continue
            with suppress(RuntimeError, OSError):
                bind(path)
                path.chmod(0o600)
                return path
    tried = ", ".join(map(str, _roots()))
    raise OSError(
        f"there is no safe location for a private socket (tried {tried}): set XDG_RUNTIME_DIR or TMPDIR to a folder of"
        " your own with mode 0700 and a path of at most 60 bytes"
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
    """Resolve the links of a root; return None if another user could replace this user's folder in it."""
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
    except OSError:
        return False
    return _is_owners_alone(folder)


def _is_owners_alone(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) == 0o700


def _sweep(folder: Path) -> None:
    """Remove the sockets of killed processes, which no longer have a listener."""
    with suppress(OSError):
        for path in folder.glob("*.sock"):
            status = path.lstat()
            is_old = time.time() - status.st_mtime > _MIN_AGE_SECONDS
            if stat.S_ISSOCK(status.st_mode) and is_old and _is_abandoned(path):
                path.unlink(missing_ok=True)


def _is_abandoned(path: Path) -> bool:
    try:
        _connect(path)
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def _listens(path: Path) -> bool:
    try:
        _connect(path)
    except (BlockingIOError, TimeoutError):
        # The listener's queue of new connections is full.
        return True
    except OSError:
        return False
    return True


def _connect(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(0.1)
        probe.connect(str(path))


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
