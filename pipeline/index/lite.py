"""The life of a Milvus Lite folder: served to this process, given back, and who else holds it.

Milvus Lite is an engine in this process behind a gRPC server. Both are started here rather than by
`MilvusClient("name.db")`, which listens on a TCP port that every user of the machine can reach, hides a held lock
behind "failed to open" and keeps the engine until the process ends.
"""

from __future__ import annotations

import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pipeline.errors import IndexLockedError, MomentIndexError
from pipeline.index.lite_socket import PrivateSocket
from pipeline.index.read_only import is_writable, shadow

if TYPE_CHECKING:
    import grpc
    from milvus_lite.db import MilvusLite

__all__ = ["LiteFolder", "silence"]

# As Milvus Lite's own server has them.
_WORKERS = 10
_MESSAGE_BYTES = 256 * 2**20


def silence() -> None:
    """Keep gRPC's and Milvus's own logs out of people's terminals, unless they were set to be there.

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

    One that cannot be written to is served as it is now, from a folder of its own (`read_only`).

    Attributes:
        uri: Where this process finds it, as "unix:///tmp/momentseek-1000/4f1d-4711-9a0b3c.sock".
        is_read_only: Whether what is written to it is lost.

    Raises:
        IndexLockedError: Another process holds it, or this one does already.
        MomentIndexError: It cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        silence()
        self.is_read_only = not is_writable(folder)
        self._closed = False
        # Callbacks, not generators: those would wait for a server that has gone when the interpreter ends.
        with ExitStack() as opened:
            data_dir = _shadow_of(folder, opened) if self.is_read_only else folder
            engine = _engine(folder, data_dir)
            opened.callback(engine.close)
            server = _server(engine)
            opened.callback(lambda: server.stop(grace=0).wait())
            socket = PrivateSocket(server, data_dir)
            opened.callback(socket.close)
            server.start()
            self._opened = opened.pop_all()
        self.uri = socket.uri

    def close(self) -> None:
        """Stop serving and give the folder back; closing twice is harmless."""
        if not self._closed:
            self._closed = True
            self._opened.close()


def _shadow_of(folder: Path, opened: ExitStack) -> Path:
    target = Path(opened.enter_context(TemporaryDirectory(prefix="momentseek-index-")))
    try:
        shadow(folder, target)
    except OSError as error:
        raise _unopened(folder, error) from error
    return target


def _engine(folder: Path, data_dir: Path) -> MilvusLite:
    from milvus_lite.db import MilvusLite
    from milvus_lite.exceptions import DataDirLockedError, MilvusLiteError

    try:
        return MilvusLite(str(data_dir))
    except DataDirLockedError as error:
        raise IndexLockedError(_locked(folder)) from error
    except (MilvusLiteError, OSError, RuntimeError, ValueError) as error:
        raise _unopened(folder, error) from error


def _server(engine: MilvusLite) -> grpc.Server:
    """A server that is bound to nothing yet, as `milvus_lite.adapter.grpc.server` makes one."""
    import grpc
    from milvus_lite.adapter.grpc.servicer import MilvusServicer
    from pymilvus.grpc_gen import milvus_pb2_grpc

    sizes = [(f"grpc.max_{way}_message_length", _MESSAGE_BYTES) for way in ("receive", "send")]
    server = grpc.server(ThreadPoolExecutor(_WORKERS, "milvus-lite"), options=sizes)
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(MilvusServicer(engine), server)
    return server


def _unopened(folder: Path, error: Exception) -> MomentIndexError:
    return MomentIndexError(f"the index in {str(folder)!r} cannot be opened: {error}")


def _locked(folder: Path) -> str:
    lock = folder / "LOCK"
    holder = _holder(lock)
    if holder == os.getpid():
        return f"the index in {str(folder)!r} is open in this process already; close that one first"
    who = f"process {holder} ({_command(holder)}{_since(holder)})" if holder else "another process"
    stop = f"stop it (kill {holder})" if holder else f"find and stop it (fuser {lock})"
    return (
        f"the index in {str(folder)!r} is held by {who}; Milvus Lite lets one process in at a time. Wait until it ends,"
        f" or {stop}, or serve the folder to many with `milvus-lite server --data-dir {folder} --host 127.0.0.1`"
        " and set index.uri to http://127.0.0.1:19530 (not on a shared machine: all its users could then write to it)"
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
