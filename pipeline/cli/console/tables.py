"""Print tables and JSON on standard output, and errors on standard error."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.console.json_log import say

if TYPE_CHECKING:
    from pipeline.video import IndexedVideos

__all__ = ["complain", "echo", "print_json", "print_table", "printable_lines", "warn_of_problems"]


def printable_lines(text: str) -> str:
    """Escape the control characters of a text of several lines, except the line ends."""
    from pipeline.render.text import printable

    return "\n".join(printable(line) for line in text.split("\n"))


def echo(message: str = "", *, err: bool = False) -> None:
    """Print lines with control characters escaped: names may come from anybody's library."""
    click.echo(printable_lines(message), err=err)


def complain(message: str) -> None:
    """Report an error on standard error, with control characters escaped."""
    say(printable_lines(message), level=logging.ERROR)


def print_json(fields: Mapping[str, Any]) -> None:
    """Print an object as one line of JSON in ASCII, which is safe for any name and any terminal."""
    click.echo(json.dumps(fields))


def warn_of_problems(videos: IndexedVideos, *, known: Iterable[str] = ()) -> None:
    """Print on standard error which indexed videos could not be opened and why, each problem once.

    Args:
        videos: The videos; only those that were opened before can have a problem.
        known: Problems that were already printed.
    """
    printed = set(known)
    for error in videos.problems.values():
        if str(error) not in printed:
            echo(f"warning: {error}", err=True)


def print_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[int] = (),
    min_widths: Sequence[int] = (),
    is_continued: bool = False,
) -> None:
    """Print columns padded with spaces; control characters are escaped.

    Args:
        header: Column titles, printed in bold.
        rows: The cells of each row, as many as the header has.
        right: Numbers of the columns that are aligned to the right.
        min_widths: Minimum width of each column, for a table that is printed in parts.
        is_continued: This is a further part of a table, printed without the header.
    """
    from pipeline.render.text import printable

    header, rows = list(map(printable, header)), [list(map(printable, row)) for row in rows]
    room = [" " * width for width in min_widths or [0] * len(header)]
    widths = [max(map(len, column)) for column in zip(header, room, *rows, strict=True)]
    for number, row in enumerate([header, *rows]):
        if number == 0 and is_continued:
            continue
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        line = "  ".join(cells).rstrip()
        click.echo(click.style(line, bold=True) if number == 0 else line)
