"""`momentseek runs`: list and show the reports of a library's runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.common_options import as_json, configured, in_library, require_library
from pipeline.cli.console.progress_line import clock_time
from pipeline.cli.console.tables import echo, print_json, print_table
from pipeline.cli.served import asked_of_server, is_server_named
from pipeline.quoted_commands import DEFAULT_LIBRARY
from pipeline.runs.summary_fields import SUMMARY_FIELDS

if TYPE_CHECKING:
    from pipeline.client.client import Client
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

    found = asked_of_server(lambda client: client.runs(), library, config, overrides)
    if found is None:
        found = _own_summaries(library, config, overrides)
    if as_json:
        for run in found:
            print_json({name: run.get(name) for name in (*SUMMARY_FIELDS, "rate")})
        return
    if found:
        print_table(_HEADER, [_row(run) for run in found], right=range(3, 11))
    echo(counted(len(found), "run"), err=True)


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
    of_group = ctx.obj
    library, config, overrides = library or of_group[0], config or of_group[1], [*of_group[2], *overrides]
    found = asked_of_server(lambda client: _served_report(client, run_id, library), library, config, overrides)
    report, page = _own_report(run_id, library, config, overrides) if found is None else found
    if as_json or of_group[3]:
        print_json(report.model_dump(mode="json"))
    else:
        _print(report, page)


def _own_summaries(library: str | None, config: str | None, overrides: Sequence[str]) -> list[dict[str, Any]]:
    with require_library(library, config, overrides) as handle:
        reports = list(handle.runs())
    return [{**report.model_dump(mode="json", include=set(SUMMARY_FIELDS)), "rate": report.rate} for report in reports]


def _own_report(
    run_id: str | None, library: str | None, config: str | None, overrides: Sequence[str]
) -> tuple[RunReport, str]:
    """Read the report of a run; return it with the address of its page."""
    from pipeline.runs.page_file import RunPages

    with require_library(library, config, overrides) as handle:
        log = handle.runs()
        report = log.read(run_id) if run_id is not None else log.latest()
        return report, RunPages(handle.config.library).address(report.run_id)


def _served_report(client: Client, run_id: str | None, library: str | None) -> tuple[RunReport, str]:
    """Ask the server for the report of a run; return it with the address of its page."""
    import json

    from pydantic import ValidationError

    from pipeline.errors import ServerError
    from pipeline.runs.page_file import RunPages
    from pipeline.runs.report import RunReport

    try:
        report = RunReport.model_validate_json(json.dumps(client.run(run_id)))
    except ValidationError as error:
        raise ServerError(f"{client.url}: the report cannot be read; is it of another version? ({error})") from error
    if is_server_named(library):
        return report, f"{client.url}/runs"
    return report, RunPages(library or DEFAULT_LIBRARY).address(report.run_id)


def _row(run: Mapping[str, Any]) -> list[str]:
    return [
        run["run_id"],
        run["started_at"],
        run["outcome"],
        clock_time(run["elapsed_seconds"]),
        str(run["sources"]),
        *(str(run["counts"].get(status, 0)) for status in _STATUSES),
        clock_time(run["video_seconds"]),
        _rate(run["rate"]),
    ]


def _rate(rate: float | None) -> str:
    return "" if rate is None else f"{rate:.1f} x"


def _print(report: RunReport, page: str) -> None:
    from pipeline.render.text import counted, printable

    counts = ", ".join(f"{count} {status}" for status, count in report.counts.items() if count) or "none finished"
    lines = [
        ("run", report.run_id + (f" (job {report.job_id})" if report.job_id else "")),
        ("outcome", report.outcome + (f": {report.problem}" if report.problem else "")),
        ("time", f"{report.started_at} to {report.updated_at}, {clock_time(report.elapsed_seconds)}"),
        ("videos", f"{report.sources} named: {counts}"),
        ("of video", f"{clock_time(report.video_seconds)}  {_rate(report.rate)}".rstrip()),
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
