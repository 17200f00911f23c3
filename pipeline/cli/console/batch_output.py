"""Print the reports, the progress and the end of a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from pipeline.cli.console.answers import say_incomplete
from pipeline.cli.console.json_log import say
from pipeline.cli.console.tables import print_json

if TYPE_CHECKING:
    from pipeline.cli.console.progress_bar import LiveBar, ProgressLines
    from pipeline.search.answer import Incomplete
    from pipeline.types import VideoReport

__all__ = ["BatchEnding", "BatchOutput", "BatchTotals", "report_line", "say_executor", "say_stopping", "summary"]

_COLOURS = {"done": "green", "partial": "yellow", "skipped": "cyan", "failed": "red"}


@dataclass
class BatchTotals:
    """Totals over the reports of a batch.

    Attributes:
        counts: Number of reports of each status.
        already_indexed: Number of videos that an earlier batch indexed.
        video_seconds: Duration of the videos that were indexed.
        elapsed_seconds: Time that the batch took.
    """

    counts: Counter[str] = field(default_factory=Counter)
    already_indexed: int = 0
    video_seconds: float = 0.0
    elapsed_seconds: float = 0.0

    def add(self, report: VideoReport) -> None:
        """Count a report."""
        from pipeline.execution.ledger.reports import ALREADY_INDEXED

        self.counts[report.status] += 1
        self.already_indexed += (report.problem or "").startswith(ALREADY_INDEXED)
        self.video_seconds += report.duration_seconds if report.status in ("done", "partial") else 0.0


@dataclass(frozen=True)
class BatchOutput:
    """Prints the reports and the progress of a batch.

    Attributes:
        progress_every: Interval of progress lines in seconds; None for a bar.
        as_json: Whether the reports are printed as JSON.
    """

    progress_every: float | None
    as_json: bool

    def show(
        self, count: int, begin: Callable[[LiveBar | ProgressLines], AbstractContextManager[Iterable[VideoReport]]]
    ) -> BatchTotals:
        """Print the reports of a batch as its videos end, and its progress meanwhile.

        Args:
            count: Number of sources.
            begin: Begins the batch, which shows its progress on a bar, and returns its reports.
        """
        from pipeline.cli.console.progress_bar import LiveBar, ProgressLines
        from pipeline.types.report_json import report_json

        totals = BatchTotals()
        progress = LiveBar(count) if self.progress_every is None else ProgressLines(count, self.progress_every)
        with progress as bar, _interrupted(totals.counts, count), begin(bar) as reports:
            for report in reports:
                totals.add(report)
                with bar.aside():
                    print_json(report_json(report)) if self.as_json else click.echo(report_line(report))
        totals.elapsed_seconds = bar.elapsed_seconds
        return totals


@dataclass(frozen=True)
class BatchEnding:
    """What is said at the end of a batch.

    Attributes:
        totals: Totals over the reports.
        library: The library's folder or URL, or the server's address.
        page: Address of the run's page; None if there is none.
        incomplete: What the index lacks; None if it lacks nothing.
        too_large: Why the index is too large for its kind; None if it is not.
    """

    totals: BatchTotals
    library: str
    page: str | None = None
    incomplete: Incomplete | None = None
    too_large: str | None = None

    def say(self) -> None:
        """Print it on standard error."""
        from pipeline.render.text import printable

        say(_summary(self.totals, self.library))
        if self.incomplete is not None:
            say_incomplete(self.incomplete)
        if self.page is not None:
            say(f"report: {printable(self.page)}")
        if self.too_large is not None:
            from pipeline.index.capacity import MOVE_TO_SERVER

            say(f"note: {self.too_large}: {MOVE_TO_SERVER}")


def say_executor(bar: LiveBar | ProgressLines, choice: object) -> None:
    """Print where the batch runs, and why."""
    with bar.aside(is_error=True):
        say(str(choice))


def say_stopping(bar: LiveBar | ProgressLines, under_way: int, seconds: float, *, again: str = "stops at once") -> None:
    """Print how long the videos under way may still take after a signal.

    Args:
        bar: The bar, which makes room for the line.
        under_way: Number of videos under way.
        seconds: The time that they have.
        again: What another Ctrl-C does.
    """
    from pipeline.render.text import counted

    if under_way and seconds:
        with bar.aside(is_error=True):
            has = "has" if under_way == 1 else "have"
            say(
                f"interrupted: no further video is started; {counted(under_way, 'video')} under way {has}"
                f" {seconds:.0f} s to finish (Ctrl-C again {again})"
            )


@contextmanager
def _interrupted(counts: Counter[str], count: int) -> Iterator[None]:
    """Print how many videos had ended when the batch is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        say(
            f"{counts.total()} of {count} ended ({summary(counts)}); these are kept, and the same command continues"
            " with the rest"
        )
        raise


def report_line(report: VideoReport) -> str:
    """Format a report as one line."""
    from pipeline.render.text import counted, printable
    from pipeline.timecode import format_seconds
    from pipeline.uris import public_name

    line = (
        f"{click.style(f'{report.status:<8}', fg=_COLOURS[report.status])}{printable(public_name(report.source.uri))}"
    )
    if report.frames_sampled:
        line += f"  {format_seconds(report.duration_seconds)}  {counted(report.frames_sampled, 'frame')}"
    if report.problem is not None:
        line += f"  {printable(report.problem)}"
    if report.replaced:
        name_it = "has" if len(report.replaced) == 1 else "have"
        line += f"  replaces {printable(', '.join(report.replaced))}, which no longer {name_it} this name"
    return line


def summary(counts: Mapping[str, int]) -> str:
    """Format the number of reports of each status."""
    return ", ".join(f"{counts[status]} {status}" for status in _COLOURS if counts.get(status)) or "no video"


def _summary(totals: BatchTotals, library: str) -> str:
    from pipeline.render.text import printable
    from pipeline.timecode import format_seconds
    from pipeline.uris import public_name

    text = summary(totals.counts)
    if known := totals.already_indexed:
        before = "already indexed" if known == totals.counts["skipped"] else f"{known} already indexed"
        text = text.replace(" skipped", f" skipped ({before})")
    seconds, elapsed = totals.video_seconds, totals.elapsed_seconds
    rate = f" ({seconds / elapsed:.1f} x real time)" if seconds and elapsed else ""
    return (
        f"{text}: {format_seconds(seconds)} of video in {format_seconds(elapsed)}{rate}; library"
        f" {printable(public_name(library))}"
    )
