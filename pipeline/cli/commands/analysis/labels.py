"""`momentseek labels`: show what a library's videos are labelled with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.common_options import configured, in_library, require_library
from pipeline.cli.console.label_output import print_sets, write_chapters, write_rows, write_totals
from pipeline.cli.console.tables import complain, echo
from pipeline.cli.selection_options import selected, selecting

if TYPE_CHECKING:
    from pipeline.library.analysis.label_views import LabelView

__all__ = ["labels"]

_FRAME_SCORE = 0.5


@click.command()
@selecting
@click.option("--label", "chosen", metavar="NAME", multiple=True, help="Only this label; lists its intervals.")
@click.option(
    "--by", metavar="WHAT", help="Totals by video, by hour (of the day), or by an entry of metadata, e.g. camera."
)
@click.option("--segments", is_flag=True, help="List the intervals of all labels.")
@click.option("--frames", is_flag=True, help="List the scores of single frames.")
@click.option(
    "--min-score",
    metavar="SCORE",
    type=click.FloatRange(0, 1),
    help="Minimum confidence of an interval; with --frames, minimum score of a frame, by default 0.5.",
)
@click.option("--sets", is_flag=True, help="List the label sets of the library.")
@click.option(
    "--label-set",
    metavar="NAME",
    help="Label set, by name, file name or fingerprint. Default: the one applied last.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv", "parquet", "webvtt"]),
    help="Format of the output; webvtt writes the chapters of each video.",
)
@click.option("--output", "-o", metavar="PATH", help="Write to this file, or, for webvtt, into this folder.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line, as --format json does.")
@configured
@in_library
@click.pass_context
def labels(
    ctx: click.Context,
    *,
    names: Sequence[str],
    where: Sequence[str],
    missing: bool,
    chosen: Sequence[str],
    by: str | None,
    segments: bool,
    frames: bool,
    min_score: float | None,
    sets: bool,
    label_set: str | None,
    form: str | None,
    output: str | None,
    as_json: bool,
    config: str | None,
    overrides: Sequence[str],
    library: str | None,
) -> None:
    """Show what the videos of a library are labelled with: totals, intervals or the scores of frames.

    \b
    momentseek labels                             how often and how long each label is shown
    momentseek labels --by camera                 the same by camera, an entry of metadata
    momentseek labels --label forklift            its intervals
    momentseek labels --format webvtt -o chapters the intervals of each video, for players

    The exit code is 1 if the labels of a video cannot be read; the others are shown.
    """  # noqa: D301 - click knows the character itself, not a backslash and a b
    from pipeline.library.analysis.label_views import label_sets, open_view

    form = _form(form, as_json=as_json)
    views = {"--frames": frames, "--segments": segments, "--sets": sets}
    _check(form, output, by=by, views=[name for name, is_on in views.items() if is_on])
    with require_library(library, config, overrides) as opened:
        if sets:
            print_sets(label_sets(opened), as_json=form == "json")
            return
        found = selected(opened, names, where, missing=missing).records
        view = open_view(opened, found, label_set=label_set, labels=chosen)
        least = min_score if min_score is not None else _FRAME_SCORE if frames else 0.0
        if not frames and not view.tracked:
            raise click.UsageError("these labels are score_only, which makes no intervals; list scores by --frames")
        if form == "webvtt":
            write_chapters(view, least, output)
        elif frames:
            write_rows(view.frames(least), "frames", form, output)
        elif segments or (chosen and by is None):
            write_rows(view.segments(least), "segments", form, output)
        else:
            write_totals(view, by, least, form, output)
        _say_what_is_missing(view)
    ctx.exit(1 if view.problems else 0)


def _form(form: str | None, *, as_json: bool) -> str:
    if as_json and form not in (None, "json"):
        raise click.UsageError(f"--json and --format {form} exclude each other")
    return "json" if as_json else form or "table"


def _check(form: str, output: str | None, *, by: str | None, views: Sequence[str]) -> None:
    """Check options that exclude one another."""
    if form == "parquet" and output is None:
        raise click.UsageError("--format parquet writes to a file; name it by -o")
    if by is not None and (views or form == "webvtt"):
        raise click.UsageError(f"--by goes with totals; leave out {(*views, '--format webvtt')[0]}")
    # Chapters are the intervals of --segments.
    if len(views) > 1 or (form == "webvtt" and views not in ([], ["--segments"])):
        raise click.UsageError(f"{' and '.join((*views, '--format webvtt')[:2])} exclude each other")
    if output is not None and form != "webvtt" and not Path(output).absolute().parent.is_dir():
        raise click.UsageError(f"-o {output}: there is no such folder")


def _say_what_is_missing(view: LabelView) -> None:
    from pipeline.render.text import counted

    if view.unlabelled:
        have = "has" if view.unlabelled == 1 else "have"
        echo(
            f"{counted(view.unlabelled, 'video')} {have} no labels of the present frames; label by: momentseek label"
            f" {view.chosen.snapshot.name}",
            err=True,
        )
    if view.undated:
        name = view.library.config.search.recorded_at
        echo(f"not counted: {counted(view.undated, 'labelled video')} without metadata {name!r}", err=True)
    for error in view.problems:
        complain(f"error: {error}")
