"""Opening, locking and closing of a Milvus Lite folder.

Milvus Lite is an engine in this process behind a gRPC server. Both are started here instead of with
`MilvusClient("name.db")`, which listens on a TCP port that every user of the machine can reach, reports a locked folder
only as "failed to open", and keeps the engine running until the process ends.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pipeline.errors import IndexDamagedError, IndexLockedError, MomentIndexError
from pipeline.index.milvus.lite.contents import check_aliases, is_of_momentseek
from pipeline.index.milvus.lite.read_only import is_writable, shadow
from pipeline.index.milvus.lite.tree import check_index_folder, emptied, hard_links, own_copy, wrong_files
from pipeline.index.milvus.lite.unix_socket import PrivateSocket
from pipeline.index.quoted_text import no_space, shown

if TYPE_CHECKING:
    import grpc

    from pipeline.index.milvus.lite.engine import CheckedLite

__all__ = ["LiteFolder", "discard", "silence"]

# Lasting damage, such as a file instead of a folder; other errors, such as a full disk, may be temporary.
_DAMAGE = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENXIO)
_LOCK = "LOCK"
# The values of Milvus Lite's own server.
_WORKERS = 10
_MESSAGE_BYTES = 256 * 2**20


def silence() -> None:
    """Silence the logs of gRPC and Milvus in the terminal, unless the user enabled them.

    Their errors reach the caller as exceptions anyway.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    levels = {name: logging.getLogger(name).level for name in ("grpc", "pymilvus", "milvus_lite")}
    # The first import sets the level of pymilvus's logger, and would override the user's choice.
    import pymilvus  # noqa: F401

    for name, level in levels.items():
        logging.getLogger(name).setLevel(logging.CRITICAL if level == logging.NOTSET else level)


class LiteFolder:
    """A Milvus Lite folder that this process keeps locked until `close`.

    A folder that cannot be written is served from a temporary copy (`read_only`). The content of the folder may come
    from others, so links in it are not followed (`tree`), and a collection is read only after its files have been
    checked (`contents`).

    Attributes:
        uri: Address of the server in this process, as "unix:///tmp/momentseek-1000/4f1d-4711-9a0b3c.sock".
        is_own: The argument `is_own`.
        is_read_only: Whether the folder is read-only, so that writes are lost.

    Args:
        folder: The folder; created if it does not exist.
        is_own: Whether it is the library's own folder. Such a folder is below the library, where links are not
            followed, and can be rebuilt from the library's embeddings.

    Raises:
        IndexLockedError: Another process, or this one, has already opened the folder.
        IndexDamagedError: It is the library's own folder, and momentseek cannot have written its files.
        MomentIndexError: It cannot be opened.
    """

    def __init__(self, folder: Path, *, is_own: bool = False) -> None:
        silence()
        self.is_own = is_own
        self._folder = folder
        self.is_read_only = not is_writable(folder)
        self._closed = False
        # Callbacks, not generators, which would wait for a server that no longer exists when the interpreter ends.
        with ExitStack() as opened:
            try:
                self._open(opened)
            except MomentIndexError:
                raise
            except Exception as error:
                raise self._damage(folder, error) from error
            self._opened = opened.pop_all()

    def _open(self, opened: ExitStack) -> None:
        folder = self._folder
        if self.is_own:
            check_index_folder(folder)
        for kind, path in wrong_files(folder):
            raise self._damage(folder / path, ValueError(f"it contains {kind} ({shown(repr(path))})"))
        if self.is_read_only:
            data_dir = Path(opened.enter_context(TemporaryDirectory(prefix="momentseek-index-")))
            shadow(folder, data_dir)
        else:
            data_dir = folder
        self._engine = _engine(folder, data_dir)
        opened.callback(self._engine.close)
        for path in hard_links(data_dir):
            own_copy(data_dir, path)
        check_aliases(data_dir, are_own=self.is_own)
        server = _server(self._engine)
        opened.callback(lambda: server.stop(grace=0).wait())
        socket = PrivateSocket(server, data_dir)
        opened.callback(socket.close)
        server.start()
        self.uri = socket.uri

    @property
    def refusal(self) -> MomentIndexError | None:
        """The error for a collection that was not opened, with a remedy; None if none was rejected."""
        if self._engine.refused is None:
            return None
        path, error = self._engine.refused
        if not self.is_own and not is_of_momentseek(path):
            return MomentIndexError(
                f"the collection {path.name!r} in {str(self._folder)!r} was not made by momentseek ({shown(error)});"
                " set index.collection to another name"
            )
        return self._damage(self._folder / "collections" / path.name, error)

    def _damage(self, path: Path, error: Exception) -> MomentIndexError:
        """Make the error for files that are invalid or cannot be read."""
        # For broken files, Arrow raises OSError without a number.
        is_damage = not isinstance(error, OSError) or error.errno is None or error.errno in _DAMAGE
        cause = no_space(error) or shown(error, 400) or type(error).__name__
        problem = f"the index in {str(self._folder)!r} cannot be opened: {cause}"
        if not is_damage:
            refusal = MomentIndexError(problem)
        elif self.is_own:
            refusal = IndexDamagedError(f"{problem}; to rebuild it: momentseek index rebuild")
        else:
            refusal = MomentIndexError(f"{problem}; remove {str(path)!r} and run: momentseek index rebuild")
        refusal.__cause__ = error
        return refusal

    def close(self) -> None:
        """Stop the server and unlock the folder; closing twice is harmless."""
        if not self._closed:
            self._closed = True
            self._opened.close()


def discard(folder: Path) -> None:
    """Empty a library's own index folder, so that it can be rebuilt; links are not followed.

    Raises:
        IndexLockedError: A process has opened the folder.
        MomentIndexError: It is not a folder, or something in it cannot be removed.
    """
    check_index_folder(folder)
    try:
        emptied(folder, lock_file=_LOCK)
    except BlockingIOError as error:
        raise IndexLockedError(_locked(folder)) from error
    except OSError as error:
        raise MomentIndexError(f"the index in {str(folder)!r} cannot be removed: {shown(error)}") from error


def _engine(folder: Path, data_dir: Path) -> CheckedLite:
    from milvus_lite.exceptions import DataDirLockedError

    from pipeline.index.milvus.lite.engine import CheckedLite

    try:
        return CheckedLite(str(data_dir))
    except DataDirLockedError as error:
        raise IndexLockedError(_locked(folder)) from error


def _server(engine: CheckedLite) -> grpc.Server:
    """Make a server without an address, in the way of `milvus_lite.adapter.grpc.server`."""
    import grpc
    from milvus_lite.adapter.grpc.servicer import MilvusServicer
    from pymilvus.grpc_gen import milvus_pb2_grpc

    sizes = [(f"grpc.max_{way}_message_length", _MESSAGE_BYTES) for way in ("receive", "send")]
    server = grpc.server(ThreadPoolExecutor(_WORKERS, "milvus-lite"), options=sizes)
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(MilvusServicer(engine), server)
    return server


def _locked(folder: Path) -> str:
    lock = folder / _LOCK
    holder = _holder(lock)
    if holder == os.getpid():
        return f"the index in {str(folder)!r} is already open in this process; close that library first"
    who = f"process {holder} ({_command(holder)}{_since(holder)})" if holder else "another process"
    stop = f"stop it (kill {holder})" if holder else f"find and stop it (fuser {lock})"
    return (
        f"the index in {str(folder)!r} is in use by {who}; Milvus Lite can be used by one process at a time. Wait until"
        f" it ends, or {stop}. For several processes, move the index to a Milvus server: momentseek index migrate"
        " http://HOST:19530"
    )


def _holder(lock: Path, locks: Path = Path("/proc/locks")) -> int | None:
    """Find the process that locked a file, by its inode in Linux's table of locks; None if it is not listed."""
    try:
        inode = str(lock.stat().st_ino)
        lines = locks.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    for line in lines:
        # 1: FLOCK  ADVISORY  WRITE 4711 08:01:1234567 0 EOF; a waiting process has "->" in the second place.
        fields: list[Any] = line.split()
        if len(fields) >= 6 and fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == inode and fields[4].isdigit():
            return int(fields[4]) or None
    return None


def _command(process: int) -> str:
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "unknown command"
    text = b" ".join(words).decode(errors="replace").strip()
    return text if len(text) <= 120 else f"{text[:117]}..."


def _since(process: int) -> str:
    """Format the start time of a process; empty if /proc does not provide it."""
    try:
        # The second field is the command in brackets, which may contain spaces; the 22nd field is the start time.
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        ticks = int(fields[19])
        [booted] = [line for line in Path("/proc/stat").read_text(encoding="ascii").splitlines() if line[:5] == "btime"]
        began = int(booted.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return ""
    return f", since {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(began))}"
