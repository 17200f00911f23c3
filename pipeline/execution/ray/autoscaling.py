"""Make Ray's autoscaler see how many more readers and encoders a batch could use."""

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

    Readers and encoders never wait in Ray's queue, so to the autoscaler a batch seems to have all that it needs. Tasks
    of the same size that do nothing are queued instead. `ray.autoscaler.sdk.request_resources` would be simpler, but a
    cluster has only one such request, so two batches would overwrite each other's; and it survives a driver that is
    killed, so that machines would be kept, and paid for, until somebody noticed. Queued tasks add up, and disappear
    with the driver, however it ends. A task that gets a processor or a GPU, for example when a reader has just ended,
    frees it at once.

    Args:
        settings: How far the cluster may grow.
        is_enabled: Whether anything is requested at all.
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, settings: Execution, *, is_enabled: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._is_enabled = is_enabled and (settings.grow_to_videos > 0 or settings.grow_to_gpus > 0)
        self._clock = clock
        self._requested_at = float("-inf")
        # The size of a reader on any cluster of several processors.
        self._readers = _Queue(num_cpus=1)
        self._encoders = _Queue(num_cpus=0, num_gpus=settings.gpus_per_encoder)

    @property
    def max_videos(self) -> int:
        """The number of videos left above which the requests no longer change."""
        return max(self._settings.grow_to_videos, _max_encoders(self._settings)) if self._is_enabled else 0

    def request(self, *, videos_left: int, shares: Shares) -> None:
        """Request the readers and encoders that are missing, at most every two seconds.

        Args:
            videos_left: Number of videos that are being read or wait for it.
            shares: The present resources of the cluster.
        """
        if not self._is_enabled or self._clock() - self._requested_at < _INTERVAL_SECONDS:
            return
        self._requested_at = self._clock()
        self._readers.resize(readers_missing(self._settings, shares, videos_left=videos_left))
        self._encoders.resize(encoders_missing(self._settings, shares, videos_left=videos_left))

    def close(self) -> None:
        """Withdraw all requests."""
        self._readers.resize(0)
        self._encoders.resize(0)
        self._is_enabled = False


class _Queue:
    """A number of queued tasks of one size that do nothing.

    Args:
        options: The resources that each task reserves.
    """

    def __init__(self, **options: float) -> None:
        self._task = ray.remote(_nothing).options(max_retries=0, **options)
        self._pending: list[Any] = []

    def resize(self, count: int) -> None:
        """Submit or cancel tasks until `count` are queued."""
        if self._pending:
            _, self._pending = ray.wait(self._pending, num_returns=len(self._pending), timeout=0)
        for task in self._pending[count:]:
            ray.cancel(task)
        self._pending = self._pending[:count]
        self._pending += [self._task.remote() for _ in range(count - len(self._pending))]


def readers_missing(settings: Execution, shares: Shares, *, videos_left: int) -> int:
    """Return how many more videos could be read at once, as far as the settings let the cluster grow."""
    target = min(videos_left, settings.grow_to_videos, settings.videos_at_once or settings.grow_to_videos)
    return max(0, target - shares.readers)


def encoders_missing(settings: Execution, shares: Shares, *, videos_left: int) -> int:
    """Return how many more encoders on GPUs there could be, as far as the settings let the cluster grow."""
    target = min(videos_left, _max_encoders(settings))
    return max(0, target - (shares.encoders if shares.encoder_gpus else 0))


def _max_encoders(settings: Execution) -> int:
    fitting = encoders_on(settings.grow_to_gpus, settings.gpus_per_encoder)
    return min(fitting, settings.encoders or fitting)


def _nothing() -> None:
    return None
