"""The sampling strategy `fixed_rate`: a fixed number of frames per second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from pipeline.config import Settings
from pipeline.sampling.screen_time import end_of_last
from pipeline.sampling.shots.detector import CutDetection
from pipeline.timecode import grid_time, next_grid_number
from pipeline.types import Frame, Grid, Skip, VideoInfo

__all__ = ["FixedRate", "GridFrame", "GridFrames"]

# 1001 is the largest denominator of a broadcast rate: 29.97002997 is read as 30000/1001.
_LARGEST_DENOMINATOR = 1001


class FixedRate(Settings):
    """The frame on screen at each time k / fps of the playback clock, whatever the video's own frame rate.

    For times before the video's first frame, the first frame is used. No frame is selected twice: a video with fewer
    frames per second yields all of its frames, and for a frame that is on screen at several of these times, the last of
    them is recorded.
    """

    fingerprint_name: ClassVar[str] = "FixedRate"

    strategy: Literal["fixed_rate"] = "fixed_rate"

    fps: float = Field(default=1.0, gt=0, le=1000)
    """Frames per second; 29.97002997 is read as 30000/1001."""

    cuts: CutDetection | None = None
    """Cut detection in addition to sampling; a detector's name stands for the detector with its defaults
    (`sampling.cuts=adaptive`). null for no cut detection."""

    tolerance_seconds: float = Field(default=0.0, ge=0)
    """How far a frame may be from its time, up to half of the time between two frames. Within this tolerance, the
    nearest frame that is cheap to decode is selected, and decoded without the loop filter, whose effect in a small
    picture is slight (cosine of embeddings: median 0.9998, minimum 0.98, on films and footage). With 0, the frame on
    screen is selected."""

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
        """The grid of points."""
        return Grid(self.rate, Fraction(str(self.tolerance_seconds)))

    @property
    def cut_searches(self) -> tuple[CutDetection, ...]:
        """The cut search of the setting `cuts`, if any."""
        return () if self.cuts is None else (self.cuts,)

    @property
    def rate(self) -> Fraction:
        """The exact rate that `fps` stands for."""
        exact = Fraction(self.fps)
        near = exact.limit_denominator(_LARGEST_DENOMINATOR)
        return near if near > 0 and abs(near - exact) <= exact / 1_000_000 else exact

    @property
    def finds_cuts(self) -> bool:
        """Whether cut detection is configured (`cuts`)."""
        return self.cuts is not None

    def begin(self, info: VideoInfo) -> FixedRatePass:
        """Begin a pass over one video."""
        return FixedRatePass(GridFrames(self.rate, info, self.grid.tolerance))


@dataclass(frozen=True)
class GridFrame:
    """A frame that was selected for a point of a grid.

    Attributes:
        frame: The frame.
        seen_until: Last point at which the frame is on screen; its own time if it is on screen at none.
    """

    frame: Frame
    seen_until: Fraction


class GridFrames:
    """Finds the frames on screen at the points of a grid, holding one frame back.

    Args:
        rate: Points per second.
        info: Description of the video.
        tolerance: How far in seconds a frame may be from its point. If above 0, the frame nearest to a point is
            selected, and the decoder may return any one of the frames within the tolerance.
    """

    def __init__(self, rate: Fraction, info: VideoInfo, tolerance: Fraction = Fraction(0)) -> None:
        self._rate = rate
        self._info = info
        self._tolerance = tolerance
        self._on_screen: Frame | None = None
        self._is_chosen = True
        self._step: Fraction | None = None

    @property
    def step(self) -> Fraction:
        """Seconds between two points."""
        return 1 / self._rate

    @property
    def held_since(self) -> Fraction | None:
        """Time of the frame on screen."""
        return None if self._on_screen is None else self._on_screen.time

    def feed(self, frame: Frame) -> Sequence[GridFrame]:
        """Process the next frame, and return the one before it if a point is within its time on screen."""
        before, self._on_screen = self._on_screen, frame
        if before is None:
            return []
        self._step = frame.time - before.time
        # From here on, points are the next frame's.
        turn = before.time + self._step / 2 if self._tolerance else frame.time
        is_chosen = self._is_chosen or self._has_point(before.time, turn)
        self._is_chosen = self._tolerance > 0 and self._has_point(turn, frame.time)
        if not is_chosen:
            return []
        # A frame that was left out in favour of one of these two may be on screen near either.
        since, until = before.time + self._tolerance, frame.time - self._tolerance
        return [GridFrame(before, max(before.time, self._last_point(since, until)))]

    def finish(self) -> Sequence[GridFrame]:
        """Return the last frame if a point is within its time on screen; see `end_of_last`."""
        last, self._on_screen = self._on_screen, None
        if last is None:
            return []
        end = end_of_last(last, self._step, self._info)
        is_chosen = self._is_chosen or self._has_point(last.time, end)
        return [GridFrame(last, max(last.time, self._last_point(last.time, end)))] if is_chosen else []

    def _has_point(self, start: Fraction, end: Fraction) -> bool:
        """Whether a point is within [start, end)."""
        return grid_time(next_grid_number(start, self._rate), self._rate) < end

    def _last_point(self, start: Fraction, end: Fraction) -> Fraction:
        """Return the last point within (start, end); 0 if there is none."""
        point = grid_time(max(0, next_grid_number(end, self._rate) - 1), self._rate)
        return point if start < point < end else Fraction(0)


class FixedRatePass:
    """A `SamplingPass` that selects every frame of a grid.

    Args:
        frames: Finds the frames on screen at the points.
    """

    cuts: tuple[Fraction, ...] | None = None

    def __init__(self, frames: GridFrames) -> None:
        self._frames = frames
        self._seen_until: list[Fraction] = []

    @property
    def held_since(self) -> Fraction | None:
        """Time of the frame on screen."""
        return self._frames.held_since

    @property
    def step(self) -> Fraction:
        """Seconds between two points."""
        return self._frames.step

    @property
    def seen_until(self) -> tuple[Fraction, ...]:
        """For each selected frame, the last point at which it is on screen."""
        return tuple(self._seen_until)

    def feed(self, frame: Frame) -> Sequence[Frame]:
        """Process the next frame, and return the one before it if a point is within its time on screen."""
        return self._recorded(self._frames.feed(frame))

    def finish(self) -> Sequence[Frame]:
        """Return the last frame if a point is within its time on screen."""
        return self._recorded(self._frames.finish())

    def _recorded(self, taken: Sequence[GridFrame]) -> Sequence[Frame]:
        self._seen_until.extend(each.seen_until for each in taken)
        return [each.frame for each in taken]
