"""The progress bar of a running batch, and its progress as JSON lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from pipeline.cli.console.json_log import is_on
from pipeline.cli.console.progress_line import PlainLines, clock_time, seconds_left, utilisation
from pipeline.cli.console.tables import print_json
from pipeline.render.text import file_name

if TYPE_CHECKING:
    from pipeline.execution import ProgressEvent

__all__ = ["LiveBar", "ProgressLines", "progress_event"]

_BAR_WIDTH = 12


class LiveBar:
    """Shows on standard error how far a batch is; a line now and then where that is no terminal. A context manager.

    Args:
        videos: How many there are.
    """

    def __init__(self, videos: int) -> None:
        console = Console(stderr=True)
        is_plain = not console.is_terminal or is_on()
        self._videos = videos
        self._console = console
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=_BAR_WIDTH),
            TextColumn("{task.fields[said]}", markup=False),
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=is_plain,
        )
        self._lines = PlainLines(videos) if is_plain else None
        self._task = self._progress.add_task("", total=videos, said=f"0/{videos} videos  starting")
        self._started = time.monotonic()
        self.elapsed_seconds = 0.0

    def __enter__(self) -> LiveBar:
        self._progress.start()
        if self._lines is not None:
            self._lines.repeat()
        return self

    def __exit__(self, *exc: object) -> None:
        self.elapsed_seconds = time.monotonic() - self._started
        self._progress.stop()
        if self._lines is not None:
            self._lines.close()

    def of(self, videos: int) -> None:
        """There are so many videos, which was not known when this was made."""
        self._videos = videos
        self._progress.update(self._task, total=videos)
        if self._lines is not None:
            self._lines.videos = videos

    def update(self, event: ProgressEvent, *, elapsed_seconds: float | None = None) -> None:
        """Show how far the batch is.

        Args:
            event: What is known.
            elapsed_seconds: Since the batch began; None where it began when this was made.
        """
        if self._lines is not None:
            self._lines.update(event, elapsed_seconds=elapsed_seconds)
            return
        elapsed = time.monotonic() - self._started if elapsed_seconds is None else elapsed_seconds
        said = Text("  ".join(self._said(event, elapsed)))
        said.truncate(max(1, self._console.width - _BAR_WIDTH - 4), overflow="ellipsis")
        completed = min(self._videos, event.videos_ended + event.active_share)
        self._progress.update(self._task, completed=completed, said=said.plain)

    def _said(self, event: ProgressEvent, elapsed: float) -> Iterator[str]:
        """What is said beside the bar, the least important last: a terminal may be too narrow for all."""
        failed = f", {event.videos_failed} failed" if event.videos_failed else ""
        yield f"{event.videos_ended}/{self._videos} videos{failed}"
        if event.phase:
            yield event.phase
        if event.seconds_decoded or not event.phase:
            yield f"{clock_time(event.seconds_decoded)} of video"
        if event.seconds_decoded and elapsed:
            yield f"{event.seconds_decoded / elapsed:.1f} x"
        left = seconds_left(event, videos=self._videos, elapsed_seconds=elapsed)
        if left is not None:
            yield f"{clock_time(left)} left"
        if event.active:
            yield utilisation(event)
            more = f" and {len(event.active) - 1} more" if len(event.active) > 1 else ""
            yield f"{file_name(event.active[0])}{more}"

    def finish(self) -> None:
        """Nothing more will be shown: the last line is said before what others say of the batch's end."""
        if self._lines is not None:
            self._lines.close()

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
        self._untold: ProgressEvent | None = None
        self._phase = ""
        self.elapsed_seconds = 0.0

    def __enter__(self) -> ProgressLines:
        print_json({"progress": {"videos": self._videos}})
        return self

    def __exit__(self, *exc: object) -> None:
        self.elapsed_seconds = time.monotonic() - self._started
        self._tell()

    def update(self, event: ProgressEvent) -> None:
        """Print how far the batch is, unless that was done a moment ago; the last time, when the batch ends.

        Phases of its start are printed at once.
        """
        self._untold = event
        is_news = event.phase not in ("", self._phase)
        self._phase = event.phase
        if is_news or time.monotonic() - self._told >= self._interval_seconds:
            self._tell()

    def _tell(self) -> None:
        if self._untold is None:
            return
        self._told = time.monotonic()
        fields = {"videos": self._videos, "elapsed_seconds": self._told - self._started, **asdict(self._untold)}
        self._untold = None
        # A version that knows no phases can read the rest.
        print_json({"progress": {name: value for name, value in fields.items() if name != "phase" or value}})

    @contextmanager
    def aside(self, *, is_error: bool = False) -> Iterator[None]:  # noqa: ARG002 - as of `LiveBar`
        """Other lines are printed meanwhile."""
        yield


def progress_event(fields: dict[str, Any]) -> ProgressEvent | None:
    """What a line of `ProgressLines` said; None for its first one, which only counts the videos.

    Raises:
        KeyError, TypeError: It is no such line.
    """
    from pipeline.execution import ProgressEvent
    from pipeline.execution.stage_times import StageSeconds
    from pipeline.execution.work_left import WorkSoFar

    told = {name: value for name, value in fields.items() if name not in ("videos", "elapsed_seconds")}
    if not told:
        return None
    work = told.pop("work", None)
    return ProgressEvent(
        **{**told, "active": tuple(told["active"]), "stages": StageSeconds(**told["stages"])},
        work=None if work is None else WorkSoFar(**work),
    )
