"""Connection to Milvus: retries requests after temporary errors, and reports other errors at once."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pipeline.errors import IndexDamagedError, MomentIndexError
from pipeline.index.milvus.lite.client import LiteClient
from pipeline.index.milvus.lite.folder import silence
from pipeline.index.milvus.lite.refusals import refusal_in
from pipeline.index.quoted_text import no_space, shown
from pipeline.index.settings import Indexing

if TYPE_CHECKING:
    from pymilvus import MilvusClient

__all__ = ["MilvusConnection", "is_gone", "is_temporary", "lite_folder"]

T = TypeVar("T")

_log = logging.getLogger(__name__)

# By default, pymilvus silently retries a request 75 times, for several minutes.
_NO_RETRIES = {"retry_times": 0}
# Methods of pymilvus's client that make no request.
_LOCAL = frozenset({"close", "prepare_index_params"})
# By default, pymilvus waits without limit for a collection to be loaded.
_LOAD_SECONDS = 20.0
_CONNECT_SECONDS = 10.0
# Even without retries, a request is repeated when the process that held the folder has ended.
_TAKE_OVER_SECONDS = 10.0
_MAX_CAUSE_CHARACTERS = 1000
_REBUILD = "if its files are damaged, rebuild it with: momentseek index rebuild"
# gRPC's keepalive, which pymilvus switches on, detects a dead or hanging server, and the deadline of each request one
# that is alive but does not answer. gRPC itself would wait up to two minutes before it reconnects.
_REQUEST_SECONDS = 60.0
_RECONNECT = {
    "grpc.initial_reconnect_backoff_ms": 500,
    "grpc.min_reconnect_backoff_ms": 5000,
    "grpc.max_reconnect_backoff_ms": 5000,
}
_FIRST_PAUSE_SECONDS = 0.1
_MAX_PAUSE_SECONDS = 5.0

# Milvus's error codes (pkg/util/merr/errors.go): service not ready, unavailable, out of memory, too many requests, rate
# limits, time tick delay; collection, partition or segment not (fully) loaded; replica, channel, segment or node not
# available at the moment, for example while a server starts or moves data.
_TEMPORARY_CODES = frozenset(
    {1, 2, 3, 4, 8, 9, 11, 101, 103, 201, 202, 401, 500, 501, 503, 600, 601, 602, 901, 902, 904}
)
_GONE = 100
_CUT_OFF_STATUSES = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"})
_CUT_OFF_PHRASES = (
    "fail connecting to server",
    "closed channel",
    "should create connect first",
    "connection refused",
    "retry timeout",
)
_TEMPORARY_STATUSES = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "ABORTED"})
# Older servers use the same code, 65535, for all of these.
_TEMPORARY_PHRASES = (
    "service unavailable",
    "not ready",
    "not healthy",
    "is not serving",
    "not servcieable",
    "not serviceable",
    "node not found",
    "node offline",
    "no available",
    "channel not available",
    "not loaded",
    "not fully loaded",
    "wait for loading collection timeout",
    "rate limit",
    "rate exceed",
    "quota exceed",
    "connection refused",
    "recovering",
)
_PERMANENT_PHRASES = ("larger than max", "exceeds the maximum", "illegal connection params:")


class MilvusConnection:
    """A client of a Milvus server, or of Milvus Lite in a folder.

    A folder stays locked until the last client in the process that holds it is closed. If another process of this user
    holds it, requests go to that process. If it ends, the requests are repeated on the next holder of the folder, which
    may be this process.

    Attributes:
        place: The server's URI or the folder, for messages.
        is_lite: Whether this is Milvus Lite, in a folder or behind `milvus-lite server`.

    Args:
        settings: The location, and how long to retry.
        folder: Folder of Milvus Lite if the settings have no `uri`.

    Raises:
        IndexLockedError: Another process has opened the folder, and does not share it.
        MomentIndexError: No location is set, no server answers there, or the index cannot be opened. The first
            connection is not retried, since an address that never answered is usually wrong.
    """

    def __init__(self, settings: Indexing, folder: Path | None) -> None:
        silence()
        self._retry_seconds = settings.patience_seconds
        self._closed = False
        self._lite, self._client = _connected(settings, folder)
        self.place = settings.uri or str(folder)
        try:
            self.is_lite = "lite" in _engine(self.ask("open", lambda client: client.get_server_version()))
        except BaseException:
            self.close()
            raise

    @property
    def is_exclusive(self) -> bool:
        """Whether no other index, of this process or another, has used this Milvus since it was opened."""
        return self._lite is not None and self._lite.reference.is_alone

    def broken(self, problem: str) -> MomentIndexError:
        """Make the error for rows that momentseek cannot have written."""
        message = f"the index in {self.place!r} is broken: {problem}; to rebuild it: momentseek index rebuild"
        is_own = self._lite is not None and self._lite.is_own
        return IndexDamagedError(message) if is_own else MomentIndexError(message)

    @property
    def uri(self) -> str:
        """The address at which this process reaches Milvus."""
        return self._lite.reference.uri if self._lite is not None else self.place

    def ask(self, what: str, request: Callable[[MilvusClient], T]) -> T:
        """Make an idempotent request, and retry it with back-off while Milvus is unreachable or temporarily refuses.

        Args:
            what: The action, for messages: "open", "read", "search" or "write to".
            request: Makes the request with the client that it is given.

        Raises:
            MomentIndexError: Milvus refused the request or was unreachable for longer than `index.patience_seconds`, or
                a write is for a read-only folder.
        """
        from grpc import RpcError
        from pymilvus.exceptions import MilvusException

        if what == "write to" and self._lite is not None and self._lite.reference.is_read_only:
            raise MomentIndexError(
                f"the index in {self.place!r} cannot be written to: it is read-only for this user; mount it as writable"
                " or change its permissions"
            )
        started, pause = time.monotonic(), _FIRST_PAUSE_SECONDS
        while True:
            client = self._present_client()
            try:
                answer = request(cast("MilvusClient", _OneRequest(client)))
            except (MilvusException, RpcError) as error:
                waited = time.monotonic() - started
                if self._has_new_client(client, error, waited):
                    continue
                if not is_temporary(error) or waited + pause > self._retry_seconds:
                    raise MomentIndexError(self._refusal(what, error, waited)) from error
                if pause == _FIRST_PAUSE_SECONDS:
                    problem = f"cannot {what} the index in {self.place!r} now: {_cause(error)}"
                    _log.warning("%s; retrying for %.0f s", problem, self._retry_seconds)
                time.sleep(pause)
                pause = min(2 * pause, _MAX_PAUSE_SECONDS)
            except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as error:
                if self._lite is not None and (client is not self._client or self._lite.is_former(client)):
                    # Another thread has closed it, since the process that held the folder had ended.
                    self._client = self._lite.renew(client)
                    continue
                # pymilvus failed to process what it read, for example metadata that is not JSON.
                if what == "write to":
                    raise
                raise self.broken(f"{type(error).__name__}: {_cause(error)}") from error
            else:
                if pause > _FIRST_PAUSE_SECONDS:
                    _log.warning("the index in %r answers again, after %.1f s", self.place, time.monotonic() - started)
                return answer

    def _present_client(self) -> MilvusClient:
        if self._closed:
            raise MomentIndexError(f"the index in {self.place!r} is closed; open it again")
        if self._lite is not None and self._lite.is_of_parent:
            self._client = self._lite.renew(self._client)
        return self._client

    def _has_new_client(self, client: MilvusClient, error: Exception, waited: float) -> bool:
        """Replace the client of another process that has ended, and return whether to repeat the request.

        Raises:
            MomentIndexError: The error is a collection that the process that holds the folder rejects, or the folder
                can be neither held nor joined.
        """
        if self._lite is None:
            return False
        if (refusal := refusal_in(error)) is not None:
            raise refusal from error
        if waited > max(self._retry_seconds, _TAKE_OVER_SECONDS):
            return False
        if client is not self._client:
            return True
        if not self._lite.reference.is_joined or not _is_cut_off(error):
            return False
        _log.debug("the process that held the index in %r answers no more: %s", self.place, _cause(error))
        self._client = self._lite.renew(client)
        if self._lite.reference.is_joined:
            time.sleep(_FIRST_PAUSE_SECONDS)
        return True

    def close(self) -> None:
        """Close the connection; closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        if self._lite is not None:
            self._lite.close()
        else:
            self._client.close()

    def _refusal(self, what: str, error: Exception, waited: float) -> str:
        if full := no_space(error):
            return f"cannot {what} the index in {self.place!r}: {full}"
        problem = f"cannot {what} the index in {self.place!r}: {_cause(error)}"
        if not is_temporary(error):
            return problem if self._lite is None or what == "write to" else f"{problem}; {_REBUILD}"
        remedy = "check the server and run this again, or raise index.patience_seconds"
        return f"{problem}; gave up after {waited:.0f} s ({remedy})"


class _OneRequest:
    """A client without retries of its own and with limited waiting; `MilvusConnection.ask` does the retries."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if name in _LOCAL:
            return method
        if name == "load_collection":
            return partial(method, timeout=_LOAD_SECONDS)
        return partial(method, **_NO_RETRIES)


def is_temporary(error: BaseException) -> bool:
    """Whether an error of Milvus or gRPC is temporary: Milvus is unreachable, starting, loading or overloaded."""
    message = str(getattr(error, "message", "") or error).lower()
    if any(phrase in message for phrase in _PERMANENT_PHRASES) or no_space(error):
        return False
    code = getattr(error, "code", None)
    code = code() if callable(code) else code
    if getattr(code, "name", "") in _TEMPORARY_STATUSES or getattr(error, "compatible_code", None) == _rate_limit():
        return True
    if isinstance(code, int) and code in _TEMPORARY_CODES:
        # Milvus Lite uses code 1 for every error.
        return code != 1 or any(phrase in message for phrase in _TEMPORARY_PHRASES)
    return code != _GONE and any(phrase in message for phrase in _TEMPORARY_PHRASES)


def _is_cut_off(error: BaseException) -> bool:
    """Whether a request failed because the other process ended, closed its folder or does not answer."""
    code = getattr(error, "code", None)
    code = code() if callable(code) else code
    if getattr(code, "name", "") in _CUT_OFF_STATUSES:
        return True
    message = str(getattr(error, "message", "") or error).lower()
    return any(phrase in message for phrase in _CUT_OFF_PHRASES)


def is_gone(error: BaseException) -> bool:
    """Whether an error of Milvus means that the collection does not exist."""
    return getattr(error, "code", None) == _GONE


def _rate_limit() -> int:
    from pymilvus.grpc_gen import common_pb2

    return int(common_pb2.RateLimit)


def _engine(version: object) -> str:
    """Return "lite" or "server" for a version text.

    Milvus Lite reports "milvus_lite-3.2.2". A version such as "v2.3.5-lite" is that of a standalone server.
    """
    text = str(version).lower()
    return "lite" if text.startswith(("milvus_lite", "milvus-lite")) else "server"


def _connected(settings: Indexing, folder: Path | None) -> tuple[LiteClient | None, MilvusClient]:
    from pymilvus import MilvusClient
    from pymilvus.exceptions import MilvusException

    if settings.uri is not None and "://" in settings.uri:
        token = os.environ.get(settings.token_variable, "")
        try:
            return None, MilvusClient(settings.uri, token=token, timeout=_CONNECT_SECONDS, grpc_options=_to_server())
        except (MilvusException, ValueError) as error:
            raise MomentIndexError(
                f"no Milvus server answers at {settings.uri!r}: {_cause(error)}. Start one there, set index.uri, or set"
                f" {settings.token_variable} if it requires a token"
            ) from error
    place = lite_folder(settings, folder)
    if place is None:
        raise MomentIndexError("the index has no location: set index.uri to a local folder or a Milvus server")
    lite = LiteClient(place, is_own=settings.uri is None, patience_seconds=settings.patience_seconds)
    return lite, lite.client


def lite_folder(settings: Indexing, folder: Path | None) -> Path | None:
    """Return the folder of Milvus Lite that the settings name, by default `folder`; None for a server."""
    if settings.uri is None:
        return folder
    return None if "://" in settings.uri else Path(settings.uri).expanduser()


def _to_server(request_seconds: float = _REQUEST_SECONDS) -> dict[str, Any]:
    """Return the options of a gRPC channel to a server, which give each request a deadline."""
    every_method = {"name": [{}], "timeout": f"{request_seconds:g}s"}
    return {**_RECONNECT, "grpc.service_config": json.dumps({"methodConfig": [every_method]})}


def _cause(error: BaseException) -> str:
    return shown(getattr(error, "message", "") or error, _MAX_CAUSE_CHARACTERS)
