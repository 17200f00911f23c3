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
    """Text of several lines, each without what could command a terminal."""
    from pipeline.render.text import printable

    return "\n".join(printable(line) for line in text.split("\n"))


def echo(message: str = "", *, err: bool = False) -> None:
    """Print lines for people, without what could command a terminal: names may come from anybody's library."""
    click.echo(printable_lines(message), err=err)


def complain(message: str) -> None:
    """Report an error on standard error, without what could command a terminal."""
    say(printable_lines(message), level=logging.ERROR)


def print_json(fields: Mapping[str, Any]) -> None:
    """One object on one line, in ASCII: safe for any name and any terminal."""
    click.echo(json.dumps(fields))


def warn_of_problems(videos: IndexedVideos, *, known: Iterable[str] = ()) -> None:
    """Say on standard error which indexed videos could not be opened, and why; each once.

    Args:
        videos: Has tried to open them.
        known: What was said already.
    """
    said = set(known)
    for error in videos.problems.values():
        if str(error) not in said:
            echo(f"warning: {error}", err=True)


def print_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[int] = (),
    least: Sequence[int] = (),
    goes_on: bool = False,
) -> None:
    """Columns padded with spaces; what could command a terminal is escaped.

    Args:
        header: Printed in bold.
        rows: As many cells each as the header has.
        right: Columns that are aligned to the right.
        least: Widths that columns have at least, for a table that is printed in parts.
        goes_on: This is a further part, so the header is there already.
    """
    from pipeline.render.text import printable

    header, rows = list(map(printable, header)), [list(map(printable, row)) for row in rows]
    room = [" " * width for width in least or [0] * len(header)]
    widths = [max(map(len, column)) for column in zip(header, room, *rows, strict=True)]
    for number, row in enumerate([header, *rows]):
        if number == 0 and goes_on:
            continue
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        line = "  ".join(cells).rstrip()
        click.echo(click.style(line, bold=True) if number == 0 else line)
