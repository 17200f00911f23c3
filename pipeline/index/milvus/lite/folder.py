"""Opening, locking and closing of a Milvus Lite folder.

Milvus Lite is an engine in this process behind a gRPC server. Both are started here rather than by
`MilvusClient("name.db")`, which listens on a TCP port that every user of the machine can reach, hides a held lock
behind "failed to open" and keeps the engine until the process ends.
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

# A file where a folder should be, and the like: it stays as it is, as a full disk does not.
_DAMAGE = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENXIO)
_LOCK = "LOCK"
# As Milvus Lite's own server has them.
_WORKERS = 10
_MESSAGE_BYTES = 256 * 2**20


def silence() -> None:
    """Silence the logs of gRPC and Milvus in the terminal, unless the user enabled them.

    Their errors reach the caller as exceptions anyway.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    levels = {name: logging.getLogger(name).level for name in ("grpc", "pymilvus", "milvus_lite")}
    # Its first import sets the level of its logger, over what anyone chose before.
    import pymilvus  # noqa: F401

    for name, level in levels.items():
        logging.getLogger(name).setLevel(logging.CRITICAL if level == logging.NOTSET else level)


class LiteFolder:
    """A Milvus Lite folder that this process holds until `close`.

    One that cannot be written to is served as it is now, from a folder of its own (`read_only`). What is in the folder
    may come from others: nothing in it is followed (`lite_tree`), and a collection is read once its files have been
    checked (`lite_contents`).

    Attributes:
        uri: Where this process finds it, as "unix:///tmp/momentseek-1000/4f1d-4711-9a0b3c.sock".
        is_own: As given.
        is_read_only: Whether what is written to it is lost.

    Args:
        folder: Made where it is missing.
        is_own: Whether it is the library's own: below the library, where links are not followed, and made of the
            library's embeddings alone, so that it can be made again.

    Raises:
        IndexLockedError: Another process holds it, or this one does already.
        IndexDamagedError: It is the library's own, and its files are not what momentseek wrote.
        MomentIndexError: It cannot be opened.
    """

    def __init__(self, folder: Path, *, is_own: bool = False) -> None:
        silence()
        self.is_own = is_own
        self._folder = folder
        self.is_read_only = not is_writable(folder)
        self._closed = False
        # Callbacks, not generators: those would wait for a server that has gone when the interpreter ends.
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
        for kind, place in wrong_files(folder):
            raise self._damage(folder / place, ValueError(f"it holds {kind} ({shown(repr(place))})"))
        if self.is_read_only:
            data_dir = Path(opened.enter_context(TemporaryDirectory(prefix="momentseek-index-")))
            shadow(folder, data_dir)
        else:
            data_dir = folder
        self._engine = _engine(folder, data_dir)
        opened.callback(self._engine.close)
        for place in hard_links(data_dir):
            own_copy(data_dir, place)
        check_aliases(data_dir, are_own=self.is_own)
        server = _server(self._engine)
        opened.callback(lambda: server.stop(grace=0).wait())
        socket = PrivateSocket(server, data_dir)
        opened.callback(socket.close)
        server.start()
        self.uri = socket.uri

    @property
    def refusal(self) -> MomentIndexError | None:
        """The reason why a collection was not opened, with advice; None where none was refused."""
        if self._engine.refused is None:
            return None
        place, error = self._engine.refused
        if not self.is_own and not is_of_momentseek(place):
            return MomentIndexError(
                f"the collection {place.name!r} in {str(self._folder)!r} was not made by momentseek ({shown(error)});"
                " set index.collection to another name"
            )
        return self._damage(self._folder / "collections" / place.name, error)

    def _damage(self, place: Path, error: Exception) -> MomentIndexError:
        """The error for files that are not as they must be, or that cannot be read."""
        # Arrow's errors of broken files are OSErrors without a number.
        lasts = not isinstance(error, OSError) or error.errno is None or error.errno in _DAMAGE
        cause = no_space(error) or shown(error, 400) or type(error).__name__
        said = f"the index in {str(self._folder)!r} cannot be opened: {cause}"
        if not lasts:
            refusal = MomentIndexError(said)
        elif self.is_own:
            refusal = IndexDamagedError(f"{said}; to make it anew: momentseek index rebuild")
        else:
            refusal = MomentIndexError(f"{said}; remove {str(place)!r} and run: momentseek index rebuild")
        refusal.__cause__ = error
        return refusal

    def close(self) -> None:
        """Stop the server and unlock the folder; closing twice is harmless."""
        if not self._closed:
            self._closed = True
            self._opened.close()


def discard(folder: Path) -> None:
    """Empty a library's own index folder, so that it can be rebuilt; no link is followed.

    Raises:
        IndexLockedError: A process holds it.
        MomentIndexError: It is no folder, or something in it cannot be removed.
    """
    check_index_folder(folder)
    try:
        emptied(folder, kept=_LOCK)
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
    """A server that is bound to nothing yet, as `milvus_lite.adapter.grpc.server` makes one."""
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
        return f"the index in {str(folder)!r} is open in this process already; close that library first"
    who = f"process {holder} ({_command(holder)}{_since(holder)})" if holder else "another process"
    stop = f"stop it (kill {holder})" if holder else f"find and stop it (fuser {lock})"
    return (
        f"the index in {str(folder)!r} is held by {who}; Milvus Lite lets one process in at a time. Wait until it ends,"
        f" or {stop}. To let many processes in, move the index to a Milvus server: momentseek index migrate"
        " http://HOST:19530"
    )


def _holder(lock: Path, locks: Path = Path("/proc/locks")) -> int | None:
    """The process that holds a file's lock, by its inode in Linux's table of locks; None where that says nothing."""
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
        return "of which nothing is known here"
    text = b" ".join(words).decode(errors="replace").strip()
    return text if len(text) <= 120 else f"{text[:117]}..."


def _since(process: int) -> str:
    """When a process began; empty where Linux's tables don't say."""
    try:
        # The second field is the command in brackets, which may hold spaces; the start is the twenty-second.
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        ticks = int(fields[19])
        [booted] = [line for line in Path("/proc/stat").read_text(encoding="ascii").splitlines() if line[:5] == "btime"]
        began = int(booted.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return ""
    return f", since {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(began))}"
