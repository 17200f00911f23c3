"""Connection to Milvus: retries passing errors and reports others at once."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pipeline.errors import IndexDamagedError, MomentIndexError
from pipeline.index.milvus.lite.folder import silence
from pipeline.index.milvus.lite.open_folders import LiteReference, open_reference
from pipeline.index.quoted_text import no_space, shown
from pipeline.index.settings import Indexing

if TYPE_CHECKING:
    from pymilvus import MilvusClient

__all__ = ["MilvusConnection", "is_gone", "is_passing"]

T = TypeVar("T")

_log = logging.getLogger(__name__)

# pymilvus would repeat a request 75 times in silence, some minutes long.
_ONCE = {"retry_times": 0}
# The methods of pymilvus's client that make no request.
_LOCAL = frozenset({"close", "prepare_index_params"})
# pymilvus would wait for ever until a collection is loaded.
_LOAD_SECONDS = 20.0
_CONNECT_SECONDS = 10.0
_MOST_CAUSE = 1000
_REBUILD = "if its files are damaged, this makes it anew: momentseek index rebuild"
# gRPC closes a connection that was idle for half an hour and opens another one later; by then, a program that tidies
# temporary folders may have removed the socket.
_ONE_CONNECTION = {"grpc.client_idle_timeout_ms": 2**31 - 1}
# A server that dies or hangs is noticed by gRPC's keepalive, which pymilvus switches on; one that lives and does not
# answer, by the deadline of each request. gRPC by itself would wait up to two minutes before it connects again.
_REQUEST_SECONDS = 60.0
_RECONNECT = {
    "grpc.initial_reconnect_backoff_ms": 500,
    "grpc.min_reconnect_backoff_ms": 5000,
    "grpc.max_reconnect_backoff_ms": 5000,
}
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0

# Milvus's merr numbers (pkg/util/merr/errors.go): service not ready, unavailable, out of memory, too many requests,
# rate limits, time tick delay; collection, partition or segment not (fully) loaded; replica, channel, segment or node
# that is not there now, as while a server starts or moves data.
_PASSING = frozenset({1, 2, 3, 4, 8, 9, 11, 101, 103, 201, 202, 401, 500, 501, 503, 600, 601, 602, 901, 902, 904})
_GONE = 100
_PASSING_STATUS = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "ABORTED"})
# Older servers give all of these one number, 65535.
_PASSING_WORDS = (
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
_LASTING_WORDS = ("larger than max", "exceeds the maximum", "illegal connection params:")


class MilvusConnection:
    """One client of one Milvus: a server, or Lite in a folder that this process holds until its last client closes.

    Attributes:
        place: The server's URI or the folder, for people.
        is_lite: Whether Milvus Lite answers there, in a folder or behind `milvus-lite server`.

    Args:
        settings: Where it is, and how long to wait for it.
        folder: Folder of Milvus Lite where the settings name no place.

    Raises:
        IndexLockedError: Another process holds the folder.
        MomentIndexError: There is no place, no server answers there, or it cannot be opened. Nothing is waited for
            here: an address that never answered is more often wrong than away.
    """

    def __init__(self, settings: Indexing, folder: Path | None) -> None:
        silence()
        self._patience_seconds = settings.patience_seconds
        self._closed = False
        self._folder, self._client = _connected(settings, folder)
        self.place = settings.uri or str(folder)
        try:
            self.is_lite = "lite" in _engine(self.ask("open", lambda client: client.get_server_version()))
        except BaseException:
            self.close()
            raise

    @property
    def is_in_folder(self) -> bool:
        """Whether no other process can use this Milvus."""
        return self._folder is not None

    @property
    def is_exclusive(self) -> bool:
        """Whether no other index, of this process or another, can use this Milvus."""
        return self._folder is not None and self._folder.is_alone

    def broken(self, problem: str) -> MomentIndexError:
        """Make the error for rows that are not as momentseek writes them."""
        said = f"the index in {self.place!r} is broken: {problem}; to make it anew: momentseek index rebuild"
        is_own = self._folder is not None and self._folder.is_own
        return IndexDamagedError(said) if is_own else MomentIndexError(said)

    @property
    def uri(self) -> str:
        """The address of Milvus for this process."""
        return self._folder.uri if self._folder is not None else self.place

    def ask(self, what: str, request: Callable[[MilvusClient], T]) -> T:
        """Make an idempotent request, and retry with back-off while Milvus is away or refuses temporarily.

        Args:
            what: What it does to the index, for the message: "open", "read", "search" or "write to".
            request: Given the client.

        Raises:
            MomentIndexError: Milvus refused it, was away for longer than `index.patience_seconds`, or lies in a folder
                that is read-only.
        """
        from grpc import RpcError
        from pymilvus.exceptions import MilvusException

        if what == "write to" and self._folder is not None and self._folder.is_read_only:
            raise MomentIndexError(
                f"the index in {self.place!r} cannot be written to: it is read-only for this user; mount it writable or"
                " change its permissions"
            )
        started, pause = time.monotonic(), _FIRST_PAUSE_SECONDS
        while True:
            if self._closed:
                raise MomentIndexError(f"the index in {self.place!r} is closed; open it again")
            try:
                answer = request(cast("MilvusClient", _OneRequest(self._client)))
            except (MilvusException, RpcError) as error:
                if self._folder is not None and (refusal := self._folder.refusal) is not None:
                    raise refusal  # noqa: B904 - it names its own cause
                waited = time.monotonic() - started
                if not is_passing(error) or waited + pause > self._patience_seconds:
                    raise MomentIndexError(self._refusal(what, error, waited)) from error
                if pause == _FIRST_PAUSE_SECONDS:
                    said = f"cannot {what} the index in {self.place!r} now: {_cause(error)}"
                    _log.warning("%s; trying again for %.0f s", said, self._patience_seconds)
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as error:
                # pymilvus stumbles over what it reads, as metadata that is no JSON.
                if what == "write to":
                    raise
                raise self.broken(f"{type(error).__name__}: {_cause(error)}") from error
            else:
                if pause > _FIRST_PAUSE_SECONDS:
                    _log.warning("the index in %r answers again, after %.1f s", self.place, time.monotonic() - started)
                return answer

    def close(self) -> None:
        """Close the connection; closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        self._client.close()
        if self._folder is not None:
            self._folder.close()

    def _refusal(self, what: str, error: Exception, waited: float) -> str:
        if full := no_space(error):
            return f"cannot {what} the index in {self.place!r}: {full}"
        said = f"cannot {what} the index in {self.place!r}: {_cause(error)}"
        if not is_passing(error):
            return said if self._folder is None or what == "write to" else f"{said}; {_REBUILD}"
        ways = "see to the server and run this again, or raise index.patience_seconds"
        return f"{said}; waited {waited:.0f} s for it to pass ({ways})"


class _OneRequest:
    """A client that makes each request once and for a limited time; `MilvusConnection.ask` repeats what may pass."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if name in _LOCAL:
            return method
        if name == "load_collection":
            return partial(method, timeout=_LOAD_SECONDS)
        return partial(method, **_ONCE)


def is_passing(error: BaseException) -> bool:
    """Whether an error of Milvus or gRPC is temporary: it is away, starting, loading or overloaded."""
    said = str(getattr(error, "message", "") or error).lower()
    if any(words in said for words in _LASTING_WORDS) or no_space(error):
        return False
    code = getattr(error, "code", None)
    code = code() if callable(code) else code
    if getattr(code, "name", "") in _PASSING_STATUS or getattr(error, "compatible_code", None) == _rate_limit():
        return True
    if isinstance(code, int) and code in _PASSING:
        # Lite says 1 for everything.
        return code != 1 or any(words in said for words in _PASSING_WORDS)
    return code != _GONE and any(words in said for words in _PASSING_WORDS)


def is_gone(error: BaseException) -> bool:
    """Whether an error of Milvus means that the collection does not exist."""
    return getattr(error, "code", None) == _GONE


def _rate_limit() -> int:
    from pymilvus.grpc_gen import common_pb2

    return int(common_pb2.RateLimit)


def _engine(version: object) -> str:
    """Lite calls itself "milvus_lite-3.2.2"; a server that was built for one machine may say "v2.3.5-lite"."""
    text = str(version).lower()
    return "lite" if text.startswith(("milvus_lite", "milvus-lite")) else "server"


def _connected(settings: Indexing, folder: Path | None) -> tuple[LiteReference | None, MilvusClient]:
    from pymilvus import MilvusClient
    from pymilvus.exceptions import MilvusException

    if settings.uri is not None and "://" in settings.uri:
        token = os.environ.get(settings.token_variable, "")
        try:
            return None, MilvusClient(settings.uri, token=token, timeout=_CONNECT_SECONDS, grpc_options=_to_server())
        except (MilvusException, ValueError) as error:
            raise MomentIndexError(
                f"no Milvus server answers at {settings.uri!r}: {_cause(error)}. Start one there, set index.uri, or set"
                f" {settings.token_variable} where it wants a token"
            ) from error
    place = Path(settings.uri).expanduser() if settings.uri is not None else folder
    if place is None:
        raise MomentIndexError("there is no place for the index: set index.uri to a local folder or a Milvus server")
    lite = open_reference(place, is_own=settings.uri is None)
    try:
        return lite, MilvusClient(lite.uri, timeout=_CONNECT_SECONDS, grpc_options=_ONE_CONNECTION)
    except BaseException as error:
        with suppress(OSError):
            lite.close()
        if isinstance(error, MilvusException):
            cause = no_space(error) or _cause(error)
            raise MomentIndexError(f"the index in {str(place)!r} cannot be opened: {cause}") from error
        raise


def _to_server(request_seconds: float = _REQUEST_SECONDS) -> dict[str, Any]:
    """Options of a gRPC channel to a server; each request has a deadline."""
    every_method = {"name": [{}], "timeout": f"{request_seconds:g}s"}
    return {**_RECONNECT, "grpc.service_config": json.dumps({"methodConfig": [every_method]})}


def _cause(error: BaseException) -> str:
    return shown(getattr(error, "message", "") or error, _MOST_CAUSE)
