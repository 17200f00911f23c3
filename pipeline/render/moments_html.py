"""Moments as an HTML table, for notebooks."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.render.markup import Markup, joined, tag
from pipeline.render.text import counted, file_name, score_text, time_text
from pipeline.types import Moment

__all__ = ["moments_html"]

_COLUMNS = ("#", "video", "from", "to", "best", "score")
_LONGEST_QUESTION = 300


def moments_html(
    question: str, moments: Sequence[Moment], *, found: int, first_rank: int, nearest: Moment | None, min_score: float
) -> Markup:
    """Draw a table of the moments that answer a question; all text is escaped.

    Args:
        question: The question.
        moments: The moments to show, best first.
        found: Total number of moments.
        first_rank: Rank of the first one shown, from 1.
        nearest: The nearest moment, if there are no others.
        min_score: The minimum score, 0 to 1, which the nearest moment did not reach.
    """
    shown = question if len(question) <= _LONGEST_QUESTION else f"{question[:_LONGEST_QUESTION]}…"
    if not moments:
        return tag("p", tag("b", shown), f": {_nothing(nearest, min_score)}")
    last = first_rank + len(moments) - 1
    summary = f": {counted(found, 'moment')}"
    if len(moments) < found:
        summary += f", ranks {first_rank} to {last} are shown"
    head = tag("tr", *(tag("th", name) for name in _COLUMNS))
    rows = [_row(str(rank), moment) for rank, moment in enumerate(moments, first_rank)]
    return joined([tag("p", tag("b", shown), summary), tag("table", tag("thead", head), tag("tbody", *rows))])


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


def _nothing(nearest: Moment | None, min_score: float) -> str:
    if nearest is None:
        return "nothing matches"
    return (
        f"nothing reaches the score {score_text(min_score)}; the nearest is {file_name(nearest.uri)} at"
        f" {time_text(nearest.best_seconds)} with {score_text(nearest.score)}"
    )
