"""Exact times: the points of a grid with a number of frames per second, and conversion of clock times.

Inside the pipeline, a time is a `Fraction` in seconds on the video's playback clock, with zero at the container's
start.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

__all__ = ["format_seconds", "grid_time", "next_grid_number", "parse_seconds"]

_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d+)?)")


def grid_time(number: int, rate: Fraction, start: Fraction = Fraction(0)) -> Fraction:
    """Return the time of point `number` of a grid with `rate` points per second: start + number / rate, exactly."""
    return start + number / rate


def next_grid_number(time: Fraction, rate: Fraction, start: Fraction = Fraction(0)) -> int:
    """Return the number of the first grid point at or after `time`; 0 for times before `start`."""
    steps = (time - start) * rate
    return max(0, -(-steps.numerator // steps.denominator))


def format_seconds(seconds: float) -> str:
    """Format seconds as H:MM:SS.mmm, without zero hours: 75.5 is 1:15.500.

    Raises:
        ValueError: `seconds` is negative or not finite.
    """
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"a time must be finite and not negative, got {seconds}")
    # From 2**53 on, floats are whole numbers, and the product could be infinite.
    milliseconds = round(seconds * 1000) if seconds < 2**53 else int(seconds) * 1000
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    tail = f"{milliseconds // 1000:02d}.{milliseconds % 1000:03d}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def parse_seconds(text: str) -> float:
    """Parse "75.5", "1:15.5" or "0:01:15.5" to seconds.

    Raises:
        ValueError: `text` has another form, or minutes or seconds after a colon are 60 or more.
    """
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not a time: {text!r}; write seconds (75.5) or a clock time (1:15.5, 0:01:15.5)")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    if (match[2] is not None and seconds >= 60) or (match[1] is not None and minutes >= 60):
        raise ValueError(f"not a time: {text!r}; minutes and seconds after a colon must be below 60")
    total = hours * 3600 + minutes * 60 + seconds
    if math.isinf(total):
        raise ValueError(f"not a time: a number of {len(text)} characters")
    return total
