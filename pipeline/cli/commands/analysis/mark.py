"""`momentseek mark`: say whether parts of videos show a subject."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from pipeline.cli.common_options import as_json, configured, in_library, require_library
from pipeline.cli.console.tables import echo, print_json

if TYPE_CHECKING:
    from pipeline.library.analysis.marks import VideoPart

__all__ = ["mark", "parts_of"]


@click.command()
@click.argument("subject")
@click.argument("parts", nargs=-1, required=True, metavar="VIDEO@TIME...")
@click.option("--no", "is_no", is_flag=True, help="Mark the parts as not showing SUBJECT.")
@click.option("--note", default="", metavar="TEXT", help="A note that is stored with the marks.")
@click.option("--by", metavar="NAME", help="Name of the person who marks. Default: your user name.")
@configured
@in_library
@as_json
def mark(
    *,
    subject: str,
    parts: Sequence[str],
    is_no: bool,
    note: str,
    by: str | None,
    config: str | None,
    overrides: Sequence[str],
    library: str | None,
    as_json: bool,
) -> None:
    """Mark parts of videos as showing SUBJECT, or with --no as not showing it.

    \b
    momentseek mark "hi-vis vest" gate.mp4@12 yard.mp4@1:30-1:42
    momentseek mark "hi-vis vest" gate.mp4@40 --no --note "an orange jacket"

    VIDEO is a name, path, URI or id; TIME a point in time or an interval, e.g. 12, 1:30 or 1:30-1:42. Marks stay valid
    when videos are sampled or indexed again. A second mark of the same part and subject replaces the first.
    See docs/how-to/concepts.md.
    """  # noqa: D301 - click knows the character itself, not a backslash and a b
    from pipeline.analyze.marks.mark import Verdict
    from pipeline.library.analysis.marks import add_marks
    from pipeline.render.text import counted

    verdict = Verdict.NO if is_no else Verdict.YES
    with require_library(library, config, overrides) as opened:
        marks = add_marks(opened, subject, parts_of(parts, "VIDEO@TIME"), verdict, by=by, note=note)
    if as_json:
        for one in marks:
            print_json(one.as_json())
    else:
        echo(f"{counted(len(marks), 'part')} marked: {marks[0].subject}: {verdict}", err=True)


def parts_of(values: Sequence[str], option: str) -> list[VideoPart]:
    """Parse parts of videos, each VIDEO@TIME or VIDEO@FROM-TO.

    Args:
        values: As they were written.
        option: By which option or argument, for messages.

    Raises:
        UsageError: One has no time.
    """
    from pipeline.cli.question_options import video_part
    from pipeline.library.analysis.marks import VideoPart

    parts = []
    for value in values:
        fields = video_part("like", value)
        if "at" in fields:
            parts.append(VideoPart(fields["like"], fields["at"]))
        elif "start" in fields and "end" in fields:
            parts.append(VideoPart(fields["like"], fields["start"], fields["end"]))
        else:
            raise click.UsageError(f"{option} {value!r}: say when, as {fields['like']}@12 or {fields['like']}@12-15.5")
    return parts
