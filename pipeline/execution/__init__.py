"""How a batch is run; Ray is imported when a batch runs on it, not with this package."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from pipeline.execution.in_process import InProcessExecutor
from pipeline.execution.progress import OnProgress, ProgressEvent
from pipeline.execution.protocol import Executor
from pipeline.execution.settings import Execution
from pipeline.execution.stages import Stages

__all__ = [
    "Execution",
    "Executor",
    "InProcessExecutor",
    "OnProgress",
    "ProgressEvent",
    "Stages",
    "for_several_batches",
    "make_executor",
]


def make_executor(settings: Execution, stages: Stages, *, on_progress: OnProgress | None = None) -> Executor:
    """The executor that the settings name.

    Args:
        settings: Which, and its sizes.
        stages: What the videos go through.
        on_progress: Called in this thread while the batch runs, some times a second at most.
    """
    if settings.executor == "in_process":
        return InProcessExecutor(settings, stages, on_progress=on_progress)
    from pipeline.execution.ray_executor import RayExecutor

    return RayExecutor(settings, stages, on_progress=on_progress)


def for_several_batches(settings: Execution) -> AbstractContextManager[object]:
    """Batches within it share one Ray, which is started or joined once, and left at the end.

    Raises:
        ExecutionError: A cluster cannot be reached, or is too small.
    """
    if settings.executor == "in_process":
        return nullcontext()
    from pipeline.execution.ray_cluster import connected

    return connected(settings)
