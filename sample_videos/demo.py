"""The demo: five questions about the sample films, with the answers beside the truth.

`momentseek demo` indexes the films (`FILMS_FOLDER`), then calls `show_answers`. The truth is computed from the films'
scripts; nothing is drawn, so skia is not needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from pipeline.export import contact_sheet
from pipeline.library import Library
from pipeline.render.text import score_text
from pipeline.search import as_query
from pipeline.timecode import format_seconds
from pipeline.types import Moment
from sample_videos.films import Film, write_scripts
from sample_videos.labels import film_truth
from sample_videos.statements import CONCEPTS
from sample_videos.truth import Statement, bits

__all__ = ["FILMS_FOLDER", "QUESTIONS", "show_answers"]

FILMS_FOLDER = Path(__file__).resolve().parent
TOP = 6
QUESTIONS: dict[str, Statement] = {
    "person in hard hat": CONCEPTS["person in hard hat"],
    "forklift": CONCEPTS["forklift"],
    "damaged box": CONCEPTS["damaged box"],
    "person climbing a ladder": CONCEPTS["person climbing a ladder"],
    "a truck at night": Statement(scene=CONCEPTS["night"].scene, some=(bits("truck"),)),
}
_MARKS = {True: "✓", False: "✗", None: "?"}
Windows = Sequence[Sequence[float]]


def show_answers(library: Library, output: Path) -> None:
    """Ask the five questions; print each answer beside the labelled truth and draw it as a contact sheet.

    Args:
        library: Holds the sample films.
        output: An existing folder for the pictures.

    Raises:
        MomentseekError: A question cannot be answered.
        OSError: A picture cannot be written.
    """
    films = {film.name: film for film in write_scripts()}
    for number, (question, statement) in enumerate(QUESTIONS.items(), 1):
        truth = {name: _truth(film, statement) for name, film in films.items()}
        _answer(library, question, truth, output / f"{number}-{question.replace(' ', '-')}.png")


def _truth(film: Film, statement: Statement) -> Windows | None:
    windows, is_known = film_truth(film, statement)
    return windows if windows or is_known else None


def _answer(library: Library, question: str, truth: dict[str, Windows | None], picture: Path) -> None:
    answer = library.ask(as_query(question, {"top": TOP}))
    moments = answer.moments
    rights = [_is_right(moment, truth) for moment in moments]
    click.echo(
        f"\n{question!r}\n   {'video':<30}{'from':>10}{'to':>10}{'best':>10}{'score':>8}   labelled truth in that film"
    )
    for moment, is_right in zip(moments, rights, strict=True):
        times = "".join(
            f"{format_seconds(seconds):>10}"
            for seconds in (moment.start_seconds, moment.end_seconds, moment.best_seconds)
        )
        name = Path(moment.uri).name
        shown = _shown(truth.get(Path(name).stem))
        click.echo(f" {_MARKS[is_right]} {name:<30}{times}{score_text(moment.score):>8}   {shown}")
    if not moments:
        click.echo("   nothing matches")
    sheet = contact_sheet(answer, library.indexed_videos, is_right=rights)
    sheet.save(picture, format="PNG")
    click.echo(f"   picture: {picture}")


def _is_right(moment: Moment, truth: dict[str, Windows | None]) -> bool | None:
    """Whether the moment's best second lies in the labelled truth of its film; None where that cannot be said."""
    windows = truth.get(Path(moment.uri).stem)
    if windows is None:
        return None
    return any(start <= moment.best_seconds < end for start, end in windows)


def _shown(windows: Windows | None) -> str:
    if windows is None:
        return "cannot be said"
    return ", ".join(f"{format_seconds(start)}-{format_seconds(end)}" for start, end in windows) or "nowhere"
