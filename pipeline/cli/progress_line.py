"""How far a batch is, in one line."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline.cli.json_log import say

if TYPE_CHECKING:
    from pipeline.execution import ProgressEvent

__all__ = ["PlainLines", "clock_time", "progress_line", "seconds_left", "utilisation"]

_INTERVAL_SECONDS = 30.0


def progress_line(event: ProgressEvent, *, videos: int, elapsed_seconds: float) -> str:
    """As "12/340 videos, 1 failed | 0:42:10 of video, 31.0 x real time | decoding 97 %, encoding 64 % | 0:12:30 left".

    The time gone stands before the time left.
    """
    said = f"{event.videos_ended}/{videos} videos"
    if event.videos_failed:
        said += f", {event.videos_failed} failed"
    said += f" | {clock_time(event.seconds_decoded)} of video"
    if event.seconds_decoded and elapsed_seconds > 0:
        said += f", {event.seconds_decoded / elapsed_seconds:.1f} x real time"
    if event.active:
        said += f" | {utilisation(event)}"
    left = seconds_left(event, videos=videos, elapsed_seconds=elapsed_seconds)
    return f"{said} | {clock_time(elapsed_seconds)} gone" + ("" if left is None else f", {clock_time(left)} left")


def utilisation(event: ProgressEvent) -> str:
    """As "decoding 97 %, encoding 64 %": the shares of the workers' time, lately."""
    return f"decoding {event.readers_busy:.0%}, encoding {event.encoders_busy:.0%}".replace("%", " %")


def seconds_left(event: ProgressEvent, *, videos: int, elapsed_seconds: float) -> float | None:
    """Estimate the seconds left from the videos worked on so far; None before there is an estimate."""
    from pipeline.execution.work_left import seconds_left as left_of_work

    if event.work is not None:
        return left_of_work(event, videos)
    # An earlier version has told it.
    worked = event.videos_ended - event.videos_skipped + event.active_share
    left = videos - event.videos_ended - event.active_share
    if worked <= 0 or left <= 0:
        return None
    return elapsed_seconds * left / worked


def clock_time(seconds: float) -> str:
    """As "0:42:10", rounded to seconds."""
    minutes, whole = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{whole:02d}"


class PlainLines:
    """Says on standard error every half minute how far a batch is, for logs and pipes.

    Args:
        videos: How many there are.
        clock: Seconds that only grow.

    Attributes:
        videos: How many there are, once that is known better.
    """

    def __init__(self, videos: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.videos = videos
        self._clock = clock
        self._started = self._told = clock()
        self._unsaid: tuple[ProgressEvent, float] | None = None

    def update(self, event: ProgressEvent, *, elapsed_seconds: float | None = None) -> None:
        """Say how far the batch is, unless that was said a moment ago.

        Args:
            event: What is known.
            elapsed_seconds: Since the batch began; None where it began when this was made.
        """
        now = self._clock()
        self._unsaid = event, now - self._started if elapsed_seconds is None else elapsed_seconds
        if now - self._told >= _INTERVAL_SECONDS:
            self.close()

    def close(self) -> None:
        """Say how far the batch came, unless that was said."""
        if self._unsaid is None:
            return
        event, elapsed = self._unsaid
        self._unsaid, self._told = None, self._clock()
        say(progress_line(event, videos=self.videos, elapsed_seconds=elapsed))
