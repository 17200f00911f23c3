"""Walk a review queue on the terminal: show an item, read a key, write the mark at once."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.console.tables import echo

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pipeline.analyze.marks.mark import Mark
    from pipeline.analyze.review import ReviewItem
    from pipeline.library import Library

__all__ = ["ReviewWalk", "item_place", "write_sheet"]

_KEYS = "y yes, n no, s skip, u undo, q quit"


@dataclass
class ReviewWalk:
    """Asks a person about the items of a queue, one after another.

    Attributes:
        library: Holds the videos and takes the marks.
        items: The queue.
        sheets: An existing folder for the pictures.
        has_blocks: Whether frames are drawn on the terminal, too.
        written: Number of marks written and not undone.
        skipped: Number of items skipped.
    """

    library: Library
    items: Sequence[ReviewItem]
    sheets: Path
    has_blocks: bool
    written: int = 0
    skipped: int = 0
    _answers: list[Mark | None] = field(default_factory=list)

    def run(self) -> None:
        """Ask until the queue or the input ends, or the person quits.

        Raises:
            StoreError: A mark cannot be written.
            KeyboardInterrupt: The person interrupted; answers so far are written.
        """
        shown = -1
        while (number := len(self._answers)) < len(self.items):
            if number != shown:
                self._show(number)
                shown = number
            key = _read_key()
            if key == "q":
                return
            if key == "u":
                self._undo()
                shown = -1
            elif key in ("y", "n"):
                self._answer(self.items[number], is_yes=key == "y")
            elif key == "s":
                self._answers.append(None)
                self.skipped += 1
            else:
                echo(f"keys: {_KEYS}", err=True)

    def _answer(self, item: ReviewItem, *, is_yes: bool) -> None:
        from pipeline.analyze.marks.mark import Verdict
        from pipeline.analyze.review.review_item import mark_of
        from pipeline.library.analysis.marks import user_name, write_marks

        mark = mark_of(item, Verdict.YES if is_yes else Verdict.NO, by=user_name())
        write_marks(self.library, [mark])
        self._answers.append(mark)
        self.written += 1
        echo(str(mark.verdict), err=True)

    def _undo(self) -> None:
        from pipeline.library.analysis.marks import remove_marks

        if not self._answers:
            echo("nothing to undo", err=True)
            return
        mark = self._answers.pop()
        if mark is None:
            self.skipped -= 1
        else:
            remove_marks(self.library, [mark])
            self.written -= 1
        echo("undone", err=True)

    def _show(self, number: int) -> None:
        item = self.items[number]
        echo(f"\n{number + 1} of {len(self.items)}: {item_place(self.library, item)}")
        path, problem = write_sheet(self.library, item, self.sheets, number + 1, self.has_blocks)
        if path is not None:
            echo(f"picture: {path}")
        else:
            echo(f"no picture: {problem}")
        score = "" if item.score is None else f", score {item.score:.2f}"
        echo(f"Does it show: {item.subject}? ({item.reason}{score})  [{_KEYS}]")


def item_place(library: Library, item: ReviewItem) -> str:
    """Say in a line which part of which video an item is."""
    from pipeline.render.text import file_name
    from pipeline.timecode import format_seconds

    record = library.store.record(item.video_id)
    name = item.video_id if record is None else file_name(record.last_name)
    start = format_seconds(item.start_seconds)
    return f"{name} {start}" + (
        "" if item.end_seconds <= item.start_seconds else f" - {format_seconds(item.end_seconds)}"
    )


def write_sheet(
    library: Library, item: ReviewItem, folder: Path, number: int, has_blocks: bool = False
) -> tuple[Path | None, str]:
    """Write the picture of an item into a folder, and draw its middle frame on the terminal where that is wanted.

    Returns:
        The picture's path, or None and why there is none.
    """
    from pipeline.errors import VideoError
    from pipeline.export.review_sheet import review_sheet
    from pipeline.library.analysis.review import item_pictures

    path = folder / f"{number:03d}-{item.video_id[:16]}-{item.start_seconds:.3f}.png"
    try:
        pictures = item_pictures(library, item)
        sheet = review_sheet(
            pictures, question=f"{item.subject}?", place=item_place(library, item), reason=item.reason or "review"
        )
        sheet.save(path, format="PNG")
    except VideoError as error:
        return None, str(error)
    except OSError as error:
        raise click.ClickException(f"the picture cannot be written: {error}") from error
    if has_blocks:
        _draw(pictures[len(pictures) // 2][1])
    return path, ""


def _draw(picture: npt.NDArray[np.uint8]) -> None:
    from pipeline.cli.console.block_picture import block_lines

    size = shutil.get_terminal_size()
    for line in block_lines(picture, columns=min(size.columns, 100), rows=max(4, min(size.lines - 6, 30))):
        click.echo(line)


def _read_key() -> str:
    """Read a key of a terminal, or a line's first letter of other input; q at its end."""
    if sys.stdin.isatty():
        try:
            return click.getchar().lower()
        except EOFError:
            return "q"
    line = sys.stdin.readline()
    return line.strip()[:1].lower() if line else "q"
