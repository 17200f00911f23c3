"""Segmentation by shots: segments follow the cuts."""

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
    """Shots, the long ones divided evenly and the tiny ones joined to a neighbour.

    A cut that comes less than `min_seconds` after the one before it is ignored, so that a tiny shot joins the one that
    follows; a tiny last shot joins the one before it. Segments without a sampled frame are left out.
    """

    fingerprint_name: ClassVar[str] = "Shots"

    strategy: Literal["shots"] = "shots"

    max_seconds: float | None = Field(default=8.0, gt=0)
    """Shots longer than this are divided into equal parts, as few as may be; None never divides."""

    min_seconds: float = Field(default=0.5, ge=0)
    """Shots shorter than this are joined to a neighbour."""

    @model_validator(mode="after")
    def _check_lengths(self) -> Shots:
        if self.max_seconds is not None and self.min_seconds > self.max_seconds:
            raise ValueError(f"min_seconds ({self.min_seconds}) must not exceed max_seconds ({self.max_seconds})")
        return self

    @property
    def needs_cuts(self) -> bool:
        """True: its segments follow them."""
        return True

    def segments(self, frames: FrameEmbeddings) -> tuple[Segment, ...]:
        """Segments in order of start, one after another, each holding at least one sampled frame, ordinals from 0.

        Raises:
            ConfigError: Cuts were not looked for when the video was sampled.
        """
        if frames.cuts_seconds is None:
            raise ConfigError(
                f"segmentation.strategy: 'shots' needs cuts, and none were looked for in {frames.video_id}; set"
                " sampling.cuts and index again, or choose another segmentation (fixed_windows)"
            )
        bounds = _kept(frames.cuts_seconds, end_of(frames), self.min_seconds)
        found: list[Segment] = []
        for shot_start, shot_end in itertools.pairwise(bounds):
            for start_seconds, end_seconds in self._parts(shot_start, shot_end, frames):
                if frames_within(frames, start_seconds, end_seconds):
                    found.append(Segment(frames.video_id, start_seconds, end_seconds, len(found)))
        return tuple(found)

    def _parts(self, start: float, end: float, frames: FrameEmbeddings) -> Iterator[tuple[float, float]]:
        """The equal parts of a shot that may hold a frame, in order: a gap of years in damaged times costs nothing."""
        length = Fraction(end) - Fraction(start)
        count = 1 if self.max_seconds is None else math.ceil(length / Fraction(str(self.max_seconds)))
        numbers: set[int] = set()
        for row in frames_within(frames, start, end):
            number = (Fraction(float(frames.times_seconds[row])) - Fraction(start)) * count // length
            # One more on either side, since the bounds of parts are rounded to floats.
            numbers.update(range(max(0, number - 1), min(count, number + 2)))
        for number in sorted(numbers):
            before, after = (float(Fraction(start) + length * k / count) for k in (number, number + 1))
            yield before, after


def _kept(cuts: Iterable[float], end: float, least: float) -> list[float]:
    """0, the cuts that leave no shot shorter than `least`, and the end."""
    bounds = [0.0]
    for cut in sorted(cuts):
        if bounds[-1] < cut < end and cut - bounds[-1] >= least:
            bounds.append(cut)
    if len(bounds) > 1 and end - bounds[-1] < least:
        bounds.pop()
    return [*bounds, end]
