"""`momentseek jobs`: list, follow and stop submitted batches."""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections import Counter
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.common_options import as_json
from pipeline.cli.console.batch_output import report_line, summary
from pipeline.cli.console.json_log import is_on, say
from pipeline.cli.console.progress_line import progress_line
from pipeline.cli.console.tables import print_json, print_table, printable_lines
from pipeline.cli.stopping import BATCH_ENDED

if TYPE_CHECKING:
    from pipeline.cli.console.progress_bar import LiveBar
    from pipeline.submission.client import Job, RayJobs

__all__ = ["at_address", "clock", "follow_job", "jobs"]

_NO_COMMAND = 127
_LOG_END_LENGTH = 20_000
# The lines with which Ray begins a job's log; they do not concern the batch.
_RAY_LOG_HEADER = re.compile(r"Running entrypoint for job |[\d :,-]+\tINFO job_manager\.py:")
_COLOURS = {"SUCCEEDED": "green", "FAILED": "red", "STOPPED": "yellow"}

at_address = click.option(
    "--address",
    "-a",
    metavar="URL",
    help="URL of the cluster's dashboard, e.g. http://head:8265. Default: RAY_API_SERVER_ADDRESS or RAY_ADDRESS.",
)


@click.group()
def jobs() -> None:
    """List, follow and stop batches on a Ray cluster."""


@jobs.command("list")
@at_address
@as_json
def list_jobs(*, address: str | None, as_json: bool) -> None:
    """List the batches submitted to a cluster, oldest first."""
    from pipeline.render.text import counted, printable

    cluster = _open(address)
    found = cluster.jobs()
    if cluster.is_dead():
        say(
            f"warning: {cluster.address} reports that no machine of the cluster is alive; restart Ray there"
            " (`ray status` lists the machines)",
            level=logging.WARNING,
        )
    if as_json:
        for job in found:
            print_json(_fields(job))
        return
    rows = [
        [job.id, job.status, clock(job.started_seconds), _took(job), printable(job.metadata.get("library", ""))]
        for job in found
    ]
    if rows:
        print_table(["id", "status", "started", "took", "library"], rows, right=(3,))
    say(counted(len(rows), "job"))


@jobs.command()
@click.argument("job_id", metavar="ID")
@at_address
@as_json
@click.pass_context
def status(ctx: click.Context, *, job_id: str, address: str | None, as_json: bool) -> None:
    """Print the state of a batch, the number of its reports, and its progress.

    The exit code is 0 while the batch runs and if it succeeded; otherwise it is the batch's.
    """
    cluster = _open(address)
    job = cluster.job(job_id)
    objects = [fields for line in cluster.log(job_id).splitlines() if (fields := _json_object(line))]
    counts = dict(Counter(fields["status"] for fields in objects if "segments" in fields))
    progress: dict[str, Any] = next((fields["progress"] for fields in reversed(objects) if "progress" in fields), {})
    if as_json:
        print_json({**_fields(job), "reports": counts, "progress": progress})
    else:
        _print_status(job, counts, progress)
    ctx.exit(_exit_code(job) if job.has_ended else 0)


@jobs.command()
@click.argument("job_id", metavar="ID")
@at_address
@click.option("--follow", "-f", is_flag=True, help="Continue until the batch ends, and exit with its code.")
@as_json
@click.pass_context
def logs(ctx: click.Context, *, job_id: str, address: str | None, follow: bool, as_json: bool) -> None:
    """Print a batch's reports on standard output, and the rest of its log on standard error."""
    cluster = _open(address)
    if follow:
        ctx.exit(follow_job(cluster, job_id, as_json=as_json))
    shown = _Reports(None, as_json=as_json)
    for line in cluster.log(job_id).splitlines():
        shown.show_line(line)


@jobs.command()
@click.argument("job_id", metavar="ID")
@at_address
def stop(*, job_id: str, address: str | None) -> None:
    """Stop a batch. Finished videos are kept; submit the batch again to continue."""
    cluster = _open(address)
    if (job := cluster.job(job_id)).has_ended:
        say(f"{job_id} has already ended: {job.status}")
        return
    say(f"{job_id} is {cluster.stop(job_id).status}")


def follow_job(cluster: RayJobs, job_id: str, *, as_json: bool) -> int:
    """Show a job's reports until it ends, and return its exit code."""
    from pipeline.cli.console.progress_bar import LiveBar

    try:
        with LiveBar(0) as bar:
            shown = _Reports(bar, as_json=as_json)
            job = cluster.follow(job_id, shown.show_line)
    except KeyboardInterrupt:
        if not is_on():
            click.echo(err=True)
        say(
            f"{job_id} continues on the cluster; follow it again with: momentseek jobs logs {job_id} --follow; stop it"
            f" with: momentseek jobs stop {job_id}"
        )
        raise
    code = _exit_code(job)
    say(f"{job_id} {job.status} after {_took(job)}")
    if shown.missed:
        say(
            f"{shown.missed} of the failed files exist on this machine but not on the cluster's; copy them there, to"
            " the same path"
        )
    if job.status == "FAILED" and job.exit_code is None:
        # The job never started, so its log does not explain the failure.
        say(printable_lines(job.message))
    elif job.exit_code == _NO_COMMAND:
        say("the cluster cannot find `python`; start Ray from an activated environment (docs/how-to/jobs.md)")
    return code


class _Reports:
    """Prints the lines of a job's log as `momentseek index` would.

    Attributes:
        missed: Number of sources that the cluster did not find although they exist on this machine.
    """

    def __init__(self, bar: LiveBar | None, *, as_json: bool) -> None:
        self._bar = bar
        self._as_json = as_json
        self.missed = 0

    def show_line(self, line: str) -> None:
        from pipeline.io.local_files import NO_SUCH_FILE
        from pipeline.types.report_json import report_from, report_json

        fields = _json_object(line)
        try:
            if "progress" in fields:
                self._progress(fields["progress"])
                return
            report = report_from(fields)
        except (KeyError, TypeError, ValueError):
            if not _RAY_LOG_HEADER.match(line):
                with self._aside(is_error=True):
                    say(printable_lines(line))
            return
        if (report.problem or "").startswith(NO_SUCH_FILE):
            self.missed += os.path.exists(report.source.uri)  # noqa: PTH110 - takes any text
        with self._aside(is_error=False):
            click.echo(json.dumps(report_json(report)) if self._as_json else report_line(report))

    def _progress(self, fields: dict[str, Any]) -> None:
        from pipeline.cli.console.progress_bar import progress_event

        event = progress_event(fields)
        if self._bar is not None:
            self._bar.set_total(int(fields["videos"]))
            if event is not None:
                self._bar.update(event, elapsed_seconds=fields.get("elapsed_seconds"))
                if event.videos_ended >= fields["videos"]:
                    self._bar.finish()

    def _aside(self, *, is_error: bool) -> AbstractContextManager[None]:
        return nullcontext() if self._bar is None else self._bar.aside(is_error=is_error)


def clock(seconds: float | None) -> str:
    """Format a Unix timestamp in local time."""
    return "-" if seconds is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _open(address: str | None) -> RayJobs:
    from pipeline.submission.address import address_of
    from pipeline.submission.client import RayJobs

    return RayJobs(address_of(address))


def _exit_code(job: Job) -> int:
    if job.status == "STOPPED":
        return BATCH_ENDED
    return 0 if job.status == "SUCCEEDED" else job.exit_code or 1


def _took(job: Job) -> str:
    from pipeline.timecode import format_seconds

    if job.started_seconds is None:
        return "-"
    return format_seconds(round(max(0.0, (job.ended_seconds or time.time()) - job.started_seconds)))[:-4]


def _json_object(line: str) -> dict[str, Any]:
    from pipeline.parsing import parse_json

    try:
        found = parse_json(line, allows_nan=True) if line.startswith("{") else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _why(message: str) -> str:
    """Extract the reason of a failure from Ray's message: its first line, and the log without reports and progress."""
    first, *log = message.splitlines() or [""]
    # A log of the maximum length was cut and may begin in the middle of a line.
    log = log[1:] if len(message) >= _LOG_END_LENGTH else log
    value = [line for line in log if line.strip() and not _json_object(line) and not _RAY_LOG_HEADER.match(line)]
    return "\n".join([first.partition(", last available logs")[0], *value])


def _how_far(progress: dict[str, Any]) -> str:
    from pipeline.cli.console.progress_bar import progress_event

    # A job of another version may report other fields.
    with suppress(KeyError, TypeError):
        event = progress_event(progress)
        if event is not None:
            return progress_line(event, videos=progress["videos"], elapsed_seconds=progress["elapsed_seconds"])
    return "-"


def _fields(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "status": job.status,
        "started_seconds": job.started_seconds,
        "ended_seconds": job.ended_seconds,
        "exit_code": job.exit_code,
        "library": job.metadata.get("library"),
        "sources": job.metadata.get("sources"),
        "momentseek": job.metadata.get("momentseek"),
        "message": job.message,
    }


def _print_status(job: Job, counts: dict[str, int], progress: dict[str, Any]) -> None:
    from pipeline.render.text import printable

    lines = {
        "status": click.style(job.status, fg=_COLOURS.get(job.status)),
        "started": clock(job.started_seconds),
        "took" if job.has_ended else "for": _took(job),
        "library": printable(job.metadata.get("library", "-")),
        "sources": f"{job.metadata.get('sources', '-')} named",
        "reports": summary(counts),
        "progress": _how_far(progress),
        "version": f"momentseek {job.metadata.get('momentseek')}",
    }
    click.echo(job.id)
    for name, value in lines.items():
        click.echo(f"  {name:<9}{value}")
    if job.status == "FAILED":
        say(printable_lines(_why(job.message)))
