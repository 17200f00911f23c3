"""Measures how long frames stay on screen.

A frame is on screen until the next one is shown, and the last one for the duration that its container states. A slide
that is shown for an hour is one frame of an hour. For sampled frames, `SamplingPass.seen_until` provides this time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from pipeline.types import Frame, VideoInfo

__all__ = ["STEP_WITHOUT_GRID", "FrameHolds", "Hold", "ScreenTime", "end_of_last", "merged_holds", "stepped_back"]

STEP_WITHOUT_GRID = Fraction(1)
"""Step, in seconds, of strategies without a grid: that of one frame a second, the default of `FixedRate`."""

_UNKNOWN_DURATION = Fraction(1, 25)


def end_of_last(last: Frame, step: Fraction | None, info: VideoInfo) -> Fraction:
    """Return the time at which the last frame of a video leaves the screen.

    If the container states the frame's own duration, this is used. The duration of the whole file is not: it may be
    that of the sound, count from another start or be rounded up, which would place points after the last picture.
    Without a duration, the frame is assumed to stay as long as the previous frame or the average frame, whichever is
    shorter: the previous one may have been a slide, and the average is only stated by a header. Half a tick is
    subtracted, since the frame's time may have been rounded up.

    Args:
        last: The last frame.
        step: Seconds between the last two frames; None for a single frame.
        info: Description of the video.
    """
    if last.duration is not None and last.duration > 0:
        return last.time + last.duration
    average = 1 / info.average_rate if info.average_rate else None
    known = [seconds for seconds in (step, average) if seconds is not None]
    duration = min(known, default=_UNKNOWN_DURATION)
    return last.time + duration - min(info.time_base, duration) / 2


@dataclass(slots=True, eq=False)
class Hold:
    """The time that one frame stays on screen.

    Attributes:
        since: Time of the frame.
        end: When the frame leaves the screen, as far as known; None until the next frame is known.
    """

    since: Fraction
    end: Fraction | None = None


class ScreenTime:
    """Measures how long each of a series of frames stays on screen (its hold).

    Args:
        info: Description of the video.
        sees_all: Whether all frames of the video are fed. If not, a frame that was left out may follow, so a hold is
            not longer than the frame's own duration.
    """

    def __init__(self, info: VideoInfo, *, sees_all: bool) -> None:
        self._info = info
        self._sees_all = sees_all
        self._frames: deque[Frame] = deque(maxlen=2)
        self._hold = Hold(Fraction(0))

    def feed(self, frame: Frame) -> Hold:
        """Process the next frame, end the hold of the previous one, and return the new frame's hold."""
        if self._frames:
            self._end(frame.time)
        self._frames.append(frame)
        self._hold = Hold(frame.time)
        return self._hold

    def finish(self) -> None:
        """End the hold of the last frame."""
        if self._frames:
            first, last = self._frames[0], self._frames[-1]
            self._end(end_of_last(last, last.time - first.time or None, self._info))
        self._frames.clear()

    def last_times(self, holds: Iterable[Hold]) -> tuple[Fraction, ...]:
        """Return the last tick of each hold."""
        tick = self._info.time_base
        return tuple(hold.since if hold.end is None else max(hold.since, hold.end - tick) for hold in holds)

    def _end(self, next_time: Fraction) -> None:
        duration = self._frames[-1].duration or 0
        self._hold.end = next_time if self._sees_all else min(next_time, self._hold.since + duration)


@dataclass(frozen=True)
class FrameHolds:
    """The frames that one strategy selected, and how long each stayed on screen.

    Attributes:
        times: Times of the frames in seconds.
        seen_until: As in `SamplingPass`.
        step: As in `SamplingPass`.
    """

    times: Sequence[Fraction]
    seen_until: Sequence[Fraction] | None
    step: Fraction | None


def merged_holds(parts: Iterable[FrameHolds]) -> Mapping[Fraction, Fraction]:
    """Merge the holds of frames that several strategies selected from one video.

    A hold ends before the next frame of any strategy, at the last step of its own strategy before that frame.

    Returns:
        By the time of each frame, in order, the last time at which it was seen.
    """
    parts = tuple(parts)
    times = sorted({time for part in parts for time in part.times})
    following = dict(pairwise(times))
    merged = {time: time for time in times}
    for part in parts:
        for time, until in zip(part.times, part.seen_until or part.times, strict=True):
            merged[time] = max(merged[time], stepped_back(until, following.get(time, until + 1), part.step))
    return merged


def stepped_back(until: Fraction, end: Fraction, step: Fraction | None) -> Fraction:
    """Go back from a time in whole steps until it is before an end; to 0 if there is no step."""
    if until < end:
        return until
    return Fraction(0) if step is None else until - ((until - end) // step + 1) * step
