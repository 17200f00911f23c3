"""So many frames a second."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from pydantic import Field

from pipeline.config import Settings
from pipeline.sampling.cuts import CutDetection, CutPass
from pipeline.timecode import grid_time, next_grid_number
from pipeline.types import Frame, Skip, VideoInfo

__all__ = ["FixedRate"]

# 1001 is the largest denominator of a broadcast rate: 29.97002997 is read as 30000/1001.
_LARGEST_DENOMINATOR = 1001


class FixedRate(Settings):
    """The frame on screen at each point k / fps of the playback clock, whatever the video's own rate.

    Where the video begins later than a point, its first frame is taken; no frame is taken twice, so a video with fewer
    frames a second gives all of them.
    """

    strategy: Literal["fixed_rate"] = "fixed_rate"

    fps: float = Field(default=1.0, gt=0, le=1000)
    """Points a second; 29.97002997 is read as 30000/1001."""

    cuts: CutDetection | None = None
    """How cuts are looked for on the way, which decodes no more; a detector's name stands for it with its defaults
    (`sampling.cuts=adaptive`). None looks for none."""

    @property
    def skip(self) -> Skip:
        """Nothing: any frame may be on screen at a point."""
        return Skip.NOTHING

    @property
    def rate(self) -> Fraction:
        """The exact rate that `fps` stands for."""
        exact = Fraction(self.fps)
        near = exact.limit_denominator(_LARGEST_DENOMINATOR)
        return near if near > 0 and abs(near - exact) <= exact / 1_000_000 else exact

    def begin(self, info: VideoInfo) -> FixedRatePass:
        """Begin a pass over one video."""
        return FixedRatePass(self.rate, info.duration_seconds, None if self.cuts is None else self.cuts.begin())


class FixedRatePass:
    """A `SamplingPass` that holds one frame back: the one on screen.

    Args:
        rate: Points a second.
        duration_seconds: Length of the video, where its container says.
        cut_pass: Looks for cuts, where they are wanted.
    """

    seen_until: tuple[Fraction, ...] | None = None

    def __init__(self, rate: Fraction, duration_seconds: float | None, cut_pass: CutPass | None) -> None:
        self._rate = rate
        self._duration = Fraction(0) if duration_seconds is None else Fraction(duration_seconds)
        self._cut_pass = cut_pass
        self._on_screen: Frame | None = None
        self._is_first = True
        self._step = Fraction(0)

    @property
    def held_since(self) -> Fraction | None:
        """Time of the frame on screen."""
        return None if self._on_screen is None else self._on_screen.time

    @property
    def cuts(self) -> tuple[Fraction, ...] | None:
        """Time of the first frame of each new shot."""
        return None if self._cut_pass is None else self._cut_pass.cuts

    def feed(self, frame: Frame) -> Sequence[Frame]:
        """Take the next frame and return the one before it, if a point lies in its time on screen."""
        if self._cut_pass is not None:
            self._cut_pass.feed(frame)
        chosen = self._chosen_until(frame.time)
        if self._on_screen is not None:
            self._step = frame.time - self._on_screen.time
        self._on_screen = frame
        return chosen

    def finish(self) -> Sequence[Frame]:
        """Return the last frame, if a point lies in its time on screen, taken to be as long as the one before."""
        if self._cut_pass is not None:
            self._cut_pass.finish()
        if self._on_screen is None:
            return []
        chosen = self._chosen_until(max(self._on_screen.time + self._step, self._duration))
        self._on_screen = None
        return chosen

    def _chosen_until(self, end: Fraction) -> Sequence[Frame]:
        frame = self._on_screen
        if frame is None:
            return []
        is_first, self._is_first = self._is_first, False
        point = grid_time(next_grid_number(frame.time, self._rate), self._rate)
        return [frame] if is_first or point < end else []
