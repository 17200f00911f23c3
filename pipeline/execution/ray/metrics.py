"""Publish a batch's metrics through Ray's Prometheus endpoint, from the driver alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import ray
from ray.util.metrics import Counter, Gauge

from pipeline.execution.progress import OnProgress, ProgressEvent
from pipeline.run_id import current_run_id

__all__ = ["RunMetrics", "published"]

_INTERVAL_SECONDS = 1.0
_STAGES = ("decode", "wait", "load", "encode", "store", "index")


class RunMetrics:
    """Counters and gauges of a run; Prometheus shows them as `ray_momentseek_...`, counters with the suffix `_total`.

    Args:
        run_id: The value of the tag `run` of all metrics.
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, run_id: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._run = {"run": run_id}
        self._clock = clock
        self._published_at = float("-inf")
        self._counted: dict[tuple[str, str], float] = {}
        self._latest: ProgressEvent | None = None
        run, stage = ("run",), ("run", "stage")
        self._videos = Counter("momentseek_videos", "Sources that have ended, by status.", ("run", "status"))
        self._seconds = Counter("momentseek_video_seconds", "Seconds of video decoded.", run)
        self._frames = Counter("momentseek_frames_sampled", "Frames handed to the encoder.", run)
        self._stages = Counter("momentseek_stage_seconds", "Work of a stage, added up over its workers.", stage)
        self._busy = Gauge("momentseek_busy_share", "Recent share of time in which a stage worked.", stage)
        self._active = Gauge("momentseek_videos_active", "Videos being worked on.", run)
        self._waiting = Gauge("momentseek_frames_waiting", "Frames that wait for an encoder.", run)

    def update(self, event: ProgressEvent) -> None:
        """Publish the progress of the batch, at most once a second."""
        self._latest = event
        if self._clock() - self._published_at >= _INTERVAL_SECONDS:
            self._publish(event)

    def close(self) -> None:
        """Publish the last progress, and reset the gauges."""
        if self._latest is not None:
            self._publish(self._latest)
        for gauge in (self._active, self._waiting):
            gauge.set(0, self._run)
        for stage in ("decode", "encode"):
            self._busy.set(0, {**self._run, "stage": stage})

    def _publish(self, event: ProgressEvent) -> None:
        self._published_at = self._clock()
        worked = event.videos_ended - event.videos_failed - event.videos_skipped
        for status, count in (("indexed", worked), ("skipped", event.videos_skipped), ("failed", event.videos_failed)):
            self._count(self._videos, count, status=status)
        self._count(self._seconds, event.seconds_decoded)
        self._count(self._frames, event.frames_sampled)
        for stage in _STAGES:
            self._count(self._stages, getattr(event.stages, stage), stage=stage)
        for stage, share in (("decode", event.readers_busy), ("encode", event.encoders_busy)):
            self._busy.set(share, {**self._run, "stage": stage})
        self._active.set(len(event.active), self._run)
        self._waiting.set(event.frames_waiting, self._run)

    def _count(self, counter: Counter, total: float, **tags: str) -> None:
        """Increase a counter to a total; Ray's counters only take increments."""
        key = (counter.info["name"], "".join(tags.values()))
        more = total - self._counted.get(key, 0.0)
        if more > 0:
            counter.inc(more, {**self._run, **tags})
            self._counted[key] = total


@contextmanager
def published(on_progress: OnProgress | None) -> Iterator[OnProgress]:
    """Yield a function that passes progress events on to `on_progress` and to Ray's metrics."""
    metrics = RunMetrics(current_run_id() or "unnamed")

    def publish(event: ProgressEvent) -> None:
        metrics.update(event)
        if on_progress is not None:
            on_progress(event)

    try:
        yield publish
    finally:
        # Ray may have been shut down by an interrupt.
        if ray.is_initialized():
            metrics.close()
