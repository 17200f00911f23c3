"""Segmentation by shots: segments start and end at cuts."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from pipeline.config import Settings
from pipeline.errors import ConfigError
from pipeline.segment.intervals import end_of, frames_within
from pipeline.types import FrameEmbeddings, Segment

__all__ = ["Shots"]


class Shots(Settings):
    """Shots; long ones are divided evenly, and short ones are joined to a neighbour.

    A cut less than `min_seconds` after the previous one is ignored, so a short shot joins the next one; a short last
    shot joins the previous one. Segments without a sampled frame are left out.
    """

    fingerprint_name: ClassVar[str] = "Shots"

    strategy: Literal["shots"] = "shots"

    max_seconds: float | None = Field(default=8.0, gt=0)
    """Shots longer than this are divided into the fewest equal parts that are not; null never divides."""

    min_seconds: float = Field(default=0.5, ge=0)
    """Shots shorter than this are joined to a neighbour."""

    @model_validator(mode="after")
    def _check_lengths(self) -> Shots:
        if self.max_seconds is not None and self.min_seconds > self.max_seconds:
            raise ValueError(f"min_seconds ({self.min_seconds}) must not exceed max_seconds ({self.max_seconds})")
        return self

    @property
    def needs_cuts(self) -> bool:
        """True: segments start and end at cuts."""
        return True

    def segments(self, frames: FrameEmbeddings) -> tuple[Segment, ...]:
        """Return consecutive segments in order of start, each with at least one sampled frame, with ordinals from 0.

        Raises:
            ConfigError: Cuts were not detected when the video was sampled.
        """
        if frames.cuts_seconds is None:
            raise ConfigError(
                f"segmentation.strategy: 'shots' needs cuts, but they were not detected in {frames.video_id}; set"
                " sampling.cuts and index again, or choose another segmentation (fixed_windows)"
            )
        bounds = _shot_bounds(frames.cuts_seconds, end_of(frames), self.min_seconds)
        found: list[Segment] = []
        for shot_start, shot_end in itertools.pairwise(bounds):
            for start_seconds, end_seconds in self._parts(shot_start, shot_end, frames):
                if frames_within(frames, start_seconds, end_seconds):
                    found.append(Segment(frames.video_id, start_seconds, end_seconds, len(found)))
        return tuple(found)

    def _parts(self, start: float, end: float, frames: FrameEmbeddings) -> Iterator[tuple[float, float]]:
        """Yield the equal parts of a shot near sampled frames, in order.

        Parts without frames are skipped at once, since damaged timestamps can leave a gap of years.
        """
        length = Fraction(end) - Fraction(start)
        count = 1 if self.max_seconds is None else math.ceil(length / Fraction(str(self.max_seconds)))
        numbers: set[int] = set()
        for row in frames_within(frames, start, end):
            number = (Fraction(float(frames.times_seconds[row])) - Fraction(start)) * count // length
            # The neighbours are included because the bounds of parts are rounded to floats.
            numbers.update(range(max(0, number - 1), min(count, number + 2)))
        for number in sorted(numbers):
            before, after = (float(Fraction(start) + length * k / count) for k in (number, number + 1))
            yield before, after


def _shot_bounds(cuts: Iterable[float], end: float, min_seconds: float) -> list[float]:
    """Return 0, the end, and between them those cuts that leave no shot shorter than `min_seconds`."""
    bounds = [0.0]
    for cut in sorted(cuts):
        if bounds[-1] < cut < end and cut - bounds[-1] >= min_seconds:
            bounds.append(cut)
    if len(bounds) > 1 and end - bounds[-1] < min_seconds:
        bounds.pop()
    return [*bounds, end]
