"""Recording time filter: dates and times of day at which moments were recorded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from pipeline.types import Scalar

__all__ = ["RecordingTimes", "TimeOfDay", "check_date", "date_problem", "recorded_at", "recording_begins"]

_DAY_SECONDS = 86_400
_FORM = "write it as 2026-11-20T08:30:00+01:00, or without a zone, as 2026-11-20T08:30"
_INTERVAL = re.compile(r"(\d\d?):(\d\d)(?::(\d\d))?\s*-\s*(\d\d?):(\d\d)(?::(\d\d))?")


@dataclass(frozen=True)
class TimeOfDay:
    """A daily time range, in local time; it may run past midnight.

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

    def seconds_left(self, moment: datetime) -> float:
        """Seconds from a time that lies in it to its end, by the time's own clock; more than 0."""
        now = _seconds(moment.hour, moment.minute, moment.second) + moment.microsecond / 1_000_000
        return (self.end_seconds - now) % _DAY_SECONDS or float(_DAY_SECONDS)

    def meets(self, begins: datetime, seconds: float) -> bool:
        """Whether a recording of so many seconds has a part in it."""
        after_midnight = _seconds(begins.hour, begins.minute, begins.second)
        return begins in self or (self.start_seconds - after_midnight) % _DAY_SECONDS <= seconds + 1


@dataclass(frozen=True)
class RecordingTimes:
    """The recording times that a question allows.

    Times are compared as they are written: a bound without a zone is compared with the recording's own clock, whatever
    its zone. A bound with a zone is an instant, and a recording whose metadata names no zone never lies within it.

    Attributes:
        part: Part of each day; None for all of it.
        begins: The first time, included; None for no first time.
        ends: The end, not included; None for no end.
    """

    part: TimeOfDay | None = None
    begins: datetime | None = None
    ends: datetime | None = None

    @classmethod
    def of(
        cls, time_of_day: str | None = None, recorded_from: str | None = None, recorded_to: str | None = None
    ) -> RecordingTimes | None:
        """Read the bounds of a question; None where it has none.

        Args:
            time_of_day: As "22:00-6:00".
            recorded_from: A date, which stands for its first second, or a date and time, after ISO 8601.
            recorded_to: The same; a date stands for the end of that day.

        Raises:
            ValueError: One cannot be read, or the end does not come after the beginning.
        """
        if time_of_day is recorded_from is recorded_to is None:
            return None
        times = cls(
            None if time_of_day is None else TimeOfDay.parse(time_of_day),
            None if recorded_from is None else _bound(recorded_from),
            None if recorded_to is None else _bound(recorded_to, is_end=True),
        )
        begins, ends = times.begins, times.ends
        if begins is None or ends is None:
            return times
        if (begins.tzinfo is None) != (ends.tzinfo is None):
            raise ValueError(f"{recorded_from!r} and {recorded_to!r}: name a zone in both, or in neither")
        if ends <= begins:
            raise ValueError(f"{recorded_to!r} does not come after {recorded_from!r}")
        return times

    @property
    def needs_zone(self) -> bool:
        """Whether recordings must name a zone to be compared."""
        return any(bound is not None and bound.tzinfo is not None for bound in (self.begins, self.ends))

    @property
    def has_dates(self) -> bool:
        """Whether there is a first time or an end."""
        return self.begins is not None or self.ends is not None

    def __contains__(self, moment: datetime) -> bool:
        """Whether a time is allowed."""
        return self.seconds_until(moment) == 0

    def seconds_until(self, moment: datetime) -> float | None:
        """Seconds from a time to the next allowed one; 0 for one that is allowed, None where none follows."""
        waited = 0.0
        if self.begins is not None:
            here = _as_in(moment, self.begins)
            if here is None:
                return None
            waited = max(0.0, (self.begins - here).total_seconds())
        if self.part is not None:
            later = recorded_at(moment, waited)
            if later is None:
                return None
            waited += self.part.seconds_until(later)
        return waited if self._is_before_end(recorded_at(moment, waited)) else None

    def meets(self, begins: datetime, seconds: float) -> bool:
        """Whether a recording of so many seconds has an allowed time; it may be a second generous."""
        waited = self.seconds_until(begins)
        return waited is not None and waited <= seconds + 1

    def intervals(self, begins: datetime, end_seconds: float) -> list[tuple[float, float]]:
        """The allowed parts of a recording, [start, end) in seconds of its playback clock, in order.

        Args:
            begins: When its playback clock was at zero.
            end_seconds: Where it ends.
        """
        last = end_seconds
        if self.ends is not None:
            here = _as_in(begins, self.ends)
            last = 0.0 if here is None else min(last, (self.ends - here).total_seconds())
        found = []
        start = 0.0
        while start < last:
            there = recorded_at(begins, start)
            waited = None if there is None else self.seconds_until(there)
            allowed = None if waited is None else recorded_at(begins, start + waited)
            if waited is None or allowed is None or start + waited >= last:
                break
            start += waited
            after = last if self.part is None else min(last, start + self.part.seconds_left(allowed))
            found.append((start, after))
            start = after
        return found

    def _is_before_end(self, moment: datetime | None) -> bool:
        if moment is None or self.ends is None:
            return moment is not None
        here = _as_in(moment, self.ends)
        return here is not None and here < self.ends


def _as_in(moment: datetime, bound: datetime) -> datetime | None:
    """A time as it is compared with a bound; None where only the bound names a zone."""
    if bound.tzinfo is None:
        return moment.replace(tzinfo=None)
    return None if moment.tzinfo is None else moment


def _bound(text: str, *, is_end: bool = False) -> datetime:
    said = text.strip()
    try:
        if not _is_date(said):
            return datetime.fromisoformat(said)
        day = datetime.combine(date.fromisoformat(said), time())
        return day + timedelta(days=1) if is_end else day
    except (ValueError, OverflowError):
        raise ValueError(
            f"not a date: {text!r}; write a date, as 2026-11-20, or a date and time after ISO 8601, as 2026-11-20T08:30"
        ) from None


def _seconds(hours: int, minutes: int, seconds: int) -> int:
    return hours * 3600 + minutes * 60 + seconds


def _seconds_of_day(text: str, hours: int, minutes: int, seconds: int) -> int:
    total = _seconds(hours, minutes, seconds)
    if minutes > 59 or seconds > 59 or total > _DAY_SECONDS:
        raise ValueError(f"not a part of the day: {text!r}; hours reach 24, and minutes and seconds 59")
    return total


def recording_begins(metadata: Mapping[str, Scalar], name: str) -> datetime | None:
    """Read the start of a recording from an entry of a video's metadata; None where there is none.

    Args:
        metadata: Of the video.
        name: Of the entry: a date and a time after ISO 8601, as "2026-11-20T08:30:00+01:00"; without a zone, by the
            clock of the place.
    """
    said = metadata.get(name)
    return datetime.fromisoformat(str(said).strip()) if said is not None and date_problem(said) is None else None


def date_problem(said: Scalar) -> str | None:
    """Explain why a value is no recording time, with the accepted form; None where it is one."""
    if not isinstance(said, str):
        return f"{said!r} is no date and time: a number has no clock of a place; {_FORM}"
    if _is_date(said):
        return f"{said!r} is a date without a time of day; {_FORM}"
    try:
        datetime.fromisoformat(said.strip())
    except ValueError:
        return f"{said[:60]!r} is no date and time after ISO 8601; {_FORM}"
    return None


def check_date(metadata: Mapping[str, Scalar], name: str) -> None:
    """Refuse metadata with an invalid recording time, before a video is indexed with it.

    Args:
        metadata: Of a video.
        name: Of the entry that says when it begins.

    Raises:
        ValueError: The entry is there, and is no date and time; the message has the accepted form.
    """
    problem = date_problem(metadata[name]) if name in metadata else None
    if problem is not None:
        raise ValueError(f"{name}: {problem}, or name another entry by search.recorded_at")


def recorded_at(begins: datetime | None, seconds: float) -> datetime | None:
    """Compute the recording time of a second of a video; None where unknown.

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
