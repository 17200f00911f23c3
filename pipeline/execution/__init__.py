"""Run batches of videos in this process or on Ray; Ray is imported only when a batch runs on it.

The executors, sinks and stages are imported on first use: a search needs the settings only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from pipeline.execution.settings import Execution
from pipeline.optional_packages import require

if TYPE_CHECKING:
    from pipeline.execution.executor_choice import ExecutorChoice
    from pipeline.execution.in_process import InProcessExecutor
    from pipeline.execution.ledger.sinks import LibrarySink, StoreSink
    from pipeline.execution.progress import OnProgress, ProgressEvent
    from pipeline.execution.protocol import EmbeddingSink, Executor, Stages
    from pipeline.execution.ray.encoder_actors import IdleEncoders
    from pipeline.execution.stopping import StopRequest

__all__ = [
    "EmbeddingSink",
    "Execution",
    "Executor",
    "ExecutorChoice",
    "InProcessExecutor",
    "LibrarySink",
    "OnProgress",
    "ProgressEvent",
    "Stages",
    "StopRequest",
    "StoreSink",
    "for_several_batches",
    "is_on_cluster",
    "make_executor",
]

_MODULES = {
    "EmbeddingSink": "protocol",
    "Executor": "protocol",
    "ExecutorChoice": "executor_choice",
    "InProcessExecutor": "in_process",
    "LibrarySink": "ledger.sinks",
    "OnProgress": "progress",
    "ProgressEvent": "progress",
    "Stages": "protocol",
    "StopRequest": "stopping",
    "StoreSink": "ledger.sinks",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def make_executor(
    settings: Execution,
    stages: Stages,
    *,
    on_progress: OnProgress | None = None,
    idle_encoders: IdleEncoders | None = None,
    stop: StopRequest | None = None,
) -> Executor:
    """Make the executor selected by the settings.

    Args:
        settings: The kind of executor, and its sizes. `choose_executor` resolves "auto", for which this takes Ray.
        stages: The stages that each video passes through.
        on_progress: Called in this thread while the batch runs, a few times a second at most.
        idle_encoders: From `for_several_batches`; used by Ray's executor only.
        stop: A request to end the batch, which may be made while it runs.
    """
    if settings.executor == "in_process":
        from pipeline.execution.in_process import InProcessExecutor

        return InProcessExecutor(settings, stages, on_progress=on_progress, stop=stop)
    require("execution.executor: ray", "ray")
    from pipeline.execution.ray.executor import RayExecutor

    return RayExecutor(settings, stages, on_progress=on_progress, idle_encoders=idle_encoders, stop=stop)


def is_on_cluster(settings: Execution) -> bool:
    """Whether a batch on Ray joins a running cluster instead of starting Ray on this machine."""
    return bool(settings.address or os.environ.get("RAY_ADDRESS"))


@contextmanager
def for_several_batches(settings: Execution) -> Iterator[IdleEncoders | None]:
    """Share one Ray instance, and the loaded encoders that this yields, among consecutive batches.

    `choose_executor` resolves "auto", for which this takes Ray.

    Raises:
        ExecutionError: A cluster cannot be reached, or is too small.
    """
    if settings.executor == "in_process":
        yield None
        return
    require("execution.executor: ray", "ray")
    from pipeline.execution.ray.cluster import connected

    with connected(settings):
        from pipeline.execution.ray.encoder_actors import IdleEncoders

        idle_encoders = IdleEncoders()
        try:
            yield idle_encoders
        finally:
            idle_encoders.close()
