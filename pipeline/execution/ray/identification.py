"""Identifies the content of sources in Ray tasks."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError

from pipeline.execution.per_video.messages import Failure
from pipeline.execution.ray.reader_pool import lost
from pipeline.execution.ray.remote_tasks import identified
from pipeline.execution.settings import Execution
from pipeline.io.settings import Fetching
from pipeline.types import Source
from pipeline.uris import place_of
from pipeline.video import Identity

__all__ = ["Identities"]

_MOST_PATHS = 16


@dataclass(frozen=True)
class _Asked:
    sources: Sequence[Source]
    since: float


class Identities:
    """Asks for the content ids of sources, some in a task; one that kills or stalls its task is found out alone.

    What it waits for is in `pending_references`; what of that is ready goes to `collect`.

    Args:
        settings: How often a task is tried again, and how long it may take.
        fetching: How remote ones are read.
        sources: What to identify; drawn from as there is room.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        settings: Execution,
        fetching: Fetching,
        sources: Iterator[Source],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._fetching = fetching
        self._sources = sources
        self._clock = clock
        self._has_more = True
        self._asked: dict[Any, _Asked] = {}
        self._task = ray.remote(identified).options(num_cpus=0, max_retries=settings.retries)

    def __contains__(self, reference: Any) -> bool:
        return reference in self._asked

    @property
    def pending_references(self) -> list[Any]:
        """References that something is expected of."""
        return list(self._asked)

    def submit_more(self, *, waiting: int, readers: int) -> None:
        """Ask for as many sources as keep the readers busy, where so many are identified and wait for one."""
        coming = sum(len(asked.sources) for asked in self._asked.values())
        while self._has_more and waiting + coming < max(_MOST_PATHS, readers):
            sources = list(itertools.islice(self._sources, _MOST_PATHS))
            self._has_more = len(sources) == _MOST_PATHS
            coming += len(sources)
            if sources:
                self._submit(sources)

    def collect(self, reference: Any) -> list[tuple[Source, Identity | Failure]]:
        """The sources of a task with what they are, or why nobody knows; none where they are asked again, each alone.

        Raises:
            ExecutionError: The cluster is gone.
        """
        sources = self._asked.pop(reference).sources
        try:
            return list(zip(sources, ray.get(reference), strict=True))
        except RayError as error:
            if len(sources) > 1:
                self.ask_again(sources)
                return []
            problem = lost(error, sources[0], tries=self._settings.retries + 1).problem
            return [(sources[0], Failure(problem))]

    def silent(self) -> list[tuple[Source, Failure]]:
        """End the tasks that take too long, and say which sources are to blame; others are asked again alone."""
        found = []
        limit_seconds = self._settings.stall_seconds
        for reference, asked in list(self._asked.items()):
            if self._clock() - asked.since <= limit_seconds:
                continue
            del self._asked[reference]
            ray.cancel(reference, force=True)
            if len(asked.sources) > 1:
                self.ask_again(asked.sources)
            else:
                found.append((asked.sources[0], Failure(f"it could not be read within {limit_seconds:g} s")))
        return found

    def ask_again(self, sources: Sequence[Source]) -> None:
        """Ask for these, each in a task of its own."""
        for source in sources:
            self._submit([source])

    def stop(self) -> None:
        """Ask for no more sources."""
        self._has_more = False
        self.close()

    def close(self) -> None:
        """End all tasks."""
        for reference in self._asked:
            ray.cancel(reference, force=True)
        self._asked.clear()

    def _submit(self, sources: Sequence[Source]) -> None:
        reference = self._task.remote([place_of(source.uri) for source in sources], self._fetching)
        self._asked[reference] = _Asked(sources, self._clock())
