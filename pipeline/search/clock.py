"""The clock on the wall: when moments were recorded, and at what time of day."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pipeline.types import Scalar

__all__ = ["TimeOfDay", "recorded_at", "recording_begins"]

_DAY_SECONDS = 86_400
_INTERVAL = re.compile(r"(\d\d?):(\d\d)(?::(\d\d))?\s*-\s*(\d\d?):(\d\d)(?::(\d\d))?")


@dataclass(frozen=True)
class TimeOfDay:
    """A part of each day, by the clock of the place; it may run past midnight.

    Attributes:
        start_seconds: Seconds since midnight where it begins, included.
        end_seconds: Where it ends, not included.
    """

    start_seconds: int
    end_seconds: int

    @classmethod
    def parse(cls, text: str) -> TimeOfDay:
        """Read "8:00-17:30" or "22:00:00-06:00:00"; 24:00 is the end of the day.

        Raises:
            ValueError: It is neither, or begins where it ends.
        """
        match = _INTERVAL.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"not a part of the day: {text!r}; write from-to, as 8:00-17:30, or 22:00-6:00 by night")
        numbers = [int(part or 0) for part in match.groups()]
        start, end = _seconds_of_day(text, *numbers[:3]), _seconds_of_day(text, *numbers[3:])
        if start % _DAY_SECONDS == end % _DAY_SECONDS and (start, end) != (0, _DAY_SECONDS):
            raise ValueError(f"not a part of the day: {text!r} ends where it begins")
        return cls(start % _DAY_SECONDS, end)

    def __contains__(self, moment: datetime) -> bool:
        """Whether a time lies in it, by its own clock."""
        seconds = _seconds(moment.hour, moment.minute, moment.second)
        if self.start_seconds < self.end_seconds:
            return self.start_seconds <= seconds < self.end_seconds
        return seconds >= self.start_seconds or seconds < self.end_seconds

    def seconds_until(self, moment: datetime) -> float:
        """Seconds from a time to the next one that lies in it, by its own clock; 0 for one that does."""
        if moment in self:
            return 0.0
        now = _seconds(moment.hour, moment.minute, moment.second) + moment.microsecond / 1_000_000
        return (self.start_seconds - now) % _DAY_SECONDS

    def meets(self, begins: datetime, seconds: float) -> bool:
        """Whether a recording of so many seconds has a part in it."""
        after_midnight = _seconds(begins.hour, begins.minute, begins.second)
        return begins in self or (self.start_seconds - after_midnight) % _DAY_SECONDS <= seconds + 1


def _seconds(hours: int, minutes: int, seconds: int) -> int:
    return hours * 3600 + minutes * 60 + seconds


def _seconds_of_day(text: str, hours: int, minutes: int, seconds: int) -> int:
    total = _seconds(hours, minutes, seconds)
    if minutes > 59 or seconds > 59 or total > _DAY_SECONDS:
        raise ValueError(f"not a part of the day: {text!r}; hours reach 24, and minutes and seconds 59")
    return total


def recording_begins(metadata: Mapping[str, Scalar], name: str) -> datetime | None:
    """When a video's playback clock was at zero, as an entry of its metadata says; None where it does not say it.

    Args:
        metadata: Of the video.
        name: Of the entry: a date and a time after ISO 8601, as "2026-11-20T08:30:00+01:00"; without a zone, by the
            clock of the place.
    """
    said = metadata.get(name)
    if not isinstance(said, str) or _is_date(said):
        return None
    try:
        return datetime.fromisoformat(said.strip())
    except ValueError:
        return None


def recorded_at(begins: datetime | None, seconds: float) -> datetime | None:
    """When what is shown at a second of a video was recorded; None where that is not known.

    Nor is it of a video from the last day that dates reach, which some write for "unknown".
    """
    if begins is None:
        return None
    try:
        return begins + timedelta(seconds=seconds)
    except OverflowError:
        return None


def _is_date(text: str) -> bool:
    """Whether it is a day without a time, which Python reads as midnight."""
    try:
        date.fromisoformat(text.strip())
    except ValueError:
        return False
    return True
