"""Print the answers of `search --none` on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.cli.console.answers import say_unlabelled
from pipeline.cli.console.tables import echo, print_table

if TYPE_CHECKING:
    from pipeline.search import Answer
    from pipeline.search.answer import Skipped

__all__ = ["print_absences", "say_what_was_sampled"]


def print_absences(answer: Answer) -> None:
    """The stretches as a table; "whole" marks those of videos in which nothing answers at all."""
    from pipeline.render.text import file_name, printable, score_text, time_text
    from pipeline.timecode import format_seconds

    # A file name says too little where several videos have it.
    places: dict[str, set[str]] = {}
    for absence in answer.absences:
        places.setdefault(file_name(absence.uri), set()).add(absence.uri)
    rows = []
    for rank, one in enumerate(answer.absences, answer.first_rank):
        name = file_name(one.uri)
        shown = name if len(places[name]) == 1 else printable(one.uri)
        rows.append(
            [
                str(rank),
                f"{shown} (gone)" if one.is_gone else shown,
                time_text(one.start_seconds, one.start_uncertainty_seconds),
                time_text(one.end_seconds, one.end_uncertainty_seconds),
                "whole" if one.is_whole else "",
                str(one.frames),
                format_seconds(one.largest_gap_seconds),
                f"{score_text(one.nearest_score)} at {format_seconds(one.nearest_seconds)}",
                "" if one.recorded_at is None else f"{one.recorded_at:%Y-%m-%d %H:%M:%S}",
            ]
        )
    columns = ["#", "video", "from", "to", "video is", "frames", "largest gap", "nearest", "recorded"]
    if rows:
        shown_columns = len(columns) if any(row[-1] for row in rows) else len(columns) - 1
        print_table(columns[:shown_columns], [row[:shown_columns] for row in rows], right=(0, 2, 3, 5, 6, 7))


def say_what_was_sampled(answer: Answer) -> None:
    """Say on standard error what the stretches are of, and what was not looked at."""
    from pipeline.render.text import counted, printable

    explanation = answer.explanation
    question = printable(str(answer.query))
    videos = counted(answer.videos, "video")
    if not answer.videos:
        hint = f": {printable(explanation.hint)}" if explanation.hint else ""
        filters = printable(explanation.filters or "none")
        echo(f"no video could be looked at for the absence of {question!r} (filters: {filters}){hint}", err=True)
    else:
        has = "has" if 1 in (answer.videos, answer.videos_without) else "have"
        echo(
            f"{answer.videos_without} of {videos} {has} no sampled frame that scores {answer.min_score:g} for"
            f" {question!r}; what shows between sampled frames alone is not seen",
            err=True,
        )
    last = answer.first_rank + len(answer.absences) - 1
    if answer.absences and last < answer.found:
        said = f"stretches {answer.first_rank}-{last} of {answer.found}; --page {answer.query.page + 1} shows the next"
        echo(said, err=True)
    elif answer.found and not answer.absences:
        pages = -(-answer.found // answer.top)
        echo(
            f"there is no page {answer.query.page}: {counted(answer.found, 'stretch', 'stretches')}, on"
            f" {counted(pages, 'page')} of {answer.top}",
            err=True,
        )
    say_unlabelled(explanation.skipped)
    unlooked = [one for one in explanation.skipped if not one.is_broken and not one.is_unlabelled]
    if unlooked:
        number = counted(len(unlooked), "video was", "videos were")
        undated = sum(one.has_no_date for one in unlooked)
        dates = f", {undated} of them without a usable date of recording" if undated else ""
        those, lists = ("it", "it") if len(unlooked) == 1 else ("these", "them")
        why = f"{_why_not(unlooked)}; nothing is said of {those} (--explain lists {lists})"
        echo(f"{number} not looked at{dates}{why}", err=True)


def _why_not(unlooked: Sequence[Skipped]) -> str:
    """Say why one of the videos was not looked at, unless it is that they all have no date."""
    from pipeline.render.text import file_name, printable

    dated = [one for one in unlooked if not one.has_no_date]
    if not dated:
        return ""
    reason = printable(dated[0].why)
    return f": {reason}" if len(unlooked) == 1 else f", for example {printable(file_name(dated[0].uri))}: {reason}"
