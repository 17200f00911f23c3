"""So many frames a second."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline.config import Settings
from pipeline.sampling.cuts import CutDetection
from pipeline.timecode import grid_time, next_grid_number
from pipeline.types import Frame, Grid, Skip, VideoInfo

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
    """How cuts are looked for beside the frames; a detector's name stands for it with its defaults
    (`sampling.cuts=adaptive`). None looks for none."""

    tolerance_seconds: float = Field(default=0.0, ge=0)
    """By how much a frame may miss its point, up to half of the time between two: the nearest frame that costs little
    decoding is taken then, and decoded without its loop filter, of which little is left in a small picture (cosine of
    embeddings 0.9998 in the middle, 0.98 at least, on films and footage). 0 takes the frame on screen."""

    @model_validator(mode="after")
    def _within_half_a_step(self) -> Self:
        if self.tolerance_seconds * self.fps > 0.5:
            raise ValueError(
                f"tolerance_seconds: at most half of the {1 / self.fps:g} s between two frames, got"
                f" {self.tolerance_seconds:g}"
            )
        return self

    @property
    def skip(self) -> Skip:
        """Nothing: any frame may be on screen at a point."""
        return Skip.NOTHING

    @property
    def grid(self) -> Grid:
        """The points."""
        return Grid(self.rate, Fraction(str(self.tolerance_seconds)))

    @property
    def cut_searches(self) -> tuple[CutDetection, ...]:
        """What `cuts` says."""
        return () if self.cuts is None else (self.cuts,)

    @property
    def rate(self) -> Fraction:
        """The exact rate that `fps` stands for."""
        exact = Fraction(self.fps)
        near = exact.limit_denominator(_LARGEST_DENOMINATOR)
        return near if near > 0 and abs(near - exact) <= exact / 1_000_000 else exact

    @property
    def finds_cuts(self) -> bool:
        """Whether `cuts` says how to look for them."""
        return self.cuts is not None

    def begin(self, info: VideoInfo) -> FixedRatePass:
        """Begin a pass over one video."""
        return FixedRatePass(self.rate, info.duration_seconds, takes_nearest=self.tolerance_seconds > 0)


class FixedRatePass:
    """A `SamplingPass` that holds one frame back: the one on screen.

    Args:
        rate: Points a second.
        duration_seconds: Length of the video, where its container says.
        takes_nearest: Whether the frame nearest to a point is taken rather than the one on screen.
    """

    cuts: tuple[Fraction, ...] | None = None
    seen_until: tuple[Fraction, ...] | None = None

    def __init__(self, rate: Fraction, duration_seconds: float | None, *, takes_nearest: bool = False) -> None:
        self._rate = rate
        self._duration = Fraction(0) if duration_seconds is None else Fraction(duration_seconds)
        self._on_screen: Frame | None = None
        self._is_chosen = True
        self._takes_nearest = takes_nearest
        self._step = Fraction(0)

    @property
    def held_since(self) -> Fraction | None:
        """Time of the frame on screen."""
        return None if self._on_screen is None else self._on_screen.time

    def feed(self, frame: Frame) -> Sequence[Frame]:
        """Take the next frame and return the one before it, if a point lies in its time on screen."""
        before, self._on_screen = self._on_screen, frame
        if before is None:
            return []
        self._step = frame.time - before.time
        # From here on, points are the next frame's.
        turn = before.time + self._step / 2 if self._takes_nearest else frame.time
        chosen = [before] if self._is_chosen or self._has_point(before.time, turn) else []
        self._is_chosen = self._takes_nearest and self._has_point(turn, frame.time)
        return chosen

    def finish(self) -> Sequence[Frame]:
        """Return the last frame, if a point lies in its time on screen, taken to be as long as the one before."""
        last, self._on_screen = self._on_screen, None
        if last is None:
            return []
        end = max(last.time + self._step, self._duration)
        return [last] if self._is_chosen or self._has_point(last.time, end) else []

    def _has_point(self, start: Fraction, end: Fraction) -> bool:
        """Whether a point lies in [start, end)."""
        return grid_time(next_grid_number(start, self._rate), self._rate) < end
