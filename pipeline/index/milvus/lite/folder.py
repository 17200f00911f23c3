"""Opens, locks, serves and closes a Milvus Lite folder.

Milvus Lite is an engine in this process behind a gRPC server. Both are started here instead of with
`MilvusClient("name.db")`, which listens on a TCP port that every user of the machine can reach, reports a locked folder
only as "failed to open", and keeps the engine running until the process ends. A file in the folder (`holder_file`)
names the socket over which other processes of this user can use the folder (`shared_folders`).
"""

from __future__ import annotations

import errno
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pipeline.errors import IndexDamagedError, IndexLockedError, MomentIndexError
from pipeline.index.milvus.lite.contents import check_aliases, is_of_momentseek
from pipeline.index.milvus.lite.folder_checks import check_index_folder, emptied, hard_links, own_copy, wrong_files
from pipeline.index.milvus.lite.holder_file import Holder, remove_holder, write_holder
from pipeline.index.milvus.lite.read_only import is_writable, shadow
from pipeline.index.quoted_text import no_space, shown
from pipeline.io.private_socket import PrivateSocket, socket_uri
from pipeline.io.process_identity import command_of, lock_holder, since, this_process

if TYPE_CHECKING:
    import grpc

    from pipeline.index.milvus.lite.engine import CheckedLite
    from pipeline.index.milvus.lite.requests import OrderedRequests

__all__ = ["LiteFolder", "discard", "locked_message", "silence"]

# Lasting damage, such as a file instead of a folder; other errors, such as a full disk, may be temporary.
_DAMAGE = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENXIO)
_LOCK = "LOCK"
# The values of Milvus Lite's own server.
_WORKERS = 10
_MESSAGE_BYTES = 256 * 2**20
# Time that requests of other processes have to finish when the folder is closed; they repeat interrupted requests.
_GRACE_SECONDS = 5.0


def silence() -> None:
    """Silence the logs of gRPC and Milvus in the terminal, unless the user enabled them.

    Their errors reach the caller as exceptions anyway.

    gRPC's handlers of forks are switched off as well. gRPC reads both variables when it is first used. With the
    handlers, one in 20 child processes that were forked beside an open index was aborted before it ran its program
    (gRPC 1.85, https://github.com/grpc/grpc/issues/43055). Among them were the servers of Ray, which forks to start
    them, and which waits two minutes for a server that is dead. No child of this program uses its parent's gRPC.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
    levels = {name: logging.getLogger(name).level for name in ("grpc", "pymilvus", "milvus_lite")}
    # The first import sets the level of pymilvus's logger, and would override the user's choice.
    import pymilvus  # noqa: F401

    for name, level in levels.items():
        logging.getLogger(name).setLevel(logging.CRITICAL if level == logging.NOTSET else level)


class LiteFolder:
    """A Milvus Lite folder that this process keeps locked until `close`.

    A folder that cannot be written is served from a temporary copy (`read_only`). The content of the folder may come
    from others, so links in it are not followed (`folder_checks`), and a collection is read only after its files have
    been checked (`contents`).

    Only the process that created the object can use it: in a forked process, closing it has no effect.

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
        self._process = os.getpid()
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
        self._engine = self._locked_engine(data_dir)
        opened.callback(self._engine.close)
        self._announce(None)
        for path in hard_links(data_dir):
            own_copy(data_dir, path)
        check_aliases(data_dir, are_own=self.is_own)
        server, self._requests, workers = _server(self._engine)
        # A request that is still running after the lock is released would write to a folder that another process holds.
        opened.callback(workers.shutdown)
        opened.callback(lambda: server.stop(grace=_GRACE_SECONDS).wait())
        socket = _private_socket(server, data_dir)
        opened.callback(socket.close)
        server.start()
        self.uri = socket.uri
        self._announce(socket.path)
        opened.callback(self._announce, None)

    @property
    def has_guests(self) -> bool:
        """Whether another process has used this folder through this one."""
        return self._requests.has_guests

    def _locked_engine(self, data_dir: Path) -> CheckedLite:
        from milvus_lite.exceptions import DataDirLockedError

        from pipeline.index.milvus.lite.engine import CheckedLite

        def refuse(collection: Path, error: Exception) -> MomentIndexError:
            if self.is_own or is_of_momentseek(collection):
                return self._damage(self._folder / "collections" / collection.name, error)
            return MomentIndexError(
                f"the collection {collection.name!r} in {str(self._folder)!r} was not made by momentseek"
                f" ({shown(error)}); set index.collection to another name"
            )

        try:
            return CheckedLite(str(data_dir), refuse, before_unlock=lambda: remove_holder(data_dir))
        except DataDirLockedError as error:
            # Milvus Lite reports any failure to lock the folder as this error.
            cause = error.__cause__
            if isinstance(cause, OSError) and not isinstance(cause, BlockingIOError):
                raise MomentIndexError(_unlockable(self._folder, cause)) from error
            raise IndexLockedError(locked_message(self._folder)) from error

    def _announce(self, socket: Path | None) -> None:
        """Write the holder file; if that fails, other processes cannot use the folder while this one holds it."""
        if not self.is_read_only:
            with suppress(OSError):
                write_holder(self._folder, Holder(this_process(), self.is_own, socket))

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
        if not self._closed and os.getpid() == self._process:
            self._opened.close()
        self._closed = True

    def leave_to_parent(self) -> None:
        """Release the folder in a forked process; the parent still holds it."""
        self._closed = True
        self._engine.leave_to_parent()


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
        raise IndexLockedError(locked_message(folder)) from error
    except OSError as error:
        raise MomentIndexError(f"the index in {str(folder)!r} cannot be removed: {shown(error)}") from error


def _server(engine: CheckedLite) -> tuple[grpc.Server, OrderedRequests, ThreadPoolExecutor]:
    """Make a server without an address, as `milvus_lite.adapter.grpc.server` does."""
    import grpc
    from pymilvus.grpc_gen import milvus_pb2_grpc

    from pipeline.index.milvus.lite.exact_service import ExactService
    from pipeline.index.milvus.lite.requests import OrderedRequests

    options = [(f"grpc.max_{way}_message_length", _MESSAGE_BYTES) for way in ("receive", "send")]
    # pymilvus's clients ping every ten seconds. By default, a server closes the connection of a client without requests
    # that pings more often than every five minutes.
    options.append(("grpc.http2.max_ping_strikes", 0))
    requests, workers = OrderedRequests(), ThreadPoolExecutor(_WORKERS, "milvus-lite")
    server = grpc.server(workers, interceptors=[requests], options=options)
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(ExactService(engine), server)
    return server, requests, workers


def locked_message(folder: Path) -> str:
    """Describe the process that holds a folder and does not share it, and the remedies."""
    lock = folder / _LOCK
    holder = lock_holder(lock)
    if holder == os.getpid():
        return f"the index in {str(folder)!r} is already open in this process; close that library first"
    who = f"process {holder} ({command_of(holder)}{since(holder)})" if holder else "another process"
    stop = f"stop it (kill {holder})" if holder else f"find and stop it (fuser {lock})"
    return (
        f"the index in {str(folder)!r} is in use by {who}, which does not share it: it belongs to another user, runs on"
        f" another machine or in another container, uses an older version of momentseek, or is busy."
        f" Wait until it ends, or {stop}."
        " For several users or machines, move the index to a Milvus server: momentseek index migrate http://HOST:19530"
    )


def _unlockable(folder: Path, error: OSError) -> str:
    """Describe a folder whose file system does not lock files, and the remedies."""
    return (
        f"the index in {str(folder)!r} cannot be opened, because its file {_LOCK} cannot be locked"
        f" ({shown(error.strerror or error)}); some network file systems have no locks. Set index.uri to a folder on"
        " another file system, or move the index there or to a Milvus server: momentseek index migrate URI"
    )


def _private_socket(server: grpc.Server, data_dir: Path) -> PrivateSocket:
    """Bind a server that has not been started yet to a new private socket.

    Raises:
        MomentIndexError: There is no safe location for the socket.
    """
    try:
        return PrivateSocket(lambda path: server.add_insecure_port(socket_uri(path)), data_dir)
    except OSError as error:
        raise MomentIndexError(f"Milvus Lite: {error}") from error
