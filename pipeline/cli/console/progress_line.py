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
    """Format progress as "12/340 videos | 0:42:10 of video, 31.0 x real time | 0:01:22 elapsed, 0:36:10 left".

    The number of failed videos, the phase, and the workers' utilisation are added where they apply.
    """
    line = f"{event.videos_ended}/{videos} videos"
    if event.videos_failed:
        line += f", {event.videos_failed} failed"
    if event.phase:
        line += f" | {event.phase}"
    if event.seconds_decoded or not event.phase:
        line += f" | {clock_time(event.seconds_decoded)} of video"
    if event.seconds_decoded and elapsed_seconds > 0:
        line += f", {event.seconds_decoded / elapsed_seconds:.1f} x real time"
    if event.active:
        line += f" | {utilisation(event)}"
    left = seconds_left(event, videos=videos, elapsed_seconds=elapsed_seconds)
    return f"{line} | {clock_time(elapsed_seconds)} elapsed" + ("" if left is None else f", {clock_time(left)} left")


def utilisation(event: ProgressEvent) -> str:
    """Format the workers' recent utilisation as "decoding 97 %, encoding 64 %"."""
    return f"decoding {event.readers_busy:.0%}, encoding {event.encoders_busy:.0%}".replace("%", " %")


def seconds_left(event: ProgressEvent, *, videos: int, elapsed_seconds: float) -> float | None:
    """Estimate the seconds left from the videos worked on so far; None before there is an estimate."""
    from pipeline.execution.time_left import seconds_left as estimated_seconds_left

    if event.work is not None:
        return estimated_seconds_left(event, videos)
    # The event comes from an earlier version, which reports no work.
    worked = event.videos_ended - event.videos_skipped + event.active_share
    left = videos - event.videos_ended - event.active_share
    if worked <= 0 or left <= 0:
        return None
    return elapsed_seconds * left / worked


def clock_time(seconds: float) -> str:
    """Format seconds as "0:42:10", rounded to whole seconds."""
    minutes, whole = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{whole:02d}"


class PlainLines:
    """Prints the progress of a batch on standard error every half minute, for logs and pipes; new phases at once.

    Args:
        videos: Number of videos.
        clock: A monotonic clock, in seconds.

    Attributes:
        videos: Number of videos; may be corrected later.
    """

    def __init__(self, videos: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.videos = videos
        self._clock = clock
        self._started = self._printed_at = clock()
        self._latest: tuple[ProgressEvent, float, float] | None = None
        self._is_printed = True
        self._phase = ""
        self._lock = threading.RLock()
        self._is_closed = threading.Event()

    def repeat(self) -> None:
        """Start a thread that prints, while no event arrives, how long the current phase of the start has lasted."""
        threading.Thread(target=self._repeat, name="progress-lines", daemon=True).start()

    def update(self, event: ProgressEvent, *, elapsed_seconds: float | None = None) -> None:
        """Print the progress if half a minute has passed since the last line.

        Args:
            event: The progress.
            elapsed_seconds: Time since the batch began; None if it began when this object was made.
        """
        with self._lock:
            now = self._clock()
            self._latest = event, now - self._started if elapsed_seconds is None else elapsed_seconds, now
            self._is_printed = False
            is_new_phase = event.phase not in ("", self._phase)
            self._phase = event.phase
            if is_new_phase or now - self._printed_at >= _INTERVAL_SECONDS:
                self._print()

    def close(self) -> None:
        """Print the last progress, unless it has been printed."""
        self._is_closed.set()
        with self._lock:
            if not self._is_printed:
                self._print()

    def print_again(self) -> None:
        """Print again how long a phase of the start has lasted, if its last line is half a minute old."""
        with self._lock:
            if self._phase and self._clock() - self._printed_at >= _INTERVAL_SECONDS and not self._is_closed.is_set():
                self._print()

    def _repeat(self) -> None:
        while not self._is_closed.wait(_REPEAT_SECONDS):
            self.print_again()

    def _print(self) -> None:
        if self._latest is None:
            return
        event, elapsed, received = self._latest
        self._printed_at, self._is_printed = self._clock(), True
        elapsed_now = elapsed + self._printed_at - received if event.phase else elapsed
        say(progress_line(event, videos=self.videos, elapsed_seconds=elapsed_now))
