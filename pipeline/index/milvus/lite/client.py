"""Client of a Milvus Lite folder that reconnects when the process that holds the folder ends."""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import MomentIndexError
from pipeline.index.milvus.lite.shared_folders import LiteReference, open_reference, unanswered
from pipeline.index.quoted_text import no_space, shown

if TYPE_CHECKING:
    from pymilvus import MilvusClient

__all__ = ["LiteClient"]

_CONNECT_SECONDS = 10.0
_PAUSE_SECONDS = 0.1
_MAX_CAUSE_CHARACTERS = 1000
# By default, gRPC closes an idle connection after half an hour and reconnects at the next request. By then, a program
# that cleans up temporary folders may have removed the socket.
_ONE_CONNECTION: dict[str, Any] = {"grpc.client_idle_timeout_ms": 2**31 - 1}
# Opening a collection can take 47 s after a process was killed.
_REQUEST_SECONDS = 60.0


class LiteClient:
    """A client of a folder that this process or another one holds.

    Attributes:
        client: The current client; replaced by `renew`.
        reference: The current reference to the folder.

    Args:
        folder: The folder; created if it does not exist.
        is_own: Whether it is the library's own folder.
        patience_seconds: How long to wait for a process that is opening or closing the folder.

    Raises:
        IndexLockedError: Another process has the folder open, and does not share it or does not respond.
        MomentIndexError: The folder cannot be opened.
    """

    def __init__(self, folder: Path, *, is_own: bool, patience_seconds: float) -> None:
        self.is_own = is_own
        self._folder = folder
        self._patience_seconds = patience_seconds
        self._renewing = threading.Lock()
        self._process = os.getpid()
        self._former: MilvusClient | None = None
        self.reference, self.client = self._opened()

    @property
    def is_of_parent(self) -> bool:
        """Whether this process was forked since the client was made; gRPC's threads exist only in the parent."""
        return os.getpid() != self._process

    def is_former(self, client: MilvusClient) -> bool:
        """Whether a client is the one replaced last, or the one being replaced, which may already be closed."""
        return client is self._former

    def renew(self, failed: MilvusClient) -> MilvusClient:
        """Replace a client whose request failed: join the process that now holds the folder, or hold the folder.

        Args:
            failed: The client; if another thread has already replaced it, nothing happens.

        Returns:
            The new client.

        Raises:
            IndexLockedError: Another process has the folder open, and does not share it or does not respond.
            MomentIndexError: The folder cannot be opened.
        """
        if self.is_of_parent:
            # The parent's threads may have held the lock.
            self._renewing = threading.Lock()
        with self._renewing:
            if self.client is not failed:
                return self.client
            self._former = failed
            if not self.is_of_parent:
                with suppress(Exception):
                    failed.close()
            self.reference.close()
            self.reference, self.client = self._opened()
            self._process = os.getpid()
            return self.client

    def close(self) -> None:
        """Close the client, and the folder if this process has no other reference to it."""
        if not self.is_of_parent:
            self.client.close()
        self.reference.close()

    def _opened(self) -> tuple[LiteReference, MilvusClient]:
        from pymilvus import MilvusClient
        from pymilvus.exceptions import MilvusException

        started = time.monotonic()
        while True:
            waits = max(self._patience_seconds - (time.monotonic() - started), 0.0)
            lite = open_reference(self._folder, is_own=self.is_own, patience_seconds=waits)
            options = _to_other_process() if lite.is_joined else _ONE_CONNECTION
            try:
                return lite, MilvusClient(lite.uri, timeout=_CONNECT_SECONDS, grpc_options=options)
            except BaseException as error:
                with suppress(OSError):
                    lite.close()
                if not isinstance(error, MilvusException):
                    raise
                if lite.holder is not None:
                    if time.monotonic() - started > self._patience_seconds:
                        raise unanswered(self._folder, lite.holder) from error
                    # The holder may have ended in the meantime.
                    time.sleep(_PAUSE_SECONDS)
                    continue
                cause = no_space(error) or shown(error.message or error, _MAX_CAUSE_CHARACTERS)
                raise MomentIndexError(f"the index in {str(self._folder)!r} cannot be opened: {cause}") from error


def _to_other_process() -> dict[str, Any]:
    from pipeline.index.milvus.lite.requests import GUEST_AGENT

    every_method = {"name": [{}], "timeout": f"{_REQUEST_SECONDS:g}s"}
    return {
        **_ONE_CONNECTION,
        "grpc.primary_user_agent": GUEST_AGENT,
        "grpc.service_config": json.dumps({"methodConfig": [every_method]}),
    }
