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
    """Shows the progress of a batch on standard error: a bar on a terminal, otherwise a line now and then.

    A context manager.

    Args:
        videos: Number of videos; may be corrected later by `set_total`.
    """

    def __init__(self, videos: int) -> None:
        console = Console(stderr=True)
        is_plain = not console.is_terminal or is_on()
        self._videos = videos
        self._console = console
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=_BAR_WIDTH),
            TextColumn("{task.fields[text]}", markup=False),
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=is_plain,
        )
        self._lines = PlainLines(videos) if is_plain else None
        self._task = self._progress.add_task("", total=videos, text=f"0/{videos} videos  starting")
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

    def set_total(self, videos: int) -> None:
        """Set the number of videos, if it was not known at first."""
        self._videos = videos
        self._progress.update(self._task, total=videos)
        if self._lines is not None:
            self._lines.videos = videos

    def update(self, event: ProgressEvent, *, elapsed_seconds: float | None = None) -> None:
        """Show the progress of the batch.

        Args:
            event: The progress.
            elapsed_seconds: Time since the batch began; None if it began when this bar was made.
        """
        if self._lines is not None:
            self._lines.update(event, elapsed_seconds=elapsed_seconds)
            return
        elapsed = time.monotonic() - self._started if elapsed_seconds is None else elapsed_seconds
        text = Text("  ".join(self._parts(event, elapsed)))
        text.truncate(max(1, self._console.width - _BAR_WIDTH - 4), overflow="ellipsis")
        completed = min(self._videos, event.videos_ended + event.active_share)
        self._progress.update(self._task, completed=completed, text=text.plain)

    def _parts(self, event: ProgressEvent, elapsed: float) -> Iterator[str]:
        """The parts of the text beside the bar, the most important first: a narrow terminal cuts the end off."""
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
        """Print the last line now, before other messages about the end of the batch."""
        if self._lines is not None:
            self._lines.close()

    @contextmanager
    def aside(self, *, is_error: bool = False) -> Iterator[None]:
        """Make room for lines printed meanwhile, if the bar shares the terminal with them.

        Args:
            is_error: The lines are printed on standard error, like the bar itself.
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
    """Prints the progress of a batch as JSON lines between its reports, for programs; used in place of `LiveBar`.

    Args:
        videos: Number of videos.
        interval_seconds: Minimum time between two progress lines.
    """

    def __init__(self, videos: int, interval_seconds: float) -> None:
        self._videos = videos
        self._interval_seconds = interval_seconds
        self._started = self._printed_at = time.monotonic()
        self._pending: ProgressEvent | None = None
        self._phase = ""
        self.elapsed_seconds = 0.0

    def __enter__(self) -> ProgressLines:
        print_json({"progress": {"videos": self._videos}})
        return self

    def __exit__(self, *exc: object) -> None:
        self.elapsed_seconds = time.monotonic() - self._started
        self._print_pending()

    def update(self, event: ProgressEvent) -> None:
        """Print the progress if the interval since the last line has passed; the last event is printed at the end.

        A new phase of the batch's start is printed at once.
        """
        self._pending = event
        is_new_phase = event.phase not in ("", self._phase)
        self._phase = event.phase
        if is_new_phase or time.monotonic() - self._printed_at >= self._interval_seconds:
            self._print_pending()

    def _print_pending(self) -> None:
        if self._pending is None:
            return
        self._printed_at = now = time.monotonic()
        fields = {"videos": self._videos, "elapsed_seconds": now - self._started, **asdict(self._pending)}
        self._pending = None
        # An empty phase is left out, for readers of versions without phases.
        print_json({"progress": {name: value for name, value in fields.items() if name != "phase" or value}})

    @contextmanager
    def aside(self, *, is_error: bool = False) -> Iterator[None]:  # noqa: ARG002 - as in `LiveBar`
        """Do nothing: other lines do not disturb progress lines."""
        yield


def progress_event(fields: dict[str, Any]) -> ProgressEvent | None:
    """Parse a line of `ProgressLines`; None for its first one, which only gives the number of videos.

    Raises:
        KeyError, TypeError: The fields are not those of a progress line.
    """
    from pipeline.execution import ProgressEvent
    from pipeline.execution.stage_times import StageSeconds
    from pipeline.execution.work_left import WorkSoFar

    known = {name: value for name, value in fields.items() if name not in ("videos", "elapsed_seconds")}
    if not known:
        return None
    work = known.pop("work", None)
    return ProgressEvent(
        **{**known, "active": tuple(known["active"]), "stages": StageSeconds(**known["stages"])},
        work=None if work is None else WorkSoFar(**work),
    )
