"""A progress bar for commands that count finished items."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["count_bar"]


@contextmanager
def count_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show on standard error how many items of how many are done; shows nothing unless that is a terminal.

    Args:
        what: The items that are counted, for example "videos".
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = MofNCompleteColumn(), TextColumn(what), BarColumn(bar_width=30), TimeRemainingColumn(compact=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
