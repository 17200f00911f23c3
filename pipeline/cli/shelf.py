"""`momentseek videos`, `momentseek remove` and `momentseek doctor`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import as_json, configured, in_library, library_config, require_library
from pipeline.cli.output import complain, print_json, print_table

if TYPE_CHECKING:
    from pipeline.types import FailedSource, VideoRecord

__all__ = ["doctor", "remove", "videos"]

_COLOURS = {"ok": "green", "note": "yellow", "broken": "red"}


@click.command()
@configured
@in_library
@click.option("--failed", is_flag=True, help="The sources whose latest try failed, and why.")
@as_json
@click.pass_context
def videos(
    ctx: click.Context,
    *,
    config: str | None,
    overrides: Sequence[str],
    library: str | None,
    failed: bool,
    as_json: bool,
) -> None:
    """List the videos of a library.

    Exit code 1 if the file of one cannot be read; the others are listed.
    """
    with require_library(library, config, overrides) as opened:
        if failed:
            _print_failures(opened.failures(), as_json=as_json)
            return
        records, broken = opened.survey()
    if as_json:
        for record in records:
            print_json(_fields(record))
    else:
        _print_records(records)
    for error in broken.values():
        complain(f"error: {error}")
    ctx.exit(1 if broken else 0)


def _print_records(records: Sequence[VideoRecord]) -> None:
    from pipeline.present.text import counted, printable
    from pipeline.timecode import format_seconds

    rows = [
        [
            record.video_id,
            str(record.status),
            format_seconds(record.duration_seconds),
            str(record.frame_count),
            printable(", ".join(record.names) or f"none; was {', '.join(record.former_names)}, now another video"),
        ]
        for record in records
    ]
    if rows:
        print_table(["id", "status", "duration", "frames", "names"], rows, right=(2, 3))
    click.echo(counted(len(rows), "video"), err=True)


def _print_failures(failures: Sequence[FailedSource], *, as_json: bool) -> None:
    from pipeline.present.text import counted, printable

    if as_json:
        for failure in failures:
            fields = asdict(failure)
            source = fields.pop("source")
            print_json({"uri": source["uri"], **fields, "metadata": source["metadata"]})
        return
    rows = [[failure.failed_at, printable(failure.source.uri), printable(failure.problem)] for failure in failures]
    if rows:
        print_table(["failed at", "source", "why"], rows)
    again = "; try again by: momentseek index --retry-failed" if rows else ""
    click.echo(f"{counted(len(rows), 'failed source')}{again}", err=True)


def _fields(record: VideoRecord) -> dict[str, Any]:
    return {
        "video_id": record.video_id,
        "names": list(record.names),
        "former_names": list(record.former_names),
        "status": str(record.status),
        "duration_seconds": record.duration_seconds,
        "covered_seconds": record.covered_seconds,
        "frame_count": record.frame_count,
        "problem": record.problem,
        "width": record.info.width,
        "height": record.info.height,
        "codec": record.info.codec,
        "metadata": dict(record.metadata),
    }


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="VIDEO...")
@configured
@in_library
@as_json
def remove(
    *, names: Sequence[str], config: str | None, overrides: Sequence[str], library: str | None, as_json: bool
) -> None:
    """Take videos out of a library, by name, path or id; the files themselves are left alone.

    Prints a receipt for each: what was removed, and what was still found of it afterwards, which is nothing. Ended
    early, it can be run again by the video's id.
    """
    from pipeline.present.text import counted, printable

    with require_library(library, config, overrides) as opened:
        # All names are looked up first: a wrong one removes nothing.
        chosen = [(name, opened.find_removable(name)) for name in names]
        for name, _ in chosen:
            removed = opened.remove(name)
            if as_json:
                print_json(asdict(removed))
                continue
            names_of = f" ({', '.join(map(printable, removed.names))})" if removed.names else ""
            click.echo(
                f"removed {printable(removed.video_id)}{names_of}: {counted(removed.segments, 'segment')},"
                f" {counted(removed.frames, 'frame embedding')}, {counted(removed.files, 'file')};"
                f" {removed.remaining_segments + removed.remaining_files} found afterwards"
            )


@click.command()
@configured
@in_library
@as_json
@click.pass_context
def doctor(
    ctx: click.Context, *, config: str | None, overrides: Sequence[str], library: str | None, as_json: bool
) -> None:
    """Check whether all that momentseek needs works here, and say what to do where it doesn't.

    Exit code 1 if something that is needed is broken.
    """
    from pipeline.doctor import examine
    from pipeline.errors import UntrustedLibraryError
    from pipeline.present.text import printable
    from pipeline.run_config import RunConfig

    refused = None
    try:
        settings = library_config(library, config, overrides)
    except UntrustedLibraryError as error:
        settings, refused = RunConfig(library=library or RunConfig().library), error
    is_well = True
    for finding in examine(settings, refused):
        is_well = is_well and finding.state != "broken"
        if as_json:
            print_json(asdict(finding))
            continue
        click.echo(f"{click.style(f'{finding.state:<8}', fg=_COLOURS[finding.state])}{finding.what:<16}", nl=False)
        click.echo(printable(finding.said))
        if finding.remedy:
            click.echo(f"{'':<24}{printable(finding.remedy)}")
    ctx.exit(0 if is_well else 1)
