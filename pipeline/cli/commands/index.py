"""`momentseek index`: sample, encode and index videos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.common_options import as_json, configured, in_library, library_for
from pipeline.cli.console.answers import say_incomplete
from pipeline.cli.console.json_log import say
from pipeline.cli.console.tables import print_json
from pipeline.cli.stopping import ended_by_sigterm, stopped_by_signals

if TYPE_CHECKING:
    from pipeline.cli.console.progress_bar import LiveBar, ProgressLines
    from pipeline.library import Library
    from pipeline.types import Source, VideoReport

__all__ = ["index", "report_fields", "report_line", "report_of", "summary"]

_COLOURS = {"done": "green", "partial": "yellow", "skipped": "cyan", "failed": "red"}


@click.command()
@click.argument("paths", nargs=-1, metavar="PATHS...")
@configured
@in_library
@click.option("--retry-failed", is_flag=True, help="Also retry the failed sources that `videos --failed` lists.")
@click.option("--in-process", is_flag=True, help="Run in this process, without Ray.")
@click.option(
    "--progress-every",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1),
    help="With --json: also print the progress of the batch, at this interval.",
)
@as_json
@click.pass_context
def index(
    ctx: click.Context,
    *,
    paths: Sequence[str],
    config: str | None,
    overrides: Sequence[str],
    library: str | None,
    retry_failed: bool,
    in_process: bool,
    progress_every: float | None,
    as_json: bool,
) -> None:
    """Index videos, or all videos of folders and manifests, into a library.

    Prints one line per video: done, partial (damaged; what could be decoded is kept), skipped or failed, and why.
    Videos that are already in the library are skipped: to continue an interrupted batch, run the same command again.

    After Ctrl-C, no further video is started, and those under way have ten seconds to finish; a second Ctrl-C stops
    at once.

    The exit code is 1 if a video failed, 130 after Ctrl-C, 143 after SIGTERM.
    """
    from pipeline.render.text import printable
    from pipeline.runs.page_file import RunPages

    _check_arguments(paths, retry_failed=retry_failed, progress_every=progress_every, as_json=as_json)
    if in_process:
        overrides = [*overrides, "execution.executor=in_process"]
    with ended_by_sigterm(), library_for(library, config, overrides, paths) as opened:
        sources = _sources(opened, paths, retry_failed=retry_failed)
        totals = _index(opened, sources, progress_every=progress_every, as_json=as_json)
        incomplete = opened.incomplete() if sources else None
        folder = opened.config.library
        page = RunPages(folder).address(opened.last_run_id) if sources and opened.last_run_id else None
        if page is not None:
            totals.elapsed_seconds = _run_seconds(opened, totals.elapsed_seconds)
    say(_summary(totals, folder))
    if incomplete is not None:
        say_incomplete(incomplete)
    if page is not None:
        say(f"report: {printable(page)}")
    ctx.exit(1 if totals.counts["failed"] else 0)


def _check_arguments(paths: Sequence[str], *, retry_failed: bool, progress_every: float | None, as_json: bool) -> None:
    if "" in paths:
        raise click.UsageError("one of PATHS is empty; name a file or a folder")
    if not (paths or retry_failed):
        raise click.UsageError("name the videos or their folders, or use --retry-failed")
    if progress_every is not None and not as_json:
        raise click.UsageError("--progress-every requires --json; on a terminal, a progress bar is shown anyway")
    for word in ("rebuild", "migrate", "verify"):
        if word in paths:
            raise click.UsageError(
                f"put {word!r} before all options: momentseek index {word}; for a folder of that name, write ./{word}"
            )


def _sources(library: Library, paths: Sequence[str], *, retry_failed: bool) -> list[Source]:
    """List the sources of a batch: those that the paths name, after the failed ones if these are retried."""
    from pipeline.search.filters.recording_time import check_date
    from pipeline.sources import expand

    failed = [failure.source for failure in library.failures()] if retry_failed else []
    check = partial(check_date, name=library.config.search.recorded_at)
    return _merged(failed, list(expand(paths, library.config.fetching, check=check)))


@dataclass
class _Totals:
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
        from pipeline.execution.ledger.reports import ALREADY_INDEXED

        self.counts[report.status] += 1
        self.already_indexed += (report.problem or "").startswith(ALREADY_INDEXED)
        self.video_seconds += report.duration_seconds if report.status in ("done", "partial") else 0.0


def _index(library: Library, sources: Sequence[Source], *, progress_every: float | None, as_json: bool) -> _Totals:
    """Index the sources, and print their reports and the progress meanwhile."""
    from pipeline.cli.console.progress_bar import LiveBar, ProgressLines

    count, totals = len(sources), _Totals()
    progress = LiveBar(count) if progress_every is None else ProgressLines(count, progress_every)
    with (
        progress as bar,
        _interrupted(totals.counts, count),
        stopped_by_signals(partial(_say_stopping, bar)) as stop,
    ):
        for report in library.index(sources, on_progress=bar.update, stop=stop):
            totals.add(report)
            with bar.aside():
                print_json(report_fields(report)) if as_json else click.echo(report_line(report))
    totals.elapsed_seconds = bar.elapsed_seconds
    return totals


def _run_seconds(library: Library, otherwise: float) -> float:
    """How long the last run took according to its report; the other figure if the report could not be written."""
    from pipeline.errors import MomentseekError

    try:
        return library.runs().read(str(library.last_run_id)).elapsed_seconds
    except MomentseekError:
        return otherwise


def _say_stopping(bar: LiveBar | ProgressLines, under_way: int, seconds: float) -> None:
    """Print how long the videos under way may still take after a signal."""
    from pipeline.render.text import counted

    if under_way and seconds:
        with bar.aside(is_error=True):
            has = "has" if under_way == 1 else "have"
            say(
                f"interrupted: no further video is started; {counted(under_way, 'video')} under way {has}"
                f" {seconds:.0f} s to finish (Ctrl-C again stops at once)"
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


def _merged(failed: Sequence[Source], named: Sequence[Source]) -> list[Source]:
    """Merge failed and named sources; of a source in both, the URI named now counts, and its metadata if it has any."""
    from pipeline.uris import kept_name

    before = {source.uri: source.metadata for source in failed}
    names = {kept_name(source.uri) for source in named}
    described = {kept_name(source.uri) for source in named if source.metadata}
    updated = [
        source if (name := kept_name(source.uri)) in described else replace(source, metadata=before.get(name, {}))
        for source in named
    ]
    return [*(source for source in failed if source.uri not in names), *updated]


def report_fields(report: VideoReport) -> dict[str, Any]:
    """Convert a report to JSON values."""
    from pipeline.uris import public_name

    fields = asdict(report)
    source = fields.pop("source")
    return {"uri": public_name(source["uri"]), **fields, "metadata": source["metadata"]}


def report_of(fields: dict[str, Any]) -> VideoReport:
    """Restore a report from the output of `report_fields`.

    Raises:
        KeyError, TypeError, ValueError: The fields are not those of a report.
    """
    from pipeline.types import Source, Status, VideoReport

    rest = {name: value for name, value in fields.items() if name not in ("uri", "metadata", "status", "replaced")}
    source, replaced = Source(fields["uri"], fields["metadata"]), tuple(fields.get("replaced", ()))
    return VideoReport(source=source, status=Status(fields["status"]), replaced=replaced, **rest)


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


def _summary(totals: _Totals, library: str) -> str:
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
