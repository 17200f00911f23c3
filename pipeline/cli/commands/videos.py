"""`momentseek videos`: list the videos of a library, or the sources that failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from pipeline.cli.common_options import as_json, configured, in_library, require_library
from pipeline.cli.console.tables import complain, print_json, print_table
from pipeline.cli.selection_options import say_unlabelled, selected, selecting

if TYPE_CHECKING:
    from pipeline.errors import StoreError
    from pipeline.types import FailedSource, VideoRecord

__all__ = ["videos"]


@click.command()
@selecting
@configured
@in_library
@click.option("--label", "labels", metavar="LABEL", multiple=True, help="Only videos that show this label somewhere.")
@click.option(
    "--without-label", "without", metavar="LABEL", multiple=True, help="Only labelled videos that show it nowhere."
)
@click.option("--failed", is_flag=True, help="List the sources whose latest attempt failed, and why.")
@as_json
@click.pass_context
def videos(
    ctx: click.Context,
    *,
    names: Sequence[str],
    where: Sequence[str],
    missing: bool,
    config: str | None,
    overrides: Sequence[str],
    library: str | None,
    labels: Sequence[str],
    without: Sequence[str],
    failed: bool,
    as_json: bool,
) -> None:
    """List the videos of a library, or those that VIDEO (names or patterns) and the options select.

    Videos without labels match neither --label nor --without-label: they are named on standard error.

    The exit code is 1 if the file of a video cannot be read; the others are still listed.
    """
    if not (names or where or missing or labels or without or failed):
        from pipeline.cli.served import asked_of_server

        survey = asked_of_server(lambda client: client.survey(), library, config, overrides)
        if survey is not None:
            ctx.exit(_print_survey(*survey, as_json=as_json))
    with require_library(library, config, overrides) as opened:
        if failed:
            if names or where or missing or labels or without:
                raise click.UsageError("--failed lists all failed sources; leave out the options that select videos")
            _print_failures(opened.failures(), as_json=as_json)
            return
        records: Sequence[VideoRecord]
        is_selection = bool(names or where or missing or labels or without)
        if as_json and not is_selection:
            ctx.exit(_print_listed(opened.listed()))
        records, broken = opened.survey()
        if is_selection:
            found = selected(opened, names, where, missing=missing, labels=labels, without_labels=without)
            records, broken = found.records, {**broken, **found.broken}
            say_unlabelled(opened, found)
    ctx.exit(_print_survey(records, broken, as_json=as_json))


def _print_survey(records: Sequence[VideoRecord], broken: Mapping[str, StoreError], *, as_json: bool) -> int:
    """Print the records and the errors of unreadable records; return the exit code."""
    if as_json:
        from pipeline.types.video_json import video_json

        for record in records:
            print_json(video_json(record))
    else:
        _print_records(records)
    for error in broken.values():
        complain(f"error: {error}")
    return 1 if broken else 0


def _print_listed(found: Iterable[VideoRecord | StoreError]) -> int:
    """Print records as JSON while they are read, and the errors at the end; return the exit code."""
    from pipeline.errors import StoreError
    from pipeline.types.video_json import video_json

    broken = []
    for one in found:
        if isinstance(one, StoreError):
            broken.append(one)
        else:
            print_json(video_json(one))
    for error in broken:
        complain(f"error: {error}")
    return 1 if broken else 0


def _print_records(records: Sequence[VideoRecord]) -> None:
    from pipeline.render.text import counted, printable
    from pipeline.search.filters.metadata import metadata_text
    from pipeline.timecode import format_seconds

    rows = [
        [
            record.video_id,
            str(record.status),
            format_seconds(record.duration_seconds),
            str(record.frame_count),
            printable(metadata_text(record.metadata)),
            printable(", ".join(record.names) or f"none; was {', '.join(record.former_names)}, now another video"),
        ]
        for record in records
    ]
    columns = ["id", "status", "duration", "frames", "metadata", "names"]
    if not any(record.metadata for record in records):
        columns, rows = [*columns[:4], columns[5]], [[*row[:4], row[5]] for row in rows]
    if rows:
        print_table(columns, rows, right=(2, 3))
    click.echo(counted(len(rows), "video"), err=True)


def _print_failures(failures: Sequence[FailedSource], *, as_json: bool) -> None:
    from pipeline.render.text import counted, printable

    if as_json:
        for failure in failures:
            fields = asdict(failure)
            source = fields.pop("source")
            print_json({"uri": source["uri"], **fields, "metadata": source["metadata"]})
        return
    rows = [[failure.failed_at, printable(failure.source.uri), printable(failure.problem)] for failure in failures]
    if rows:
        print_table(["failed at", "source", "why"], rows)
    again = "; retry them with: momentseek index --retry-failed" if rows else ""
    click.echo(f"{counted(len(rows), 'failed source')}{again}", err=True)
