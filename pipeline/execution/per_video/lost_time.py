"""Find the parts of a video whose frames were lost to damage."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from pipeline.sampling.screen_time import stepped_back
from pipeline.types import Frame
from pipeline.video.protocol import VideoStream

__all__ = ["LostTime"]

# Far above the rounding errors of times, far below the duration of a frame.
_MIN_SECONDS = 1e-4
_MIN_SHARE = 1e-9


@dataclass(frozen=True)
class _LostInterval:
    """The interval [start, end) without frames; `last` is the time of the last frame before it."""

    last: Fraction
    start: Fraction
    end: Fraction


class LostTime:
    """Finds the intervals between two frames in which frames were lost.

    It is unknown what was on screen there, so no frame represents such an interval, however long it lasted.

    Args:
        stream: The video; its frames are passed to `see` one after another.
    """

    def __init__(self, stream: VideoStream) -> None:
        self._stream = stream
        self._last: Fraction | None = None
        self._lost_seconds = 0.0
        self._lost: list[_LostInterval] = []

    def see(self, frame: Frame) -> None:
        """Process the frame that the stream has just yielded."""
        # The stream counts this frame as covered up to its end.
        covered = self._stream.covered_seconds - float(self._stream.end_time - frame.time)
        seconds = float(frame.time)
        lost = seconds - covered
        more = lost - self._lost_seconds
        if self._last is not None and more > max(_MIN_SECONDS, _MIN_SHARE * seconds):
            start = max(self._last, frame.time - Fraction(more))
            self._lost.append(_LostInterval(self._last, start, frame.time))
        self._last, self._lost_seconds = frame.time, lost

    def clipped(self, seen_until: Sequence[Fraction], step: Fraction | None) -> Sequence[Fraction]:
        """Move times inside such an interval back to its start, in whole steps, but not before the last frame.

        Args:
            seen_until: See `SamplingPass`.
            step: See `SamplingPass`.
        """
        return [self._clipped(time, step) for time in seen_until] if self._lost else seen_until

    def _clipped(self, time: Fraction, step: Fraction | None) -> Fraction:
        number = bisect_right(self._lost, time, key=lambda interval: interval.start) - 1
        if number < 0 or time >= self._lost[number].end:
            return time
        interval = self._lost[number]
        return max(interval.last, stepped_back(time, interval.start, step))
