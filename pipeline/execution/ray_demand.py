"""What a batch could use beside what it has, as Ray's autoscaler sees it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import ray

from pipeline.execution.settings import Execution

__all__ = ["Demand", "readers_missing"]

_INTERVAL_SECONDS = 2.0


class Demand:
    """Shows a cluster that grows by demand how many more videos could be read at once.

    Readers are never queued, so the autoscaler would see a batch that has all it needs. What is queued instead are
    tasks of a reader's size that do nothing. `ray.autoscaler.sdk.request_resources` would be shorter, but there is one
    such request for a cluster, so that each of two batches would take back what the other asked for; and it outlives a
    driver that is killed, so that the machines would be kept, and paid for, until somebody noticed. Queued tasks add
    up, and go with the driver, however that ends. One that gets a processor, as where a reader has just ended, gives it
    back at once.

    Args:
        settings: How far the cluster may be asked to grow.
        is_shown: Whether anything is asked at all.
        clock: Seconds that only grow.
    """

    def __init__(self, settings: Execution, *, is_shown: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._is_shown = is_shown and settings.grow_to_videos > 0
        self._clock = clock
        self._looked = float("-inf")
        self._queued: list[Any] = []
        # The size that a reader has on any cluster of several processors.
        self._task = ray.remote(_nothing).options(num_cpus=1, max_retries=0)

    @property
    def most(self) -> int:
        """Videos that have to be known so that the demand can be told."""
        return self._settings.grow_to_videos if self._is_shown else 0

    def show(self, *, videos_left: int, readers: int) -> None:
        """Ask for what is missing now, at most every two seconds.

        Args:
            videos_left: Videos that are being read or wait for it.
            readers: How many can be read at once on the cluster as it is.
        """
        if not self._is_shown or self._clock() - self._looked < _INTERVAL_SECONDS:
            return
        self._looked = self._clock()
        if self._queued:
            _, self._queued = ray.wait(self._queued, num_returns=len(self._queued), timeout=0)
        missing = readers_missing(self._settings, videos_left=videos_left, readers=readers)
        self._cancel(self._queued[missing:])
        self._queued = self._queued[:missing]
        self._queued += [self._task.remote() for _ in range(missing - len(self._queued))]

    def close(self) -> None:
        """Ask for nothing any more."""
        self._cancel(self._queued)
        self._queued = []
        self._is_shown = False

    def _cancel(self, tasks: list[Any]) -> None:
        for task in tasks:
            ray.cancel(task)


def readers_missing(settings: Execution, *, videos_left: int, readers: int) -> int:
    """How many more videos could be read at once, as far as the settings let the cluster grow."""
    wanted = min(videos_left, settings.grow_to_videos, settings.videos_at_once or settings.grow_to_videos)
    return max(0, wanted - readers)


def _nothing() -> None:
    return None
