"""Run a task for each video from what a library stores, in this process or on Ray."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from typing import TypeVar

from pipeline.execution.executor_choice import without_sources
from pipeline.execution.per_video.messages import Failure
from pipeline.execution.per_video.video_task import VideoTask, attempted
from pipeline.execution.prefetch import prefetched
from pipeline.execution.settings import Execution

__all__ = ["for_each_video"]

S = TypeVar("S")
T = TypeVar("T")


def for_each_video(
    task: VideoTask[S, T], video_ids: Iterable[str], settings: Execution
) -> Generator[tuple[str, T | Failure]]:
    """Run a task for each video; yield each video's id with the task's result, or why it has none.

    In this process the results come in order, and two videos are read or worked on at once. On Ray they come as they
    end; as many videos as keep its processors busy are under way. So memory is bounded by the largest videos, whatever
    their number. Closing the generator ends the work.

    Args:
        task: What is done.
        video_ids: The videos; drawn from as there is room.
        settings: Where.

    Raises:
        ExecutionError: The cluster cannot be reached or is gone.
        MomentseekError: What went wrong would go wrong for each video.
    """
    settings = without_sources(settings, otherwise="in_process").settings
    if settings.executor == "ray":
        from pipeline.execution.ray.video_tasks import on_ray

        results = on_ray(task, video_ids, settings)
    else:
        results = prefetched(_in_process(task, video_ids), ahead=1)
    with closing(results):
        for video_id, result in results:
            if isinstance(result, Failure) and result.fatal is not None:
                raise result.fatal
            yield video_id, result


def _in_process(task: VideoTask[S, T], video_ids: Iterable[str]) -> Generator[tuple[str, T | Failure]]:
    read = ((video_id, attempted(task.read, video_id, video_id)) for video_id in video_ids)
    with closing(prefetched(read, ahead=1)) as found:
        for video_id, content in found:
            yield video_id, content if isinstance(content, Failure) else attempted(task.work, content, video_id)
