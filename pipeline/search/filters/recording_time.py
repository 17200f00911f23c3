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
    """A daily time range in local time; it may extend past midnight.

    Attributes:
        start_seconds: Start in seconds since midnight, inclusive.
        end_seconds: End in seconds since midnight, exclusive.
    """

    start_seconds: int
    end_seconds: int

    @classmethod
    def parse(cls, text: str) -> TimeOfDay:
        """Parse a range such as "8:00-17:30" or "22:00:00-06:00:00"; 24:00 is the end of the day.

        Raises:
            ValueError: The text is not such a range, or the range is empty.
        """
        match = _INTERVAL.fullmatch(text.strip())
        if match is None:
            raise ValueError(
                f"not a time of day: {text!r}; write START-END, as 8:00-17:30, or 22:00-6:00 for a range past midnight"
            )
        numbers = [int(part or 0) for part in match.groups()]
        start, end = _seconds_of_day(text, *numbers[:3]), _seconds_of_day(text, *numbers[3:])
        if start % _DAY_SECONDS == end % _DAY_SECONDS and (start, end) != (0, _DAY_SECONDS):
            raise ValueError(f"not a time of day: {text!r} ends where it begins")
        return cls(start % _DAY_SECONDS, end)

    def __contains__(self, moment: datetime) -> bool:
        """Whether the range contains a time, read as local time whatever its zone."""
        seconds = _seconds(moment.hour, moment.minute, moment.second)
        if self.start_seconds < self.end_seconds:
            return self.start_seconds <= seconds < self.end_seconds
        return seconds >= self.start_seconds or seconds < self.end_seconds

    def seconds_until(self, moment: datetime) -> float:
        """Return the seconds from a time, read as local time, to the next one in the range; 0 if it is in the range."""
        if moment in self:
            return 0.0
        now = _seconds(moment.hour, moment.minute, moment.second) + moment.microsecond / 1_000_000
        return (self.start_seconds - now) % _DAY_SECONDS

    def seconds_left(self, moment: datetime) -> float:
        """Return the seconds from a time in the range to the range's end, by local time; always positive."""
        now = _seconds(moment.hour, moment.minute, moment.second) + moment.microsecond / 1_000_000
        return (self.end_seconds - now) % _DAY_SECONDS or float(_DAY_SECONDS)

    def meets(self, begins: datetime, seconds: float) -> bool:
        """Whether a recording of this length overlaps the range; a second of tolerance is added."""
        after_midnight = _seconds(begins.hour, begins.minute, begins.second)
        return begins in self or (self.start_seconds - after_midnight) % _DAY_SECONDS <= seconds + 1


@dataclass(frozen=True)
class RecordingTimes:
    """The recording times that a question allows.

    A bound without a time zone is compared with the recording's local time, whatever its zone. A bound with a zone is
    an instant, and a recording without a zone in its metadata never satisfies it.

    Attributes:
        time_of_day: Daily time range; None for the whole day.
        begins: Start, inclusive; None for no start.
        ends: End, exclusive; None for no end.
    """

    time_of_day: TimeOfDay | None = None
    begins: datetime | None = None
    ends: datetime | None = None

    @classmethod
    def of(
        cls, time_of_day: str | None = None, recorded_from: str | None = None, recorded_to: str | None = None
    ) -> RecordingTimes | None:
        """Parse the recording times of a question; None if it has none.

        Args:
            time_of_day: A daily range, as "22:00-6:00".
            recorded_from: An ISO 8601 date, which means its first second, or date and time.
            recorded_to: The same, but a date means the end of that day.

        Raises:
            ValueError: One cannot be parsed, or the end is not later than the start.
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
            raise ValueError(f"{recorded_from!r} and {recorded_to!r}: give a time zone in both, or in neither")
        if ends <= begins:
            raise ValueError(f"{recorded_to!r} is not later than {recorded_from!r}")
        return times

    @property
    def needs_zone(self) -> bool:
        """Whether a recording must have a time zone to be compared."""
        return any(bound is not None and bound.tzinfo is not None for bound in (self.begins, self.ends))

    @property
    def has_dates(self) -> bool:
        """Whether there is a start or an end."""
        return self.begins is not None or self.ends is not None

    def __contains__(self, moment: datetime) -> bool:
        """Whether a time is allowed."""
        return self.seconds_until(moment) == 0

    def seconds_until(self, moment: datetime) -> float | None:
        """Return the seconds from a time to the next allowed one; 0 if it is allowed itself, None if none follows."""
        delay = 0.0
        if self.begins is not None:
            comparable = _comparable(moment, self.begins)
            if comparable is None:
                return None
            delay = max(0.0, (self.begins - comparable).total_seconds())
        if self.time_of_day is not None:
            later = recorded_at(moment, delay)
            if later is None:
                return None
            delay += self.time_of_day.seconds_until(later)
        return delay if self._is_before_end(recorded_at(moment, delay)) else None

    def meets(self, begins: datetime, seconds: float) -> bool:
        """Whether a recording of this length contains an allowed time; a second of tolerance is added."""
        delay = self.seconds_until(begins)
        return delay is not None and delay <= seconds + 1

    def intervals(self, begins: datetime, end_seconds: float) -> list[tuple[float, float]]:
        """Return the allowed intervals [start, end) of a recording, in seconds of playback time and in order.

        Args:
            begins: Recording time of the start of playback.
            end_seconds: Playback time of the recording's end.
        """
        last = end_seconds
        if self.ends is not None:
            comparable = _comparable(begins, self.ends)
            last = 0.0 if comparable is None else min(last, (self.ends - comparable).total_seconds())
        found = []
        start = 0.0
        while start < last:
            moment = recorded_at(begins, start)
            delay = None if moment is None else self.seconds_until(moment)
            allowed = None if delay is None else recorded_at(begins, start + delay)
            if delay is None or allowed is None or start + delay >= last:
                break
            start += delay
            after = last if self.time_of_day is None else min(last, start + self.time_of_day.seconds_left(allowed))
            found.append((start, after))
            start = after
        return found

    def _is_before_end(self, moment: datetime | None) -> bool:
        if moment is None or self.ends is None:
            return moment is not None
        comparable = _comparable(moment, self.ends)
        return comparable is not None and comparable < self.ends


def _comparable(moment: datetime, bound: datetime) -> datetime | None:
    """Return a time in the form in which it is compared with a bound; None if only the bound has a time zone."""
    if bound.tzinfo is None:
        return moment.replace(tzinfo=None)
    return None if moment.tzinfo is None else moment


def _bound(text: str, *, is_end: bool = False) -> datetime:
    stripped = text.strip()
    try:
        if not _is_date(stripped):
            return datetime.fromisoformat(stripped)
        day = datetime.combine(date.fromisoformat(stripped), time())
        return day + timedelta(days=1) if is_end else day
    except (ValueError, OverflowError):
        raise ValueError(
            f"not a date: {text!r}; write an ISO 8601 date, as 2026-11-20, or a date and time, as 2026-11-20T08:30"
        ) from None


def _seconds(hours: int, minutes: int, seconds: int) -> int:
    return hours * 3600 + minutes * 60 + seconds


def _seconds_of_day(text: str, hours: int, minutes: int, seconds: int) -> int:
    total = _seconds(hours, minutes, seconds)
    if minutes > 59 or seconds > 59 or total > _DAY_SECONDS:
        raise ValueError(f"not a time of day: {text!r}; hours go up to 24, minutes and seconds up to 59")
    return total


def recording_begins(metadata: Mapping[str, Scalar], name: str) -> datetime | None:
    """Read the start of a recording from a video's metadata; None if it is missing or invalid.

    Args:
        metadata: The video's metadata.
        name: Name of the entry. Its value is an ISO 8601 date and time, as "2026-11-20T08:30:00+01:00"; local time if
            it has no zone.
    """
    value = metadata.get(name)
    return datetime.fromisoformat(str(value).strip()) if value is not None and date_problem(value) is None else None


def date_problem(value: Scalar) -> str | None:
    """Explain why a value is no recording time, and show the accepted form; None if it is valid."""
    if not isinstance(value, str):
        return f"{value!r} is not a date and time: a number does not state local time; {_FORM}"
    if _is_date(value):
        return f"{value!r} is a date without a time of day; {_FORM}"
    try:
        datetime.fromisoformat(value.strip())
    except ValueError:
        return f"{value[:60]!r} is not an ISO 8601 date and time; {_FORM}"
    return None


def check_date(metadata: Mapping[str, Scalar], name: str) -> None:
    """Reject metadata with an invalid recording time, before a video is indexed with it.

    Args:
        metadata: A video's metadata.
        name: Name of the entry with the start of the recording.

    Raises:
        ValueError: The entry exists and is not a date and time; the message shows the accepted form.
    """
    problem = date_problem(metadata[name]) if name in metadata else None
    if problem is not None:
        raise ValueError(f"{name}: {problem}, or choose another entry with search.recorded_at")


def recorded_at(begins: datetime | None, seconds: float) -> datetime | None:
    """Compute the recording time of a second of a video; None if unknown or later than `datetime.max`.

    The latter occurs because some recorders write the last possible date for "unknown".
    """
    if begins is None:
        return None
    try:
        return begins + timedelta(seconds=seconds)
    except OverflowError:
        return None


def _is_date(text: str) -> bool:
    """Whether a text is a date without a time; `datetime.fromisoformat` would read it as midnight."""
    try:
        date.fromisoformat(text.strip())
    except ValueError:
        return False
    return True
