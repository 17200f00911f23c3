"""Coverage and damage of one pass over a video."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["Coverage"]

_MAX_GAP_SECONDS = 1
_MAX_NOTES = 50
_MAX_LOST_TIMES = 1000
_END_TOLERANCE_SECONDS = Fraction(1, 4)
_END_TOLERANCE_FRAMES = 3


@dataclass
class _Note:
    """A run of equal faults at short intervals."""

    what: str
    reason: str
    first: Fraction | None
    last: Fraction | None
    count: int = 1

    def takes(self, what: str, reason: str, time: Fraction | None) -> bool:
        if (what, reason) != (self.what, self.reason):
            return False
        return time is None or self.last is None or abs(time - self.last) <= _MAX_GAP_SECONDS

    def add(self, time: Fraction | None) -> None:
        self.count += 1
        if time is not None:
            self.first = time if self.first is None else min(self.first, time)
            self.last = time if self.last is None else max(self.last, time)

    def __str__(self) -> str:
        if self.first is None or self.last is None:
            where = "at an unknown time"
        elif self.first == self.last:
            where = f"at {float(self.first):.3f} s"
        else:
            where = f"from {float(self.first):.3f} s to {float(self.last):.3f} s"
        count = "" if self.count == 1 else f" ({self.count} times)"
        reason = f": {self.reason}" if self.reason else ""
        return f"{where}, {self.what}{count}{reason}"


class Coverage:
    """Counts covered time and records damage, in bounded memory.

    Args:
        nominal_duration: Duration of a frame in seconds if the container does not state it; None if unknown.

    Attributes:
        frames_decoded: Number of decoded pictures, including those that were not given out.
    """

    def __init__(self, nominal_duration: Fraction | None) -> None:
        self.frames_decoded = 0
        self._nominal = nominal_duration
        self._notes: list[_Note] = []
        self._unlisted = 0
        self._endings: list[str] = []
        self._lost_times: list[Fraction] = []
        self._lost_somewhere = False
        self._covered = Fraction(0)
        self._last: Fraction | None = None
        self._last_duration = Fraction(0)
        self._beyond = Fraction(0)

    @property
    def end_time(self) -> Fraction:
        """End of the last frame given out; 0 before the first."""
        return Fraction(0) if self._last is None else max(self._last + self._last_duration, self._beyond)

    @property
    def is_empty(self) -> bool:
        """Whether no frame was given out."""
        return self._last is None

    @property
    def damage(self) -> tuple[str, ...]:
        """A description of each run of faults, in order."""
        more = [f"{self._unlisted} more faults"] if self._unlisted else []
        return (*map(str, self._notes), *more, *self._endings)

    @property
    def covered_seconds(self) -> float:
        """Total duration of the frames given out; a damaged gap counts only for the duration of the frame before it."""
        return 0.0 if self._last is None else float(self._covered + self.end_time - self._last)

    def give(self, time: Fraction, duration: Fraction | None) -> None:
        """Count a frame that is given out.

        Args:
            time: Time of the frame, later than that of the frame before.
            duration: Duration that the container states; None if it states none.
        """
        step = None
        if self._last is not None:
            step = time - self._last
            if self._has_lost_between(self._last, time):
                self._covered += min(step, self._last_duration)
                step = None
            else:
                self._covered += step
        self._last = time
        if duration is not None and duration > 0:
            self._last_duration = duration
        else:
            self._last_duration = self._nominal or step or self._last_duration or Fraction(1, 25)

    def lasts_until(self, time: Fraction) -> None:
        """Extend the last frame to `time`, to cover frames that were skipped on purpose."""
        self._beyond = max(self._beyond, time)

    def lose(self, what: str, time: Fraction | None, reason: str = "") -> None:
        """Record a fault with lost frames: the time until the next frame is not covered."""
        if time is None:
            self._lost_somewhere = True
        elif len(self._lost_times) < _MAX_LOST_TIMES:
            heapq.heappush(self._lost_times, time)
        self.note(what, time, reason)

    def note(self, what: str, time: Fraction | None, reason: str = "") -> None:
        """Record a fault without lost frames."""
        if self._notes and self._notes[-1].takes(what, reason, time):
            self._notes[-1].add(time)
        elif len(self._notes) < _MAX_NOTES:
            self._notes.append(_Note(what, reason, time, time))
        else:
            self._unlisted += 1

    def forget_damage(self) -> None:
        """Discard all damage, before the video is read again from its beginning."""
        self._notes, self._unlisted, self._endings = [], 0, []
        self._lost_times, self._lost_somewhere = [], False

    def check_end(self, expected_end: Fraction | None, file_end: Fraction = Fraction(0)) -> None:
        """Record that a file ended too early; called after all of its frames were given out.

        Args:
            expected_end: The end that the container states; None if it states none.
            file_end: End of the other streams, if `expected_end` is that of the whole file.
        """
        if expected_end is None or self.is_empty:
            return
        end = max(self.end_time, file_end)
        if end + max(_END_TOLERANCE_SECONDS, _END_TOLERANCE_FRAMES * (self._nominal or 0)) < expected_end:
            self._endings.append(f"it ends at {float(end):.3f} s, but its container states {float(expected_end):.3f} s")

    def _has_lost_between(self, before: Fraction, after: Fraction) -> bool:
        found, self._lost_somewhere = self._lost_somewhere, False
        while self._lost_times and self._lost_times[0] < after:
            found |= heapq.heappop(self._lost_times) > before
        return found
