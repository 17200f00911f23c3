"""How long frames stay on screen.

A frame is on screen until the next one is shown, and the last one for as long as its container says. A slide of an hour
is one frame of an hour. Sampled frames carry this on as `SamplingPass.seen_until`.
"""

from __future__ import annotations

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

    Its own duration decides where the container gives one. The duration of the whole file does not: it may be that of
    the sound, count from another start, or be rounded up, and would put points behind the last picture. Without a
    duration, the frame stays as long as the one before it or as the average frame, whichever is shorter: the first may
    have been a slide, the second is only a header's claim. A tick is taken off, since times are rounded to ticks.

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
    return last.time + duration - min(info.time_base, duration / 2)


@dataclass(slots=True, eq=False)
class Hold:
    """The time that one frame stays on screen, as far as it is known.

    Attributes:
        since: Time of the frame.
        until: Last known time on screen; equals `since` while the next frame is not known.
    """

    since: Fraction
    until: Fraction


class ScreenTime:
    """Measures the holds of frames that are fed one after another; the last tick before the next frame ends a hold.

    Args:
        info: Description of the video.
        sees_all: Whether every frame of the video is fed. If not, a frame that was left out may follow, so that a hold
            lasts no longer than the frame's own duration.
    """

    def __init__(self, info: VideoInfo, *, sees_all: bool) -> None:
        self._info = info
        self._sees_all = sees_all
        self._last: Frame | None = None
        self._hold = Hold(Fraction(0), Fraction(0))
        self._step: Fraction | None = None

    def feed(self, frame: Frame) -> Hold:
        """Take the next frame, end the hold of the one before, and return the new frame's hold."""
        if self._last is not None:
            self._step = frame.time - self._last.time
            self._end(self._last, frame.time)
        self._last, self._hold = frame, Hold(frame.time, frame.time)
        return self._hold

    def finish(self) -> None:
        """End the hold of the last frame."""
        if self._last is not None:
            self._end(self._last, end_of_last(self._last, self._step, self._info))
        self._last = None

    def _end(self, frame: Frame, next_time: Fraction) -> None:
        end = next_time
        if not self._sees_all:
            end = min(end, frame.time + (frame.duration or 0))
        self._hold.until = max(frame.time, end - self._info.time_base)


@dataclass(frozen=True)
class FrameHolds:
    """The frames that one strategy took, and how long each was seen.

    Attributes:
        times: Seconds of the frames.
        seen_until: As of `SamplingPass`.
        step: As of `SamplingPass`.
    """

    times: Sequence[Fraction]
    seen_until: Sequence[Fraction] | None
    step: Fraction | None


def merged_holds(parts: Iterable[FrameHolds]) -> Mapping[Fraction, Fraction]:
    """Merge the holds of frames that several strategies took of one video.

    A hold ends before the next frame that any strategy took: at the last step of its own strategy that does.

    Returns:
        The last time each frame was seen by the frame's time, in order of time.
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
    """Go back from a time in whole steps until before an end; to 0 where there is no step."""
    if until < end:
        return until
    return Fraction(0) if step is None else until - ((until - end) // step + 1) * step
