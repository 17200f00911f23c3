"""Answers as HTML, for notebooks."""

from __future__ import annotations

from pipeline.render.markup import Markup, joined, tag
from pipeline.render.text import counted, file_name, score_text, time_text
from pipeline.search import Answer
from pipeline.types import Moment

__all__ = ["answer_html"]

_COLUMNS = ("#", "video", "from", "to", "best", "score")
_LONGEST_QUESTION = 300


def answer_html(answer: Answer) -> Markup:
    """A table of an answer's moments, or what came nearest where nothing matches; all text is escaped."""
    question = str(answer.query)
    shown = question if len(question) <= _LONGEST_QUESTION else f"{question[:_LONGEST_QUESTION]}…"
    if not answer.moments:
        return tag("p", tag("b", shown), f": {_nothing(answer)}")
    last = answer.first_rank + len(answer.moments) - 1
    found = f": {counted(answer.found, 'moment')}"
    if last - answer.first_rank + 1 < answer.found:
        found += f", ranks {answer.first_rank} to {last} are shown"
    head = tag("tr", *(tag("th", name) for name in _COLUMNS))
    rows = [_row(str(rank), moment) for rank, moment in enumerate(answer.moments, answer.first_rank)]
    return joined([tag("p", tag("b", shown), found), tag("table", tag("thead", head), tag("tbody", *rows))])


def _row(rank: str, moment: Moment) -> Markup:
    name = file_name(moment.uri)
    cells = (
        rank,
        f"{name} (gone)" if moment.is_gone else name,
        time_text(moment.start_seconds, moment.start_uncertainty_seconds),
        time_text(moment.end_seconds, moment.end_uncertainty_seconds),
        time_text(moment.best_seconds),
        score_text(moment.score),
    )
    return tag("tr", *(tag("td", cell) for cell in cells))


def _nothing(answer: Answer) -> str:
    nearest = answer.nearest
    if nearest is None:
        return "nothing matches"
    return (
        f"nothing reaches the score {score_text(answer.min_score)}; the nearest is {file_name(nearest.uri)} at"
        f" {time_text(nearest.best_seconds)} with {score_text(nearest.score)}"
    )
