"""Starts, finds and stops the server's batches, one at a time."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import OrderedDict
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

import anyio.to_thread
from fastapi import Depends, Request

from pipeline.errors import MomentseekError
from pipeline.run_id import new_run_id
from pipeline.serve.batches.batch_order import BatchOrder
from pipeline.serve.batches.batch_process import BatchProcess
from pipeline.serve.http.problems import ProblemError
from pipeline.serve.served_library import ServedLibrary

__all__ = ["BatchDesk", "Batches"]

_log = logging.getLogger(__name__)
_MOST_KEPT = 20


class BatchDesk:
    """The batches of a server. One runs at a time, since a single batch uses the whole machine.

    Args:
        served: The served library; it takes note of what a batch has indexed.
    """

    def __init__(self, served: ServedLibrary) -> None:
        self._served = served
        self._batches: OrderedDict[str, BatchProcess] = OrderedDict()
        self._lock = threading.Lock()
        self._is_closed = False

    async def start(self, order: BatchOrder) -> BatchProcess:
        """Start a batch.

        Args:
            order: What to index, and for whom.

        Raises:
            ProblemError: A batch is running, or the client may not ask for this one.
            MomentseekError: The sources or the settings are invalid.
        """
        self._check_free()
        order.check_permitted()
        library, allowed = self._served.library, self._served.settings.source_folders
        sources = await anyio.to_thread.run_sync(lambda: order.sources(library, allowed))
        config = await anyio.to_thread.run_sync(order.config, library.config)
        folder = None if order.folder is None else Path(order.folder)
        loop = asyncio.get_running_loop()

        def on_over() -> None:
            if not loop.is_closed():
                asyncio.run_coroutine_threadsafe(self._renew(), loop)

        with self._lock:
            self._check_free()
            run_id = library.runs().free_id(new_run_id())
            batch = BatchProcess(run_id, config, sources, on_over, folder=folder)
            self._batches[batch.run_id] = batch
            while len(self._batches) > _MOST_KEPT:
                self._batches.popitem(last=False)
        return batch

    def find(self, run_id: str) -> BatchProcess | None:
        """Return a batch that this server started; None for other runs."""
        return self._batches.get(run_id)

    def all(self) -> list[BatchProcess]:
        """Return the latest batches that this server started, in order."""
        return list(self._batches.values())

    def begin_stop(self) -> None:
        """Ask the batch that is running to stop, and start no further one."""
        with self._lock:
            self._is_closed = True
        for batch in self.all():
            if not batch.is_over:
                batch.stop()

    def close(self) -> None:
        """Stop the batch that is running, and wait for its end."""
        self.begin_stop()
        for batch in self.all():
            if not batch.is_over:
                batch.close()

    def _check_free(self) -> None:
        if self._is_closed:
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "busy", "the server is stopping")
        for batch in self.all():
            if not batch.is_over:
                detail = f"the batch {batch.run_id} is running; wait for its end, or stop it"
                raise ProblemError(HTTPStatus.CONFLICT, "run_active", detail)

    async def _renew(self) -> None:
        """Let questions find what a batch has indexed."""
        try:
            await self._served.desk.call(lambda library: library.renew())
        except (MomentseekError, ProblemError) as error:
            _log.warning("the library was not read again: %s", error)
        await self._served.warm_up()


def _batches(request: Request) -> BatchDesk:
    found: BatchDesk = request.app.state.batches
    return found


Batches = Annotated[BatchDesk, Depends(_batches)]
"""The batches of the server, as a parameter of a route."""
