"""Stops a batch early; videos that are under way have time to finish."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["StopRequest"]

_FINISH_SECONDS = 10.0


class StopRequest:
    """A request to end a batch, made by a signal handler and obeyed by the executor.

    The executor begins no other video, gives those under way some seconds to finish, writes what is finished, and
    raises the error of the request. An exception in the middle of the executor's work, which a signal handler would
    otherwise raise, could leave a finished video without its rows in the index.

    Args:
        on_taken: Called once, in the executor's thread, with the number of videos under way and the seconds that they
            have.
        clock: Seconds that only grow.

    Attributes:
        is_watched: Whether an executor will notice a request within about a second. Where it will not, as while a model
            is loaded, there is nothing to lose, and the caller raises an exception instead.
    """

    def __init__(
        self,
        on_taken: Callable[[int, float], None] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_taken = on_taken
        self._clock = clock
        self._error: BaseException | None = None
        self._until = 0.0
        self._is_taken = False
        self.is_watched = False

    def ask(self, error: BaseException, *, finish_seconds: float = _FINISH_SECONDS) -> None:
        """Make the request; safe in a signal handler.

        Args:
            error: Raised by the executor at the end, as `KeyboardInterrupt()`.
            finish_seconds: What videos under way have to finish.
        """
        self._until = self._clock() + finish_seconds
        self._error = error

    @property
    def is_asked(self) -> bool:
        """Whether the batch is to end."""
        return self._error is not None

    @property
    def is_over(self) -> bool:
        """Whether the videos under way have had their time."""
        return self.is_asked and self._clock() >= self._until

    def take(self, under_way: int) -> None:
        """Note that the executor begins no other video, and that so many are under way."""
        if not self._is_taken:
            self._is_taken = True
            if self._on_taken is not None:
                self._on_taken(under_way, max(0.0, self._until - self._clock()))

    def end(self) -> None:
        """Raise the error of the request, if one was made: all that is finished is written."""
        if self._error is not None:
            raise self._error

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Meanwhile the executor looks at `is_asked` about once a second."""
        self.is_watched = True
        try:
            yield
        finally:
            self.is_watched = False
