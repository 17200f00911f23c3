"""Identify the content of sources in Ray tasks."""

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
from pipeline.uris import is_remote, place_of
from pipeline.video import Identity

__all__ = ["Identities"]

_SOURCES_PER_TASK = 16


@dataclass(frozen=True)
class _Task:
    sources: Sequence[Source]
    submitted_at: float


class Identities:
    """Computes the content ids of sources, several in a task; if a task dies or stalls, its sources are retried alone.

    Results are awaited on `pending_references`; each one that is ready is passed to `collect`.

    Args:
        settings: How often a task is retried, and how long it may take.
        fetching: Settings for reading remote sources.
        sources: The sources to identify, which are read lazily.
        clock: A monotonic clock, in seconds.
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
        self._tasks: dict[Any, _Task] = {}
        self._task = ray.remote(identified).options(num_cpus=0, max_retries=settings.retries)

    def __contains__(self, reference: Any) -> bool:
        return reference in self._tasks

    @property
    def pending_references(self) -> list[Any]:
        """The references of results that have not been collected."""
        return list(self._tasks)

    def first_here(self) -> Iterator[tuple[Source, Identity | Failure]]:
        """Identify the first source in this process if it is local, before a task's process has started.

        It may be the first video that needs the model, which is then loaded that much sooner.
        """
        for source in itertools.islice(self._sources, 1):
            if is_remote(source.uri):
                self._sources = itertools.chain([source], self._sources)
            else:
                yield source, identified([place_of(source.uri)], self._fetching)[0]

    def submit_more(self, *, waiting: int, readers: int) -> None:
        """Submit enough sources to keep the readers busy, given the number of identified videos that wait for one."""
        coming = sum(len(task.sources) for task in self._tasks.values())
        while self._has_more and waiting + coming < max(_SOURCES_PER_TASK, readers):
            sources = list(itertools.islice(self._sources, _SOURCES_PER_TASK))
            self._has_more = len(sources) == _SOURCES_PER_TASK
            coming += len(sources)
            if sources:
                self._submit(sources)

    def collect(self, reference: Any) -> list[tuple[Source, Identity | Failure]]:
        """Return the sources of a task with their identities or failures; none if each is submitted again alone.

        Raises:
            ExecutionError: The cluster is gone.
        """
        sources = self._tasks.pop(reference).sources
        try:
            return list(zip(sources, ray.get(reference), strict=True))
        except RayError as error:
            if len(sources) > 1:
                self.resubmit(sources)
                return []
            problem = lost(error, sources[0], tries=self._settings.retries + 1).problem
            return [(sources[0], Failure(problem))]

    def stalled(self) -> list[tuple[Source, Failure]]:
        """End the tasks that take too long; return the failures of single sources, and retry the others alone."""
        failed = []
        limit_seconds = self._settings.stall_seconds
        for reference, task in list(self._tasks.items()):
            if self._clock() - task.submitted_at <= limit_seconds:
                continue
            del self._tasks[reference]
            ray.cancel(reference, force=True)
            if len(task.sources) > 1:
                self.resubmit(task.sources)
            else:
                failed.append((task.sources[0], Failure(f"it could not be read within {limit_seconds:g} s")))
        return failed

    def resubmit(self, sources: Sequence[Source]) -> None:
        """Submit sources again, each in a task of its own."""
        for source in sources:
            self._submit([source])

    def stop(self) -> None:
        """Submit no more sources, and end all tasks."""
        self._has_more = False
        self.close()

    def close(self) -> None:
        """End all tasks."""
        for reference in self._tasks:
            ray.cancel(reference, force=True)
        self._tasks.clear()

    def _submit(self, sources: Sequence[Source]) -> None:
        reference = self._task.remote([place_of(source.uri) for source in sources], self._fetching)
        self._tasks[reference] = _Task(sources, self._clock())
