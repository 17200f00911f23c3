"""Runs a task for each video on Ray's workers."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from pipeline.execution.per_video.messages import Failure, Lost
from pipeline.execution.per_video.video_task import VideoTask, done
from pipeline.execution.ray.cluster import connected
from pipeline.execution.settings import Execution
from pipeline.types import Source

__all__ = ["on_ray"]

S = TypeVar("S")
T = TypeVar("T")

_TICK_SECONDS = 0.5
# Tasks a processor: one runs, and the next one's arguments are there when it ends.
_TASKS_A_CPU = 2


def on_ray(task: VideoTask[S, T], video_ids: Iterable[str], settings: Execution) -> Generator[tuple[str, T | Failure]]:
    """Run a task for each video on Ray; yield results as they come.

    A task whose process dies is tried again `settings.retries` times; then its video fails, and the others go on.

    Args:
        task: What is done; it is sent to each worker once.
        video_ids: The videos; drawn from as there is room.
        settings: The cluster, or that one is started on this machine.

    Raises:
        ExecutionError: The cluster cannot be reached or started, or is gone.
    """
    with connected(settings):
        yield from _results(task, iter(video_ids), settings)


def _results(task: VideoTask[S, T], video_ids: Iterator[str], settings: Execution) -> Iterator[tuple[str, T | Failure]]:
    import ray

    sent = ray.put(task)
    remote = ray.remote(done)
    pending: dict[Any, str] = {}
    try:
        while True:
            # Machines may have joined or left.
            cpus = ray.cluster_resources().get("CPU", 1.0)
            options = {"num_cpus": min(1.0, cpus), "max_retries": settings.retries}
            for video_id in islice(video_ids, max(0, _TASKS_A_CPU * max(1, int(cpus)) - len(pending))):
                pending[remote.options(**options).remote(sent, video_id)] = video_id
            if not pending:
                return
            ready, _ = ray.wait(list(pending), num_returns=1, timeout=_TICK_SECONDS)
            for reference in ready:
                yield _collected(reference, pending.pop(reference), settings)
    finally:
        for reference in pending:
            ray.cancel(reference, force=True)


def _collected(reference: Any, video_id: str, settings: Execution) -> tuple[str, Any]:
    import ray
    from ray.exceptions import RayError

    from pipeline.execution.ray.reader_pool import lost

    try:
        return video_id, ray.get(reference)
    except RayError as error:
        found = lost(error, Source(video_id), tries=settings.retries + 1)
        return video_id, Failure(found.problem) if isinstance(found, Lost) else found
