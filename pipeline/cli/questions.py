"""`momentseek search`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import as_json, configured, in_library, require_library
from pipeline.cli.output import print_json, print_table

if TYPE_CHECKING:
    from pipeline.library import Library
    from pipeline.types import Moment, Scalar

__all__ = ["search"]


@click.command()
@click.argument("text")
@click.option("--top", "-n", type=click.IntRange(1, 1000), help="Most moments; else the configuration's number.")
@click.option("--video", "videos", metavar="VIDEO", multiple=True, help="Only in this video: a name, path or id.")
@click.option(
    "--where",
    metavar="NAME=VALUE",
    multiple=True,
    help="Only in videos with this metadata, as camera=gate.",
)
@click.option("--sheet", type=click.Path(dir_okay=False, path_type=Path), help="Draw the moments on one PNG picture.")
@click.option("--clips", type=click.Path(file_okay=False, path_type=Path), help="Write each moment as MP4 here.")
@configured
@in_library
@as_json
def search(
    *,
    text: str,
    top: int | None,
    videos: Sequence[str],
    where: Sequence[str],
    sheet: Path | None,
    clips: Path | None,
    config: str | None,
    overrides: Sequence[str],
    library: str | None,
    as_json: bool,
) -> None:
    """Find the moments that TEXT describes, best first.

    Times are on the video's playback clock, as a player shows them. Clips begin and end exactly where the moment does;
    they are encoded anew, without sound. Where nothing is found it says so, and the exit code is 0.
    """
    metadata = _metadata(where)
    with require_library(library, config, overrides) as opened:
        moments = opened.search(text, top=top, videos=videos, metadata=metadata)
        if as_json:
            for moment in moments:
                print_json(asdict(moment))
        else:
            _print_moments(moments)
        if sheet is not None:
            _draw(opened, text, moments, sheet)
        if clips is not None:
            _export(opened, moments, clips)
    if not moments:
        click.echo(f"nothing found for {text!r}", err=True)


def _metadata(where: Sequence[str]) -> dict[str, Scalar]:
    """What `--where` wants; its values read as those of a CSV manifest do."""
    from pipeline.video import scalar_of

    wanted = {}
    for condition in where:
        name, equals, value = condition.partition("=")
        if not name or not equals or not value:
            raise click.UsageError(f"--where {condition!r}: expected NAME=VALUE, as camera=gate")
        wanted[name] = scalar_of(value)
    return wanted


def _print_moments(moments: Sequence[Moment]) -> None:
    from pipeline.present.text import file_name, printable
    from pipeline.timecode import format_seconds

    places: dict[str, set[str]] = {}
    for moment in moments:
        places.setdefault(file_name(moment.uri), set()).add(moment.uri)
    rows = []
    for rank, moment in enumerate(moments, 1):
        name = file_name(moment.uri)
        times = moment.start_seconds, moment.end_seconds, moment.best_seconds
        shown = name if len(places[name]) == 1 else printable(moment.uri)
        rows.append([str(rank), shown, *map(format_seconds, times), f"{moment.score:.3f}"])
    if rows:
        print_table(["#", "video", "from", "to", "best", "score"], rows, right=(0, 2, 3, 4, 5))


def _draw(library: Library, text: str, moments: Sequence[Moment], path: Path) -> None:
    from pipeline.present import contact_sheet
    from pipeline.video import make_decoder

    picture = contact_sheet(text, moments, make_decoder(library.config.decoding, library.config.fetching))
    try:
        picture.save(path, format="PNG")
    except OSError as error:
        raise click.ClickException(f"the sheet cannot be written: {error}") from error
    click.echo(f"wrote {path}", err=True)


def _export(library: Library, moments: Sequence[Moment], folder: Path) -> None:
    from pipeline.errors import VideoError
    from pipeline.present import clip_name, export_clip, printable
    from pipeline.video import make_decoder

    decoder = make_decoder(library.config.decoding, library.config.fetching)
    written = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for rank, moment in enumerate(moments, 1):
            try:
                export_clip(decoder, moment, folder / clip_name(rank, moment))
            except VideoError as error:
                click.echo(f"no clip of moment {rank}: {printable(str(error))}", err=True)
            else:
                written += 1
    except OSError as error:
        raise click.ClickException(f"clips cannot be written: {error}") from error
    click.echo(f"wrote {written} clips to {folder}", err=True)
    if written < len(moments):
        raise click.exceptions.Exit(1)
