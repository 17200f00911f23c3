"""`momentseek runs`: list and show the reports of a library's runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.common_options import as_json, configured, in_library, require_library
from pipeline.cli.console.progress_line import clock_time
from pipeline.cli.console.tables import echo, print_json, print_table

if TYPE_CHECKING:
    from pipeline.runs.report import Cause, RunReport

__all__ = ["runs"]

_STATUSES = ("done", "partial", "skipped", "failed")
_HEADER = ("run", "began", "outcome", "took", "sources", *_STATUSES, "of video", "rate")


@click.group(invoke_without_command=True)
@configured
@in_library
@as_json
@click.pass_context
def runs(
    ctx: click.Context, *, config: str | None, overrides: Sequence[str], library: str | None, as_json: bool
) -> None:
    """List the runs of a library, or show one.

    \b
    momentseek runs                       id, time, outcome, videos and rate of each run
    momentseek runs show                  the latest run
    momentseek runs show ID --json        the whole report of a run
    """  # noqa: D301 - click expects the character itself, not a backslash and a b
    if ctx.invoked_subcommand is not None:
        ctx.obj = (library, config, overrides, as_json)
        return
    from pipeline.render.text import counted

    with require_library(library, config, overrides) as handle:
        reports = list(handle.runs())
    if as_json:
        for report in reports:
            print_json(_summary_fields(report))
        return
    if reports:
        print_table(_HEADER, [_row(report) for report in reports], right=range(3, 11))
    echo(counted(len(reports), "run"), err=True)


@runs.command()
@click.argument("run_id", required=False, metavar="[ID]")
@configured
@in_library
@as_json
@click.pass_context
def show(
    ctx: click.Context,
    *,
    run_id: str | None,
    config: str | None,
    overrides: Sequence[str],
    library: str | None,
    as_json: bool,
) -> None:
    """Show one run of a library: the latest, unless an ID is given."""
    from pipeline.runs.page_file import RunPages

    of_group = ctx.obj
    with require_library(library or of_group[0], config or of_group[1], [*of_group[2], *overrides]) as handle:
        log = handle.runs()
        report = log.read(run_id) if run_id is not None else log.latest()
        page = RunPages(handle.config.library).address(report.run_id)
    if as_json or of_group[3]:
        print_json(report.model_dump(mode="json"))
    else:
        _print(report, page)


def _summary_fields(report: RunReport) -> dict[str, Any]:
    fields = ("run_id", "job_id", "outcome", "problem", "started_at", "updated_at", "elapsed_seconds", "sources")
    value = report.model_dump(mode="json", include={*fields, "counts", "video_seconds"})
    return {**value, "rate": report.rate}


def _row(report: RunReport) -> list[str]:
    return [
        report.run_id,
        report.started_at,
        report.outcome,
        clock_time(report.elapsed_seconds),
        str(report.sources),
        *(str(report.counts.get(status, 0)) for status in _STATUSES),
        clock_time(report.video_seconds),
        _rate(report),
    ]


def _rate(report: RunReport) -> str:
    return "" if report.rate is None else f"{report.rate:.1f} x"


def _print(report: RunReport, page: str) -> None:
    from pipeline.render.text import counted, printable

    counts = ", ".join(f"{count} {status}" for status, count in report.counts.items() if count) or "none finished"
    lines = [
        ("run", report.run_id + (f" (job {report.job_id})" if report.job_id else "")),
        ("outcome", report.outcome + (f": {report.problem}" if report.problem else "")),
        ("time", f"{report.started_at} to {report.updated_at}, {clock_time(report.elapsed_seconds)}"),
        ("videos", f"{report.sources} named: {counts}"),
        ("of video", f"{clock_time(report.video_seconds)}  {_rate(report)}".rstrip()),
        (
            "frames",
            f"{report.frames_decoded} decoded, {report.frames_sampled} sampled; {counted(report.segments, 'segment')}",
        ),
        ("encoder", report.encoder),
        ("page", page),
    ]
    for name, value in lines:
        echo(f"{name:<10}{printable(value)}")
    for title, causes in (("failed", report.failures), ("partial", report.damage)):
        _print_causes(title, causes)


def _print_causes(title: str, causes: Sequence[Cause]) -> None:
    from pipeline.render.text import printable

    for cause in causes:
        echo(f"{title:<10}{cause.videos} x {printable(cause.cause)}, for example {printable(cause.examples[0].uri)}")
