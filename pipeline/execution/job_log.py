"""A job's log, line by line."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["LogLines"]


class LogLines:
    """Puts chunks of a log together to lines, and passes over what came before the connection broke.

    Args:
        on_line: Told each line once.
    """

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._begun = ""
        self._known = 0
        self._to_skip = 0

    @property
    def characters(self) -> int:
        """How many have come, each counted once."""
        return self._known

    def restart(self) -> None:
        """The log comes from its beginning again."""
        self._to_skip = self._known

    def take(self, text: str) -> None:
        """Pass on the lines that end in this chunk."""
        skipped = min(self._to_skip, len(text))
        self._to_skip -= skipped
        self._known += len(text) - skipped
        *whole, self._begun = (self._begun + text[skipped:]).split("\n")
        for line in whole:
            self._on_line(line)

    def close(self) -> None:
        """Nothing more will come."""
        if self._begun:
            self._on_line(self._begun)
        self._begun = ""
