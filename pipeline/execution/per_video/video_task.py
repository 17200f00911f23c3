"""A task on what a library stores of one video, in two steps, with errors as values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from pipeline.execution.per_video.messages import Failure, failure_of

__all__ = ["VideoTask", "attempted", "done"]

S = TypeVar("S")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class VideoTask(Protocol[S, T_co]):
    """A task in two steps, so that one video is read while another is worked on; it pickles."""

    def read(self, video_id: str) -> S:
        """Read what the work needs."""

    def work(self, read: S) -> T_co:
        """Do the work."""


def done(task: VideoTask[S, T], video_id: str) -> T | Failure:
    """Do both steps of a task."""
    content = attempted(task.read, video_id, video_id)
    return content if isinstance(content, Failure) else attempted(task.work, content, video_id)


def attempted(step: Callable[[S], T], given: S, video_id: str) -> T | Failure:
    """Do one step; an error is returned as a value."""
    try:
        return step(given)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong with one video is its own
        return failure_of(error, video_id)
