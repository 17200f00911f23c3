"""Shows Ray's autoscaler how many more readers and encoders a batch could use."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import ray

from pipeline.execution.ray.cluster import Shares, encoders_on
from pipeline.execution.settings import Execution

__all__ = ["Demand", "encoders_missing", "readers_missing"]

_INTERVAL_SECONDS = 2.0


class Demand:
    """Requests more readers and encoders from a cluster that scales on demand.

    Readers and encoders are never queued, so the autoscaler would see a batch that has all it needs. What is queued
    instead are tasks of their size that do nothing. `ray.autoscaler.sdk.request_resources` would be shorter, but there
    is one such request for a cluster, so that each of two batches would take back what the other asked for; and it
    outlives a driver that is killed, so that the machines would be kept, and paid for, until somebody noticed. Queued
    tasks add up, and go with the driver, however that ends. One that gets a processor or a GPU, as where a reader has
    just ended, gives it back at once.

    Args:
        settings: How far the cluster may be asked to grow.
        is_shown: Whether anything is asked at all.
        clock: Seconds that only grow.
    """

    def __init__(self, settings: Execution, *, is_shown: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._is_shown = is_shown and (settings.grow_to_videos > 0 or settings.grow_to_gpus > 0)
        self._clock = clock
        self._looked = float("-inf")
        # The size that a reader has on any cluster of several processors.
        self._readers = _Queue(num_cpus=1)
        self._encoders = _Queue(num_cpus=0, num_gpus=settings.gpus_per_encoder)

    @property
    def most(self) -> int:
        """The most videos that the demand depends on."""
        return max(self._settings.grow_to_videos, _most_encoders(self._settings)) if self._is_shown else 0

    def show(self, *, videos_left: int, shares: Shares) -> None:
        """Request the readers and encoders that are missing, at most every two seconds.

        Args:
            videos_left: Videos that are being read or wait for it.
            shares: Of the cluster as it is.
        """
        if not self._is_shown or self._clock() - self._looked < _INTERVAL_SECONDS:
            return
        self._looked = self._clock()
        self._readers.fit(readers_missing(self._settings, shares, videos_left=videos_left))
        self._encoders.fit(encoders_missing(self._settings, shares, videos_left=videos_left))

    def close(self) -> None:
        """Withdraw all requests."""
        self._readers.fit(0)
        self._encoders.fit(0)
        self._is_shown = False


class _Queue:
    """Tasks of one size that wait for a place.

    Args:
        options: What each of them holds.
    """

    def __init__(self, **options: float) -> None:
        self._task = ray.remote(_nothing).options(max_retries=0, **options)
        self._waiting: list[Any] = []

    def fit(self, count: int) -> None:
        """Have so many of them."""
        if self._waiting:
            _, self._waiting = ray.wait(self._waiting, num_returns=len(self._waiting), timeout=0)
        for task in self._waiting[count:]:
            ray.cancel(task)
        self._waiting = self._waiting[:count]
        self._waiting += [self._task.remote() for _ in range(count - len(self._waiting))]


def readers_missing(settings: Execution, shares: Shares, *, videos_left: int) -> int:
    """How many more videos could be read at once, as far as the settings let the cluster grow."""
    wanted = min(videos_left, settings.grow_to_videos, settings.videos_at_once or settings.grow_to_videos)
    return max(0, wanted - shares.readers)


def encoders_missing(settings: Execution, shares: Shares, *, videos_left: int) -> int:
    """How many more encoders on GPUs there could be, as far as the settings let the cluster grow."""
    wanted = min(videos_left, _most_encoders(settings))
    return max(0, wanted - (shares.encoders if shares.encoder_gpus else 0))


def _most_encoders(settings: Execution) -> int:
    most = encoders_on(settings.grow_to_gpus, settings.gpus_per_encoder)
    return min(most, settings.encoders or most)


def _nothing() -> None:
    return None
