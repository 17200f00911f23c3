"""Stop a batch early, with some time for videos under way to finish."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["StopRequest"]

_FINISH_SECONDS = 10.0


class StopRequest:
    """A request to end a batch, made by a signal handler and obeyed by the executor.

    The executor starts no further video, gives those under way some seconds to finish, writes the finished ones, and
    raises the error of the request. If a signal handler raised an exception in the middle of the executor's work, a
    finished video could be left without its rows in the index.

    Args:
        on_accepted: Called once, in the executor's thread, with the number of videos under way and the seconds that
            they have to finish.
        clock: A monotonic clock, in seconds.

    Attributes:
        is_watched: Whether an executor will notice a request within about a second. If not, for example while a model
            is loaded, nothing can be lost, and the caller raises an exception instead.
        is_obeyed: Whether the batch is ending because of the request.
    """

    def __init__(
        self,
        on_accepted: Callable[[int, float], None] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_accepted = on_accepted
        self._clock = clock
        self._error: BaseException | None = None
        self._deadline = 0.0
        self._is_accepted = False
        self.is_watched = False
        self.is_obeyed = False

    def request(self, error: BaseException, *, finish_seconds: float = _FINISH_SECONDS) -> None:
        """Make the request; safe in a signal handler.

        Args:
            error: Raised by the executor at the end, for example `KeyboardInterrupt()`.
            finish_seconds: Time that videos under way have to finish.
        """
        self._deadline = self._clock() + finish_seconds
        self._error = error

    @property
    def is_requested(self) -> bool:
        """Whether the batch is to end."""
        return self._error is not None

    @property
    def is_over(self) -> bool:
        """Whether the time of the videos under way is over."""
        return self.is_requested and self._clock() >= self._deadline

    def accept(self, under_way: int) -> None:
        """Record that the executor starts no further video, and how many are under way."""
        if not self._is_accepted:
            self._is_accepted = True
            if self._on_accepted is not None:
                self._on_accepted(under_way, max(0.0, self._deadline - self._clock()))

    def end(self) -> None:
        """Raise the error of the request, if one was made; called when all finished videos are written."""
        if self._error is not None:
            self.is_obeyed = True
            raise self._error

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Mark a block in which the executor checks `is_requested` about once a second."""
        self.is_watched = True
        try:
            yield
        finally:
            self.is_watched = False
