"""The life of a Milvus Lite folder: served to this process, given back, and who else holds it.

Milvus Lite is an engine in this process behind a gRPC port on the loopback. It is started here rather than by
`MilvusClient("name.db")`, which hides a held lock behind "failed to open" and keeps the engine until the process ends.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.errors import IndexLockedError, MomentIndexError
from pipeline.index.read_only import is_writable, shadow

__all__ = ["LiteFolder", "silence"]


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
        uri: Where this process finds it, as "http://127.0.0.1:41234".
        is_read_only: Whether what is written to it is lost.

    Raises:
        IndexLockedError: Another process holds it, or this one does already.
        MomentIndexError: It cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        silence()
        from milvus_lite.adapter.grpc.server import start_server_in_thread
        from milvus_lite.exceptions import DataDirLockedError, MilvusLiteError

        self.is_read_only = not is_writable(folder)
        self._shadow = TemporaryDirectory(prefix="momentseek-index-") if self.is_read_only else None
        try:
            data_dir = folder
            if self._shadow is not None:
                data_dir = Path(self._shadow.name)
                shadow(folder, data_dir)
            self._server, self._engine, port = start_server_in_thread(data_dir=str(data_dir), host="127.0.0.1", port=0)
        except DataDirLockedError as error:
            self._drop_shadow()
            raise IndexLockedError(_locked(folder)) from error
        except (MilvusLiteError, OSError, RuntimeError, ValueError) as error:
            self._drop_shadow()
            raise MomentIndexError(f"the index in {str(folder)!r} cannot be opened: {error}") from error
        self.uri = f"http://127.0.0.1:{port}"
        self._closed = False

    def close(self) -> None:
        """Stop serving and give the folder back; closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        self._server.stop(grace=0).wait()
        self._engine.close()
        self._drop_shadow()

    def _drop_shadow(self) -> None:
        if self._shadow is not None:
            self._shadow.cleanup()


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
        " and set index.uri to http://127.0.0.1:19530"
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
