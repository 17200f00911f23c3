"""The demo: index the sample films through Ray, ask five questions, and show the answers beside the truth.

`make demo` runs it; everything it writes lies in demo-output/.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.cli import main as momentseek
from pipeline.errors import MomentseekError
from pipeline.library import Library
from pipeline.present import contact_sheet, score_text
from pipeline.search import as_query
from pipeline.timecode import format_seconds
from pipeline.types import Moment
from sample_videos.films import Film, write_scripts
from sample_videos.labels import film_truth
from sample_videos.statements import CONCEPTS
from sample_videos.truth import Statement, bits

FILMS = Path(__file__).resolve().parent
OUTPUT = FILMS.parent / "demo-output"
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


def main() -> int:
    """Run the demo and return its exit code."""
    library = OUTPUT / "library"
    print("Indexing the sample films through Ray ...", file=sys.stderr)
    code = momentseek(["index", str(FILMS), "--config", "demo", "--library", str(library)])
    if code:
        return code
    films = {film.name: film for film in write_scripts()}
    try:
        with Library.open(library) as opened:
            for number, (question, statement) in enumerate(QUESTIONS.items(), 1):
                _answer(opened, number, question, {name: _truth(film, statement) for name, film in films.items()})
    except MomentseekError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    place = library.relative_to(FILMS.parent)
    print(f"\nAsk your own:\n  .venv/bin/momentseek search --library {place} 'a dog in the snow'")
    return 0


def _truth(film: Film, statement: Statement) -> Windows | None:
    windows, is_known = film_truth(film, statement)
    return windows if windows or is_known else None


def _answer(library: Library, number: int, question: str, truth: dict[str, Windows | None]) -> None:
    answer = library.ask(as_query(question, {"top": TOP}))
    moments = answer.moments
    rights = [_is_right(moment, truth) for moment in moments]
    print(
        f"\n{question!r}\n   {'video':<30}{'from':>10}{'to':>10}{'best':>10}{'score':>8}   labelled truth in that film"
    )
    for moment, is_right in zip(moments, rights, strict=True):
        times = "".join(
            f"{format_seconds(seconds):>10}"
            for seconds in (moment.start_seconds, moment.end_seconds, moment.best_seconds)
        )
        name = Path(moment.uri).name
        shown = _shown(truth.get(Path(name).stem))
        print(f" {_MARKS[is_right]} {name:<30}{times}{score_text(moment.score):>8}   {shown}")
    if not moments:
        print("   nothing matches")
    path = OUTPUT / f"{number}-{question.replace(' ', '-')}.png"
    sheet = contact_sheet(answer, library.indexed_videos, is_right=rights)
    sheet.save(path, format="PNG")
    print(f"   picture: {path.relative_to(FILMS.parent)}")


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


if __name__ == "__main__":
    sys.exit(main())
