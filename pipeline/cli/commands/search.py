"""`momentseek search`: find the moments that answer a question."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.common_options import as_json, configured, in_library, require_library
from pipeline.cli.console.absences import print_absences, say_what_was_sampled
from pipeline.cli.console.answers import print_answer, print_explanation, say_what_is_missing
from pipeline.cli.console.tables import complain, echo, print_json, warn_of_problems
from pipeline.cli.console.written_files import write_picture
from pipeline.cli.question_options import OrderedCommand, QuestionInput, question_options
from pipeline.cli.served import asked_of_server

if TYPE_CHECKING:
    from pipeline.library import Library
    from pipeline.search import Answer, Query

__all__ = ["search"]


@click.command(cls=OrderedCommand)
@question_options
@click.option("--explain", is_flag=True, help="Also explain how the answer was found.")
@click.option("--sheet", type=click.Path(dir_okay=False, path_type=Path), help="Draw the moments into this PNG file.")
@click.option(
    "--clips",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write each moment as MP4 to this folder.",
)
@configured
@in_library
@as_json
def search(
    *,
    question: QuestionInput,
    explain: bool,
    sheet: Path | None,
    clips: Path | None,
    config: str | None,
    overrides: Sequence[str],
    library: str | None,
    as_json: bool,
) -> None:
    """Find the moments that show TEXT, best first.

    \b
    momentseek search "a person climbs" --and "a ladder" --not "a hard hat"
    momentseek search "a truck arrives" --then "a person unloads boxes" --within 30
    momentseek search --like gate.mp4@1:12.5 --per-video 1
    momentseek search --none "a person" --from 2026-11-20 --to 2026-11-21T06:00

    Scores range from 0 to 1 and mean the same for all questions; moments below --min-score are left out.
    Times are playback times, as a player shows them, written as 75.5, 1:15.5 or 0:01:15.5. A ± marks a start or an end
    that is uncertain by more than half a second. Clips start and end exactly with the moment; they are re-encoded,
    with the video's sound. If nothing matches, a message says so and the exit code is 0.
    See docs/how-to/search.md.
    """  # noqa: D301 - click expects the character itself, not a backslash and a b
    if question.lines is not None and (sheet is not None or clips is not None):
        raise click.UsageError("--queries only prints answers; use --sheet and --clips with one question at a time")
    if question.query is not None and question.query.none and (sheet is not None or clips is not None):
        raise click.UsageError(
            "--none lists stretches without a moment; there is nothing for --sheet and --clips to show"
        )
    if question.query is None:
        with require_library(library, config, overrides) as opened:
            _answer_lines(opened, question, explained=explain)
        return
    answer, is_whole = None, True
    if not (explain or sheet is not None or clips is not None or _names_files(question.query)):
        query = question.query
        answer = asked_of_server(lambda client: client.ask(query), library, config, overrides)
    if answer is not None:
        _print(answer, as_json=as_json)
    else:
        with require_library(library, config, overrides) as opened:
            answer = opened.ask(question.query)
            _print(answer, as_json=as_json, explained_for=opened if explain else None)
            if sheet is not None:
                _draw(opened, answer, sheet)
            is_whole, reported = (True, []) if clips is None else _export(opened, answer, clips)
            warn_of_problems(opened.indexed_videos, known=reported)
    _say_the_rest(answer)
    if _complain_of_broken(answer) or not is_whole:
        raise click.exceptions.Exit(1)


def _names_files(query: Query) -> bool:
    """Whether a question names pictures or videos outside the library, which are read here, not by a server."""
    return any(term.image or term.clip for step in query.steps for term in (*step.shows, *step.without))


def _say_the_rest(answer: Answer) -> None:
    for note in answer.notes:
        echo(note, err=True)
    if answer.query.none:
        say_what_was_sampled(answer)
    else:
        say_what_is_missing(answer)


def _complain_of_broken(answer: Answer) -> bool:
    """Report the videos that could not be searched because their files are broken; return whether there are any."""
    broken = [skipped for skipped in answer.explanation.skipped if skipped.is_broken]
    for skipped in broken:
        complain(f"error: not searched: {skipped.why}")
    return bool(broken)


def _print(answer: Answer, *, as_json: bool, explained_for: Library | None = None) -> None:
    """Print an answer, with its explanation if the library that it is explained for is given."""
    if as_json and explained_for is not None:
        print_json(_whole(answer, explained_for, explained=True))
    elif as_json:
        from pipeline.export.answer_json import absence_json, moment_json

        for moment in answer.moments:
            print_json(moment_json(moment))
        for absence in answer.absences:
            print_json(absence_json(absence))
    else:
        print_answer(answer)
        print_absences(answer)
        if explained_for is not None:
            print_explanation(answer, _prompts(explained_for))


def _prompts(library: Library) -> tuple[str, ...]:
    """Prompt templates that texts are put into; an encoder of another package takes texts unchanged."""
    prompts: tuple[str, ...] = getattr(library.config.encoder, "prompts", ("{}",))
    return prompts


def _whole(answer: Answer, library: Library, *, explained: bool) -> dict[str, Any]:
    from pipeline.export import answer_json

    fields = answer_json(answer, explained=explained)
    if explained:
        fields["explanation"]["prompts"] = list(_prompts(library))
    return fields


def _answer_lines(library: Library, question: QuestionInput, *, explained: bool) -> None:
    """Answer questions line by line, without reading ahead: a program may await an answer before the next question."""
    from pipeline.errors import MomentseekError
    from pipeline.render.text import counted
    from pipeline.search import as_query, read_query

    # Load the search first, so that a fault of the library is not reported as one of a question.
    library.searcher()
    failed = 0
    for number, line in enumerate(question.lines or (), 1):
        if not line.strip():
            continue
        answered: dict[str, Any] = {"line": number}
        try:
            query = as_query(read_query(line, f"line {number}"), question.given)
            answer = library.ask(query)
            answered |= _whole(answer, library, explained=explained)
            if broken := [skipped.why for skipped in answer.explanation.skipped if skipped.is_broken]:
                failed += 1
                answered["error"] = f"not searched: {'; '.join(broken)}"
        except MomentseekError as error:
            failed += 1
            answered["error"] = str(error)
        print_json(answered)
    if failed:
        echo(f"{counted(failed, 'question')} could not be answered", err=True)
        raise click.exceptions.Exit(1)


def _draw(library: Library, answer: Answer, path: Path) -> None:
    from pipeline.export import contact_sheet

    picture = contact_sheet(answer, library.indexed_videos)
    write_picture(path, picture)


def _export(library: Library, answer: Answer, folder: Path) -> tuple[bool, list[str]]:
    """Write the clips; return whether all could be written, and the problems of those that could not."""
    from pipeline.errors import VideoError
    from pipeline.export import clip_name, export_clip
    from pipeline.render.text import counted, printable

    written, problems = 0, []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for rank, moment in enumerate(answer.moments, answer.first_rank):
            try:
                export_clip(library.indexed_videos, moment, folder / clip_name(rank, moment))
            except VideoError as error:
                problems.append(str(error))
                echo(f"warning: no clip of moment {rank}: {printable(str(error))}", err=True)
            else:
                written += 1
    except OSError as error:
        raise click.ClickException(f"clips cannot be written: {error}") from error
    echo(f"wrote {counted(written, 'clip')} to {folder}", err=True)
    return not problems, problems
