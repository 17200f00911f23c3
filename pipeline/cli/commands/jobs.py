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

from pipeline.cli.commands.index import report_fields, report_line, report_of, summary
from pipeline.cli.common_options import as_json
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
# How Ray begins a job's log; it says nothing of the batch.
_RAYS_OWN = re.compile(r"Running entrypoint for job |[\d :,-]+\tINFO job_manager\.py:")
_COLOURS = {"SUCCEEDED": "green", "FAILED": "red", "STOPPED": "yellow"}

at_address = click.option(
    "--address",
    "-a",
    metavar="URL",
    help="The cluster's dashboard, as http://head:8265; else RAY_API_SERVER_ADDRESS, else RAY_ADDRESS.",
)


@click.group()
def jobs() -> None:
    """List, follow and stop batches on a Ray cluster."""


@jobs.command("list")
@at_address
@as_json
def list_jobs(*, address: str | None, as_json: bool) -> None:
    """List the batches that were submitted to a cluster, oldest first."""
    from pipeline.render.text import counted, printable

    opened = _open(address)
    found = opened.jobs()
    if opened.is_dead():
        say(
            f"warning: {opened.address} says that no machine of the cluster is alive; start Ray there again"
            " (`ray status` shows its machines)",
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
    """Say how a batch is doing: its state, its reports so far, and how far it is.

    Exit code 0 while it runs and where all went well; otherwise that of the batch.
    """
    opened = _open(address)
    job = opened.job(job_id)
    told = [fields for line in opened.log(job_id).splitlines() if (fields := _json_object(line))]
    counts = dict(Counter(fields["status"] for fields in told if "segments" in fields))
    progress: dict[str, Any] = next((fields["progress"] for fields in reversed(told) if "progress" in fields), {})
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
    """Print a batch's reports on standard output, and all else that it wrote on standard error."""
    opened = _open(address)
    if follow:
        ctx.exit(follow_job(opened, job_id, as_json=as_json))
    shown = _Reports(None, as_json=as_json)
    for line in opened.log(job_id).splitlines():
        shown.take(line)


@jobs.command()
@click.argument("job_id", metavar="ID")
@at_address
def stop(*, job_id: str, address: str | None) -> None:
    """Stop a batch. Videos that are done are kept; submitted again, it goes on with the rest."""
    opened = _open(address)
    if (job := opened.job(job_id)).has_ended:
        say(f"{job_id} has ended already: {job.status}")
        return
    say(f"{job_id} is {opened.stop(job_id).status}")


def follow_job(opened: RayJobs, job_id: str, *, as_json: bool) -> int:
    """Show a job's reports until it ends; the exit code that it ended with."""
    from pipeline.cli.console.progress_bar import LiveBar

    try:
        with LiveBar(0) as bar:
            shown = _Reports(bar, as_json=as_json)
            job = opened.follow(job_id, shown.take)
    except KeyboardInterrupt:
        if not is_on():
            click.echo(err=True)
        say(
            f"{job_id} goes on; follow it again: momentseek jobs logs {job_id} --follow; end it: momentseek jobs stop"
            f" {job_id}"
        )
        raise
    code = _exit_code(job)
    say(f"{job_id} {job.status} after {_took(job)}")
    if shown.missed:
        say(
            f"{shown.missed} of the failed are on this machine and not on the cluster's, where they have to be, at the"
            " same path"
        )
    if job.status == "FAILED" and job.exit_code is None:
        # It did not come to run; what it wrote says nothing of why.
        say(printable_lines(job.message))
    elif job.exit_code == _NO_COMMAND:
        say("the cluster finds no `python`; start Ray from an activated environment (docs/how-to/jobs.md)")
    return code


class _Reports:
    """Shows the lines of a job's log as `momentseek index` would.

    Attributes:
        missed: How many names stand for something on this machine, and for nothing on the cluster's.
    """

    def __init__(self, bar: LiveBar | None, *, as_json: bool) -> None:
        self._bar = bar
        self._as_json = as_json
        self.missed = 0

    def take(self, line: str) -> None:
        from pipeline.io.local_files import NO_SUCH_FILE

        fields = _json_object(line)
        try:
            if "progress" in fields:
                self._progress(fields["progress"])
                return
            report = report_of(fields)
        except (KeyError, TypeError, ValueError):
            if not _RAYS_OWN.match(line):
                with self._aside(is_error=True):
                    say(printable_lines(line))
            return
        if (report.problem or "").startswith(NO_SUCH_FILE):
            self.missed += os.path.exists(report.source.uri)  # noqa: PTH110 - takes any text
        with self._aside(is_error=False):
            click.echo(json.dumps(report_fields(report)) if self._as_json else report_line(report))

    def _progress(self, fields: dict[str, Any]) -> None:
        from pipeline.cli.console.progress_bar import progress_event

        event = progress_event(fields)
        if self._bar is not None:
            self._bar.of(int(fields["videos"]))
            if event is not None:
                self._bar.update(event, elapsed_seconds=fields.get("elapsed_seconds"))
                if event.videos_ended >= fields["videos"]:
                    self._bar.finish()

    def _aside(self, *, is_error: bool) -> AbstractContextManager[None]:
        return nullcontext() if self._bar is None else self._bar.aside(is_error=is_error)


def clock(seconds: float | None) -> str:
    """A time since 1970 as this machine's clock shows it."""
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
    """What Ray says of a job that failed, with the end of its log, of which reports and progress are left out."""
    first, *log = message.splitlines() or [""]
    # A log that was cut may begin within a line.
    log = log[1:] if len(message) >= _LOG_END_LENGTH else log
    said = [line for line in log if line.strip() and not _json_object(line) and not _RAYS_OWN.match(line)]
    return "\n".join([first.partition(", last available logs")[0], *said])


def _how_far(progress: dict[str, Any]) -> str:
    from pipeline.cli.console.progress_bar import progress_event

    # A job of another version may say other things.
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
    for name, said in lines.items():
        click.echo(f"  {name:<9}{said}")
    if job.status == "FAILED":
        say(printable_lines(_why(job.message)))
