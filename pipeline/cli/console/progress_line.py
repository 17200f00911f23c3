"""Format the progress of a batch as one line."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline.cli.console.json_log import say

if TYPE_CHECKING:
    from pipeline.execution import ProgressEvent

__all__ = ["PlainLines", "clock_time", "progress_line", "seconds_left", "utilisation"]

_INTERVAL_SECONDS = 30.0
_REPEAT_SECONDS = 1.0


def progress_line(event: ProgressEvent, *, videos: int, elapsed_seconds: float) -> str:
    """As "12/340 videos, 1 failed | 0:42:10 of video, 31.0 x real time | decoding 97 %, encoding 64 % | 0:12:30 left".

    The time gone stands before the time left.
    """
    said = f"{event.videos_ended}/{videos} videos"
    if event.videos_failed:
        said += f", {event.videos_failed} failed"
    if event.phase:
        said += f" | {event.phase}"
    if event.seconds_decoded or not event.phase:
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
    from pipeline.execution.time_left import seconds_left as left_of_work

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
    """Says on standard error every half minute how far a batch is, for logs and pipes; phases of its start at once.

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
        self._latest: tuple[ProgressEvent, float, float] | None = None
        self._is_said = True
        self._phase = ""
        self._books = threading.RLock()
        self._is_over = threading.Event()

    def repeat(self) -> None:
        """Say every half minute how long the batch has been starting, while nothing is heard of it."""
        threading.Thread(target=self._repeat, name="progress-lines", daemon=True).start()

    def update(self, event: ProgressEvent, *, elapsed_seconds: float | None = None) -> None:
        """Say how far the batch is, unless that was said a moment ago.

        Args:
            event: What is known.
            elapsed_seconds: Since the batch began; None where it began when this was made.
        """
        with self._books:
            now = self._clock()
            self._latest = event, now - self._started if elapsed_seconds is None else elapsed_seconds, now
            self._is_said = False
            is_news = event.phase not in ("", self._phase)
            self._phase = event.phase
            if is_news or now - self._told >= _INTERVAL_SECONDS:
                self._say()

    def close(self) -> None:
        """Say how far the batch came, unless that was said."""
        self._is_over.set()
        with self._books:
            if not self._is_said:
                self._say()

    def say_again(self) -> None:
        """Say again how long a phase of the start has lasted, if its last line is half a minute old."""
        with self._books:
            if self._phase and self._clock() - self._told >= _INTERVAL_SECONDS and not self._is_over.is_set():
                self._say()

    def _repeat(self) -> None:
        while not self._is_over.wait(_REPEAT_SECONDS):
            self.say_again()

    def _say(self) -> None:
        if self._latest is None:
            return
        event, elapsed, heard = self._latest
        self._told, self._is_said = self._clock(), True
        gone = elapsed + self._told - heard if event.phase else elapsed
        say(progress_line(event, videos=self.videos, elapsed_seconds=gone))
