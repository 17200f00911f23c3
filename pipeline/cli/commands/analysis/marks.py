"""`momentseek marks`: list, export, import and remove marks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO, TextIO

import click

from pipeline.cli.common_options import as_json, configured, in_library, require_library
from pipeline.cli.console.tables import complain, echo, print_json, print_table

if TYPE_CHECKING:
    from pipeline.analyze.marks.mark import Mark
    from pipeline.library import Library

__all__ = ["marks"]


@click.command()
@click.argument("subject", required=False)
@click.option("--video", "videos", metavar="VIDEO", multiple=True, help="Only marks of this video: a name, path or id.")
@click.option(
    "--export",
    "exported",
    type=click.File("w", encoding="utf-8", lazy=True),
    metavar="FILE.jsonl",
    help="Write the selected marks to this file.",
)
@click.option("--import", "imported", type=click.File("rb"), metavar="FILE.jsonl", help="Add the marks in this file.")
@click.option("--remove", "is_removal", is_flag=True, help="Remove the marks that SUBJECT and --video select.")
@configured
@in_library
@as_json
def marks(
    *,
    subject: str | None,
    videos: Sequence[str],
    exported: TextIO | None,
    imported: BinaryIO | None,
    is_removal: bool,
    config: str | None,
    overrides: Sequence[str],
    library: str | None,
    as_json: bool,
) -> None:
    """List marks, those of SUBJECT or all; or export, import or remove them.

    \b
    momentseek marks "hi-vis vest" --video gate.mp4
    momentseek marks --export marks.jsonl
    momentseek marks --import marks.jsonl

    An import is checked as a whole before it changes anything: a mark of a video that is not in the library is an error
    that names the line. `momentseek remove` also removes the marks of a video.
    """  # noqa: D301 - click knows the character itself, not a backslash and a b
    if sum((exported is not None, imported is not None, is_removal)) > 1:
        raise click.UsageError("--export, --import and --remove exclude one another; give one of them")
    if imported is not None and (subject or videos):
        raise click.UsageError("--import adds all marks of a file; leave out SUBJECT and --video")
    if is_removal and not (subject or videos):
        raise click.UsageError("say which marks to remove, by SUBJECT or --video")
    with require_library(library, config, overrides) as opened:
        if imported is not None:
            _import(opened, imported, as_json=as_json)
            return
        found, broken = _selected(opened, subject, videos)
        if is_removal:
            _remove(opened, found, as_json=as_json)
        elif exported is not None:
            exported.write("".join(f"{json.dumps(mark.as_json())}\n" for mark in found))
        elif as_json:
            for mark in found:
                print_json(mark.as_json())
        else:
            _print(opened, found)
    for problem in broken:
        complain(f"error: {problem}")
    if broken:
        raise click.exceptions.Exit(1)


def _selected(library: Library, subject: str | None, videos: Sequence[str]) -> tuple[list[Mark], list[str]]:
    """Read the selected marks, and the problems of files that are not marks."""
    from pipeline.library.analysis.marks import mark_store

    store = mark_store(library)
    found: list[Mark] = []
    broken: list[str] = []
    for video_id in library.find(*videos) if videos else (None,):
        marks, errors = store.survey(subject, video_id)
        found += marks
        broken += map(str, errors)
    return found, broken


def _import(library: Library, file: BinaryIO, *, as_json: bool) -> None:
    from pipeline.errors import QueryError
    from pipeline.library.analysis.marks import import_marks
    from pipeline.parsing import text_lines
    from pipeline.render.text import counted

    origin = str(getattr(file, "name", "standard input"))
    try:
        lines = list(text_lines(file))
    except ValueError as error:
        raise QueryError(f"{origin}: cannot be read: {error}; nothing was imported") from error
    added = import_marks(library, lines, origin)
    if as_json:
        for mark in added:
            print_json(mark.as_json())
    echo(f"{counted(len(added), 'mark')} imported", err=True)


def _remove(library: Library, found: Sequence[Mark], *, as_json: bool) -> None:
    from pipeline.library.analysis.marks import remove_marks
    from pipeline.render.text import counted

    removed = remove_marks(library, found)
    if as_json:
        for mark in found:
            print_json({**mark.as_json(), "removed": True})
    echo(f"{counted(removed, 'mark')} removed", err=True)


def _print(library: Library, found: Sequence[Mark]) -> None:
    from pipeline.render.text import counted, file_name
    from pipeline.timecode import format_seconds

    names = {record.video_id: file_name(record.last_name) for record in library.survey()[0]}
    rows = [
        [
            mark.subject,
            names.get(mark.video_id, f"{mark.video_id} (not in the library)"),
            format_seconds(mark.start_seconds),
            format_seconds(mark.end_seconds) if mark.end_seconds > mark.start_seconds else "",
            str(mark.verdict),
            mark.by,
            mark.marked_at,
            mark.note,
        ]
        for mark in found
    ]
    if rows:
        print_table(["subject", "video", "from", "to", "verdict", "by", "marked at", "note"], rows, right=(2, 3))
    yes = sum(mark.verdict == "yes" for mark in found)
    echo(f"{counted(len(found), 'mark')}: {yes} yes, {len(found) - yes} no", err=True)
