"""`momentseek cuts`: list the shots of videos, without a library."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.common_options import as_json
from pipeline.cli.console.tables import print_json, print_table
from pipeline.processors import usable_processors

if TYPE_CHECKING:
    from pipeline.sampling import ShotList, Transition

__all__ = ["cuts"]

# Wide enough for videos of more than an hour, so that the columns of all videos line up.
_TIME_WIDTH = len("0:00:00.000")


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...")
@click.option(
    "--set",
    "overrides",
    metavar="NAME=VALUE",
    multiple=True,
    help="Override a setting of the detector, e.g. detector=content or threshold=4.",
)
@as_json
@click.pass_context
def cuts(ctx: click.Context, *, paths: Sequence[str], overrides: Sequence[str], as_json: bool) -> None:
    """List the shots of videos, or of all videos of folders.

    A cut belongs to the shot that it begins. Only as much of a video is decoded as the detector needs. The exit code
    is 1 if a video fails; the others are still processed.
    """
    from pipeline.config import validate, with_overrides
    from pipeline.errors import VideoError
    from pipeline.io.named_hosts import with_named_hosts
    from pipeline.io.settings import Fetching
    from pipeline.render.text import file_name, printable
    from pipeline.sampling import CutDetection, find_shots
    from pipeline.sources import expand
    from pipeline.uris import public_name
    from pipeline.video import Decoding, make_decoder

    if "" in paths:
        raise click.UsageError("one of PATHS is empty; name a file or a folder")
    settings = validate(CutDetection, with_overrides({}, overrides))
    # Videos are processed one at a time, so each one may use all processors.
    fetching = with_named_hosts(Fetching(), paths)
    decoder = make_decoder(Decoding(threads=min(8, usable_processors())), fetching)
    has_failed = has_table = False
    sources = list(expand(paths, fetching))
    name_width = max((len(file_name(public_name(source.uri))) for source in sources), default=0)
    for source in sources:
        name = public_name(source.uri)
        try:
            with decoder.open(source.uri) as stream:
                shots = find_shots(stream, settings)
        except Exception as error:  # whatever fails in one video, the others are processed
            if not isinstance(error, VideoError) and os.environ.get("MOMENTSEEK_DEBUG"):
                raise
            click.echo(f"error: {printable(_problem(name, error))}", err=True)
            has_failed = True
            continue
        for damage in shots.damage:
            click.echo(f"{printable(name)}: {printable(damage)}", err=True)
        if as_json:
            print_json(_fields(name, shots))
        else:
            _print_shots(name, shots, name_width=name_width, is_continued=has_table)
            has_table = True
    ctx.exit(1 if has_failed else 0)


def _problem(name: str, error: Exception) -> str:
    from pipeline.errors import MomentseekError, VideoError
    from pipeline.uris import public_text

    if isinstance(error, VideoError):
        return str(error)
    if isinstance(error, MomentseekError):
        return f"{name!r}: {error}"
    problem = f"unexpected {type(error).__name__}: {public_text(str(error))}"
    return f"{name!r}: {problem} (a bug in momentseek; --debug shows the traceback)"


def _fields(uri: str, shots: ShotList) -> dict[str, Any]:
    return {
        "uri": uri,
        "cuts_seconds": [*map(float, shots.cuts)],
        "transitions": [
            {
                "kind": transition.kind,
                "start_seconds": float(transition.start_seconds),
                "end_seconds": float(transition.end_seconds),
            }
            for transition in shots.transitions
        ],
        "duration_seconds": float(shots.end),
    }


def _ends(transition: Transition) -> tuple[Fraction, Fraction]:
    return transition.start_seconds, transition.end_seconds


def _print_shots(uri: str, shots: ShotList, *, name_width: int, is_continued: bool) -> None:
    from pipeline.render.text import file_name
    from pipeline.timecode import format_seconds

    name = file_name(uri)
    times = ["0:00.000", *(format_seconds(float(time)) for time in (*shots.cuts, shots.end))]
    rows = [[name, str(number), *of_shot] for number, of_shot in enumerate(pairwise(times), 1)]
    rows += [
        [name, transition.kind.replace("_", " "), *(format_seconds(float(time)) for time in _ends(transition))]
        for transition in shots.transitions
    ]
    header, min_widths = ["video", "shot", "from", "to"], (name_width, 0, _TIME_WIDTH, _TIME_WIDTH)
    print_table(header, rows, right=(1, 2, 3), min_widths=min_widths, is_continued=is_continued)
