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
    """Print the stretches as a table; "whole" marks a stretch that is a whole video."""
    from pipeline.render.text import file_name, printable, score_text, time_text
    from pipeline.timecode import format_seconds

    # Videos with the same file name are shown with their whole paths.
    uris: dict[str, set[str]] = {}
    for absence in answer.absences:
        uris.setdefault(file_name(absence.uri), set()).add(absence.uri)
    rows = []
    for rank, one in enumerate(answer.absences, answer.first_rank):
        name = file_name(one.uri)
        shown = name if len(uris[name]) == 1 else printable(one.uri)
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
    """Print on standard error what the stretches were searched for, and which videos were not searched."""
    from pipeline.render.text import counted, printable

    explanation = answer.explanation
    question = printable(str(answer.query))
    videos = counted(answer.videos, "video")
    if not answer.videos:
        hint = f": {printable(explanation.hint)}" if explanation.hint else ""
        filters = printable(explanation.filters or "none")
        echo(f"no video could be searched for the absence of {question!r} (filters: {filters}){hint}", err=True)
    else:
        has = "has" if 1 in (answer.videos, answer.videos_without) else "have"
        echo(
            f"{answer.videos_without} of {videos} {has} no sampled frame that scores {answer.min_score:g} for"
            f" {question!r}; whatever appears only between sampled frames is missed",
            err=True,
        )
    last = answer.first_rank + len(answer.absences) - 1
    if answer.absences and last < answer.found:
        stretches = f"stretches {answer.first_rank}-{last} of {answer.found}"
        echo(f"{stretches}; --page {answer.query.page + 1} shows the next", err=True)
    elif answer.found and not answer.absences:
        pages = -(-answer.found // answer.top)
        echo(
            f"there is no page {answer.query.page}: {counted(answer.found, 'stretch', 'stretches')}, on"
            f" {counted(pages, 'page')} of {answer.top}",
            err=True,
        )
    say_unlabelled(explanation.skipped)
    unsearched = [one for one in explanation.skipped if not one.is_broken and not one.is_unlabelled]
    if unsearched:
        number = counted(len(unsearched), "video was", "videos were")
        undated = sum(one.has_no_date for one in unsearched)
        dates = f", {undated} of them without a usable recording date" if undated else ""
        those, lists = ("it", "it") if len(unsearched) == 1 else ("these", "them")
        why = f"{_why_not(unsearched)}; the answer does not cover {those} (--explain lists {lists})"
        echo(f"{number} not searched{dates}{why}", err=True)


def _why_not(unsearched: Sequence[Skipped]) -> str:
    """The reason why a video was not searched, other than that it has no date; empty if there is none."""
    from pipeline.render.text import file_name, printable

    dated = [one for one in unsearched if not one.has_no_date]
    if not dated:
        return ""
    reason = printable(dated[0].why)
    return f": {reason}" if len(unsearched) == 1 else f", for example {printable(file_name(dated[0].uri))}: {reason}"
