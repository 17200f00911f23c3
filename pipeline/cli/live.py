"""The bar that moves while a batch runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from pipeline.cli.output import print_json
from pipeline.present.text import file_name
from pipeline.timecode import format_seconds

if TYPE_CHECKING:
    from pipeline.execution import ProgressEvent

__all__ = ["LiveBar", "ProgressLines", "progress_event"]


class LiveBar:
    """Shows on standard error how far a batch is; nothing where that is no terminal. A context manager.

    Args:
        videos: How many there are.
    """

    def __init__(self, videos: int) -> None:
        console = Console(stderr=True)
        self._videos = videos
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[ended]}/{task.fields[videos]} videos"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[seconds]} of video"),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[name]}", markup=False),
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(
            "", total=videos, ended=0, videos=videos, seconds=format_seconds(0), rate="", name="starting"
        )
        self._started = time.monotonic()
        self.elapsed_seconds = 0.0

    def __enter__(self) -> LiveBar:
        self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.elapsed_seconds = time.monotonic() - self._started
        self._progress.stop()

    def of(self, videos: int) -> None:
        """There are so many videos, which was not known when this was made."""
        self._videos = videos
        self._progress.update(self._task, total=videos, videos=videos)

    def update(self, event: ProgressEvent) -> None:
        """Show how far the batch is."""
        elapsed = time.monotonic() - self._started
        more = f" and {len(event.active) - 1} more" if len(event.active) > 1 else ""
        self._progress.update(
            self._task,
            completed=min(self._videos, event.videos_ended + event.active_share),
            ended=event.videos_ended,
            seconds=format_seconds(event.seconds_decoded),
            rate=f"{event.seconds_decoded / elapsed:.1f} x real time" if event.seconds_decoded else "",
            name=f"{file_name(event.active[0])}{more}" if event.active else "",
        )

    @contextmanager
    def aside(self, *, is_error: bool = False) -> Iterator[None]:
        """Lines are printed meanwhile; the bar makes room for them where it shares the terminal.

        Args:
            is_error: They are printed on standard error, where the bar itself is.
        """
        is_in_the_way = (is_error or sys.stdout.isatty()) and not self._progress.disable
        if is_in_the_way:
            self._progress.stop()
        try:
            yield
        finally:
            if is_in_the_way:
                self._progress.start()


class ProgressLines:
    """Prints how far a batch is as JSON among its reports, for a program that follows; otherwise a `LiveBar`.

    Args:
        videos: How many there are.
        interval_seconds: Least time between two such lines.
    """

    def __init__(self, videos: int, interval_seconds: float) -> None:
        self._videos = videos
        self._interval_seconds = interval_seconds
        self._started = self._told = time.monotonic()
        self.elapsed_seconds = 0.0

    def __enter__(self) -> ProgressLines:
        print_json({"progress": {"videos": self._videos}})
        return self

    def __exit__(self, *exc: object) -> None:
        self.elapsed_seconds = time.monotonic() - self._started

    def update(self, event: ProgressEvent) -> None:
        """Print how far the batch is, unless that was done a moment ago."""
        if time.monotonic() - self._told >= self._interval_seconds:
            self._told = time.monotonic()
            print_json({"progress": {"videos": self._videos, **asdict(event)}})

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Other lines are printed meanwhile."""
        yield


def progress_event(fields: dict[str, Any]) -> ProgressEvent | None:
    """What a line of `ProgressLines` said; None for its first one, which only counts the videos.

    Raises:
        KeyError, TypeError: It is no such line.
    """
    from pipeline.execution import ProgressEvent

    told = {name: value for name, value in fields.items() if name != "videos"}
    return ProgressEvent(**{**told, "active": tuple(told["active"])}) if told else None
