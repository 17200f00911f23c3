"""`momentseek index`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.json_log import say
from pipeline.cli.options import as_json, configured, in_library, open_library
from pipeline.cli.output import print_json

if TYPE_CHECKING:
    from pipeline.types import VideoReport

__all__ = ["index", "report_fields"]

_COLOURS = {"done": "green", "partial": "yellow", "skipped": "cyan", "failed": "red"}


@click.command()
@click.argument("paths", nargs=-1, metavar="PATHS...")
@configured
@in_library
@click.option("--retry-failed", is_flag=True, help="The library's failed sources, too: what `videos --failed` lists.")
@click.option("--in-process", is_flag=True, help="Work in this process, without Ray.")
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
    as_json: bool,
) -> None:
    """Put videos, or all videos of folders, into a library.

    Prints a line a video: done, partial (damaged; what could be decoded is kept), skipped or failed, and why. Videos
    that are in the library already are skipped, so a batch that was interrupted is simply run again.

    Exit code 1 if a video failed.
    """
    from pipeline.cli.live import LiveBar
    from pipeline.execution import place_of
    from pipeline.present.text import printable
    from pipeline.video import expand

    if "" in paths:
        raise click.UsageError("one of PATHS is empty; name a file or a folder")
    if not (paths or retry_failed):
        raise click.UsageError("name the videos or their folders, or take --retry-failed")
    if in_process:
        overrides = [*overrides, "execution.executor=in_process"]
    counts: Counter[str] = Counter()
    seconds = 0.0
    with open_library(library, config, overrides) as opened:
        failed = [failure.source for failure in opened.failures()] if retry_failed else []
        named = {source.uri for source in failed}
        sources = [*failed, *(source for source in expand(paths) if place_of(source) not in named)]
        with LiveBar(len(sources)) as bar:
            for report in opened.index(sources, on_progress=bar.update):
                counts[report.status] += 1
                seconds += report.duration_seconds if report.status in ("done", "partial") else 0.0
                with bar.aside():
                    print_json(report_fields(report)) if as_json else click.echo(_line(report))
        place = opened.config.library
        page = opened.runs().page_of(opened.last_run_id) if sources and opened.last_run_id else None
    say(_summary(counts, seconds, bar.elapsed_seconds, place))
    if page is not None:
        say(f"report: {printable(page)}")
    ctx.exit(1 if counts["failed"] else 0)


def report_fields(report: VideoReport) -> dict[str, Any]:
    """A report as JSON can hold it."""
    fields = asdict(report)
    source = fields.pop("source")
    return {"uri": source["uri"], **fields, "metadata": source["metadata"]}


def _line(report: VideoReport) -> str:
    from pipeline.present.text import printable
    from pipeline.timecode import format_seconds

    line = f"{click.style(f'{report.status:<8}', fg=_COLOURS[report.status])}{printable(report.source.uri)}"
    if report.frames_sampled:
        line += f"  {format_seconds(report.duration_seconds)}  {report.frames_sampled} frame"
        line += "s" * (report.frames_sampled > 1)
    if report.problem is not None:
        line += f"  {printable(report.problem)}"
    return line


def _summary(counts: Counter[str], seconds: float, elapsed_seconds: float, place: str) -> str:
    from pipeline.present.text import printable
    from pipeline.timecode import format_seconds

    said = ", ".join(f"{counts[status]} {status}" for status in _COLOURS if counts[status]) or "no video"
    rate = f" ({seconds / elapsed_seconds:.1f} x real time)" if seconds and elapsed_seconds else ""
    return (
        f"{said}: {format_seconds(seconds)} of video in {format_seconds(elapsed_seconds)}{rate}; library"
        f" {printable(place)}"
    )
