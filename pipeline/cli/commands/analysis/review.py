"""`momentseek review`: say yes or no to what is uncertain or flagged."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from pipeline.cli.common_options import as_json, configured, in_library, require_library
from pipeline.cli.console.tables import echo, print_json, warn_of_problems
from pipeline.cli.selection_options import metadata_of

if TYPE_CHECKING:
    from pipeline.analyze.labels.label_set import LabelSet
    from pipeline.analyze.review import QueueSettings, ReviewItem
    from pipeline.library import Library

__all__ = ["review"]


@click.command()
@click.argument("subject", required=False)
@click.option("--text", metavar="TEXT", help="Score frames by this text. Default: SUBJECT or its concept.")
@click.option("--labels", metavar="NAME_OR_PATH", help="Score frames by the label SUBJECT of this label file.")
@click.option("--flags", type=click.File("rb"), metavar="FILE.jsonl", help="Review the parts that this file lists.")
@click.option("--video", "videos", metavar="VIDEO", multiple=True, help="Only this video: a name, path, id or pattern.")
@click.option("--where", metavar="NAME=VALUE", multiple=True, help="Only videos with this metadata, e.g. camera=gate.")
@click.option(
    "--count",
    "-n",
    metavar="N",
    type=click.IntRange(1, 10_000),
    default=20,
    show_default=True,
    help="Maximum number of items.",
)
@click.option(
    "--exit",
    "least",
    type=click.FloatRange(0, 1),
    default=0.2,
    show_default=True,
    metavar="SCORE",
    help="Minimum score of an uncertain frame.",
)
@click.option(
    "--enter",
    "most",
    type=click.FloatRange(0, 1),
    default=0.8,
    show_default=True,
    metavar="SCORE",
    help="Maximum score of an uncertain frame.",
)
@click.option(
    "--sheets",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the pictures in this folder.",
)
@click.option(
    "--answers",
    type=click.File("rb"),
    metavar="FILE.jsonl",
    help="Write the answers in this file as marks; - for stdin.",
)
@click.option("--blocks/--no-blocks", default=None, help="Draw frames on the terminal; by default where it can.")
@configured
@in_library
@as_json
def review(
    *,
    subject: str | None,
    text: str | None,
    labels: str | None,
    flags: BinaryIO | None,
    videos: Sequence[str],
    where: Sequence[str],
    count: int,
    least: float,
    most: float,
    sheets: Path | None,
    answers: BinaryIO | None,
    blocks: bool | None,
    config: str | None,
    overrides: Sequence[str],
    library: str | None,
    as_json: bool,
) -> None:
    """Look at the frames that are most uncertain for SUBJECT, and say whether they show it.

    \b
    momentseek review "hi-vis vest"
    momentseek review concept:hi-vis --where camera=gate
    momentseek review --flags flagged.jsonl
    momentseek review "hi-vis vest" --json --sheets sheets > queue.jsonl
    momentseek review "hi-vis vest" --answers answers.jsonl

    Frames that score between --exit and --enter are uncertain. Each answer becomes a mark at once, so Ctrl-C loses
    nothing, and marked frames are not asked about again. With --json the queue is printed and nothing is asked;
    --answers reads its lines back, each with a "verdict": yes, no or skip. See docs/how-to/concepts.md.
    """  # noqa: D301 - click knows the character itself, not a backslash and a b
    if subject is None and flags is None and answers is None:
        raise click.UsageError("say what is asked, as SUBJECT, or name a file of flagged parts by --flags")
    if flags is not None and (videos or where or text or labels):
        raise click.UsageError("--flags lists the parts itself; leave out --video, --where, --text and --labels")
    if text and labels:
        raise click.UsageError("frames are scored by --text or by --labels; give one of them")
    with require_library(library, config, overrides) as opened:
        if answers is not None:
            _take_answers(opened, answers, subject or "", as_json=as_json)
            return
        settings = _settings(count, least, most)
        selection = {
            "text": text,
            "labels": _label_set(labels),
            "videos": videos,
            "where": metadata_of(where, "--where"),
        }
        items = _items(opened, subject, flags, settings, selection)
        if as_json:
            _print(opened, items, sheets)
        else:
            _walk(opened, items, sheets, blocks)
        warn_of_problems(opened.indexed_videos)


def _label_set(labels: str | None) -> LabelSet | None:
    from pipeline.analyze.labels.label_set import read_label_set

    return None if labels is None else read_label_set(labels)


def _settings(count: int, least: float, most: float) -> QueueSettings:
    from pipeline.analyze.review import QueueSettings

    try:
        return QueueSettings(count=count, exit=least, enter=most)
    except ValueError as error:
        raise click.UsageError(f"--exit and --enter: {error}; both are between 0 and 1") from error


def _items(
    library: Library,
    subject: str | None,
    flags: BinaryIO | None,
    settings: QueueSettings,
    selection: dict[str, Any],
) -> Sequence[ReviewItem]:
    from pipeline.analyze.review.review_item import read_flags
    from pipeline.library.analysis.review import flagged_review, open_review

    if flags is not None:
        found = read_flags(_lines(flags), _name_of(flags), subject=subject)
        return flagged_review(library, found, subject=subject)[: settings.count]
    opened = open_review(library, str(subject), settings, **selection)
    for note in opened.notes:
        echo(f"warning: {note}", err=True)
    if opened.scored_by != opened.subject:
        echo(f"scored by {opened.scored_by}", err=True)
    return opened.items


def _lines(file: BinaryIO) -> list[str]:
    from pipeline.errors import QueryError
    from pipeline.parsing import text_lines

    try:
        return list(text_lines(file))
    except ValueError as error:
        raise QueryError(f"{_name_of(file)}: cannot be read: {error}") from error


def _name_of(file: BinaryIO) -> str:
    return str(getattr(file, "name", "standard input"))


def _print(library: Library, items: Sequence[ReviewItem], sheets: Path | None) -> None:
    from pipeline.cli.console.review_walk import write_sheet

    if sheets is not None:
        _make(sheets)
    for number, item in enumerate(items, 1):
        record = library.store.record(item.video_id)
        fields = {**item.as_json(), "uri": None if record is None else record.last_name}
        if sheets is not None:
            path, _ = write_sheet(library, item, sheets, number)
            fields["sheet"] = None if path is None else str(path)
        print_json(fields)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(f"the folder of the pictures cannot be made: {error}") from error


def _walk(library: Library, items: Sequence[ReviewItem], sheets: Path | None, blocks: bool | None) -> None:
    from pipeline.cli.console.block_picture import can_show_blocks
    from pipeline.cli.console.review_walk import ReviewWalk
    from pipeline.library.index_handle import check_writable
    from pipeline.render.text import counted

    if not items:
        echo("nothing waits for review", err=True)
        return
    check_writable(library.config.library)
    if sheets is not None:
        _make(sheets)
    has_blocks = can_show_blocks() if blocks is None else blocks
    with tempfile.TemporaryDirectory(prefix="momentseek-review-") if sheets is None else nullcontext(sheets) as folder:
        walk = ReviewWalk(library, items, Path(folder), has_blocks)
        try:
            walk.run()
        finally:
            echo(f"{counted(walk.written, 'mark')} written, {walk.skipped} skipped", err=True)
    if walk.written:
        _refit(library, {item.subject for item in items})


def _take_answers(library: Library, file: BinaryIO, subject: str, *, as_json: bool) -> None:
    from pipeline.library.analysis.review import read_answers, write_answers
    from pipeline.render.text import counted

    marks, skipped = read_answers(_lines(file), _name_of(file), subject=subject)
    write_answers(library, marks)
    if as_json:
        for mark in marks:
            print_json(mark.as_json())
    echo(f"{counted(len(marks), 'mark')} written, {skipped} skipped", err=True)
    _refit(library, {mark.subject for mark in marks})


def _refit(library: Library, subjects: set[str]) -> None:
    """Fit the concepts of these subjects again, and say so."""
    from pipeline.cli.commands.analysis.concept import said_of
    from pipeline.library.analysis.concepts import refit_changed

    for subject in sorted(subjects):
        for concept in refit_changed(library, subject):
            echo(f"fitted again: {said_of(concept)}", err=True)
