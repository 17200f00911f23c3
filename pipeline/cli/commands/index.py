"""`momentseek index`: sample, encode and index videos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
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
    help="With --json: also print the batch's progress.",
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
    Videos that are in the library already are skipped, so a batch that was interrupted is simply run again.

    After Ctrl-C no other video is begun, and those under way have ten seconds to finish; Ctrl-C again ends at once.

    Exit code 1 if a video failed, 130 after Ctrl-C, 143 after SIGTERM.
    """
    from pipeline.cli.console.progress_bar import LiveBar, ProgressLines
    from pipeline.execution.ledger.reports import ALREADY_INDEXED
    from pipeline.render.text import printable
    from pipeline.runs.page_file import RunPages
    from pipeline.search.filters.recording_time import check_date
    from pipeline.sources import expand

    if "" in paths:
        raise click.UsageError("one of PATHS is empty; name a file or a folder")
    if not (paths or retry_failed):
        raise click.UsageError("name the videos or their folders, or take --retry-failed")
    if progress_every is not None and not as_json:
        raise click.UsageError("--progress-every goes with --json; a terminal shows a bar without it")

    for word in ("rebuild", "migrate", "verify"):
        if word in paths:
            raise click.UsageError(
                f"put the word first, before all options: momentseek index {word}; a folder of that name is ./{word}"
            )
    if in_process:
        overrides = [*overrides, "execution.executor=in_process"]
    counts: Counter[str] = Counter()
    seconds, known = 0.0, 0
    with ended_by_sigterm(), library_for(library, config, overrides, paths) as opened:
        failed = [failure.source for failure in opened.failures()] if retry_failed else []
        check = partial(check_date, name=opened.config.search.recorded_at)
        sources = _together(failed, list(expand(paths, opened.config.fetching, check=check)))
        count = len(sources)
        shown = LiveBar(count) if progress_every is None else ProgressLines(count, progress_every)
        with shown as bar, _interrupted(counts, count), stopped_by_signals(partial(_say_stopping, bar)) as stop:
            for report in opened.index(sources, on_progress=bar.update, stop=stop):
                counts[report.status] += 1
                known += (report.problem or "").startswith(ALREADY_INDEXED)
                seconds += report.duration_seconds if report.status in ("done", "partial") else 0.0
                with bar.aside():
                    print_json(report_fields(report)) if as_json else click.echo(report_line(report))
        incomplete = opened.incomplete() if sources else None
        place = opened.config.library
        page = RunPages(place).address(opened.last_run_id) if sources and opened.last_run_id else None
        elapsed = _run_seconds(opened, bar.elapsed_seconds) if page is not None else bar.elapsed_seconds
    say(_summary(counts, known, seconds, elapsed, place))
    if incomplete is not None:
        say_incomplete(incomplete)
    if page is not None:
        say(f"report: {printable(page)}")
    ctx.exit(1 if counts["failed"] else 0)


def _run_seconds(library: Library, otherwise: float) -> float:
    """How long the last run took as `momentseek runs` has it; another figure where its report could not be written."""
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
                f"interrupted: no other video is begun; {counted(under_way, 'video')} under way {has} {seconds:.0f} s"
                " to finish (Ctrl-C again ends at once)"
            )


@contextmanager
def _interrupted(counts: Counter[str], count: int) -> Iterator[None]:
    """Say how far the batch was when it is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        say(
            f"{counts.total()} of {count} ended ({summary(counts)}); these are kept, and the same command goes on from"
            " there"
        )
        raise


def _together(failed: Sequence[Source], named: Sequence[Source]) -> list[Source]:
    """What failed before, and what is named now, which has a fresh signature or corrected metadata where it is both."""
    from pipeline.uris import kept_name

    before = {source.uri: source.metadata for source in failed}
    names = {kept_name(source.uri) for source in named}
    described = {kept_name(source.uri) for source in named if source.metadata}
    now = [
        source if (name := kept_name(source.uri)) in described else replace(source, metadata=before.get(name, {}))
        for source in named
    ]
    return [*(source for source in failed if source.uri not in names), *now]


def report_fields(report: VideoReport) -> dict[str, Any]:
    """Convert a report to JSON values."""
    from pipeline.uris import public_name

    fields = asdict(report)
    source = fields.pop("source")
    return {"uri": public_name(source["uri"]), **fields, "metadata": source["metadata"]}


def report_of(fields: dict[str, Any]) -> VideoReport:
    """Restore a report from the output of `report_fields`.

    Raises:
        KeyError, TypeError, ValueError: It is none.
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
        goes = "goes" if len(report.replaced) == 1 else "go"
        line += f"  in place of {printable(', '.join(report.replaced))}, which no longer {goes} by this name"
    return line


def summary(counts: Mapping[str, int]) -> str:
    """Format the number of reports of each status."""
    return ", ".join(f"{counts[status]} {status}" for status in _COLOURS if counts.get(status)) or "no video"


def _summary(counts: Counter[str], known: int, seconds: float, elapsed_seconds: float, place: str) -> str:
    from pipeline.render.text import printable
    from pipeline.timecode import format_seconds
    from pipeline.uris import public_name

    said = summary(counts)
    if known:
        before = "done before" if known == counts["skipped"] else f"{known} done before"
        said = said.replace(" skipped", f" skipped ({before})")
    rate = f" ({seconds / elapsed_seconds:.1f} x real time)" if seconds and elapsed_seconds else ""
    return (
        f"{said}: {format_seconds(seconds)} of video in {format_seconds(elapsed_seconds)}{rate}; library"
        f" {printable(public_name(place))}"
    )
