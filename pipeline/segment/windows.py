"""Segmentation by windows of fixed lengths, whatever is shown."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config import Settings
from pipeline.segment.intervals import end_of, frames_within
from pipeline.types import FrameEmbeddings, Segment

__all__ = ["FixedWindows", "Scales"]


class FixedWindows(Settings):
    """Windows of one length that start every `length_seconds - overlap_seconds`, from 0.

    Window k starts at k times that stride, computed with fractions and never accumulated. The first window that reaches
    the end of the video is clipped there and is the last. Windows without a sampled frame are left out.
    """

    fingerprint_name: ClassVar[str] = "FixedWindows"

    strategy: Literal["fixed_windows"] = "fixed_windows"

    length_seconds: float = Field(default=4.0, gt=0)
    """Length of a window."""

    overlap_seconds: float = Field(default=2.0, ge=0)
    """How much of a window the next one shares; less than the length. With half the length, a moment of at most half a
    window's length lies whole within one window."""

    @model_validator(mode="after")
    def _check_overlap(self) -> FixedWindows:
        if self.overlap_seconds >= self.length_seconds:
            raise ValueError(
                f"overlap_seconds ({self.overlap_seconds}) must be less than length_seconds ({self.length_seconds})"
            )
        return self

    @property
    def needs_cuts(self) -> bool:
        """False: windows follow the clock alone."""
        return False

    def segments(self, frames: FrameEmbeddings) -> tuple[Segment, ...]:
        """Windows in order of start, each holding at least one sampled frame, ordinals from 0."""
        length = Fraction(str(self.length_seconds))
        stride = length - Fraction(str(self.overlap_seconds))
        end = end_of(frames)
        found: list[Segment] = []
        for number in _candidates(frames, length, stride):
            start_seconds = float(number * stride)
            reached = float(number * stride + length)
            if frames_within(frames, start_seconds, min(reached, end)):
                found.append(Segment(frames.video_id, start_seconds, min(reached, end), len(found)))
                if reached >= end:
                    break
        return tuple(found)


def _candidates(frames: FrameEmbeddings, length: Fraction, stride: Fraction) -> list[int]:
    """Numbers of the windows that may hold a frame, increasing: a gap of years in damaged times costs nothing."""
    numbers: list[int] = []
    following = 0
    for time in frames.times_seconds.tolist():
        exact = Fraction(time)
        # One more on either side, since starts and ends are rounded to floats.
        first = max(following, (exact - length) // stride)
        last = exact // stride + 1
        numbers.extend(range(first, last + 1))
        following = max(following, last + 1)
    return numbers


class Scales(Settings):
    """Windows of each of several lengths, each half overlapped by the next: short moments and long ones find a fit.

    It takes as many rows as the shortest length alone, and half as many again for each length twice as long.
    """

    fingerprint_name: ClassVar[str] = "Scales"

    strategy: Literal["scales"] = "scales"

    lengths_seconds: tuple[float, ...] = Field(default=(2.0, 8.0, 32.0), min_length=1, max_length=8)
    """Lengths of windows, increasing."""

    @field_validator("lengths_seconds")
    @classmethod
    def _check_lengths(cls, lengths: tuple[float, ...]) -> tuple[float, ...]:
        if lengths[0] <= 0 or any(later <= earlier for earlier, later in pairwise(lengths)):
            raise ValueError(f"expected lengths above 0, each greater than the one before, got {list(lengths)}")
        return lengths

    @property
    def needs_cuts(self) -> bool:
        """False: windows follow the clock alone."""
        return False

    def segments(self, frames: FrameEmbeddings) -> tuple[Segment, ...]:
        """Windows of all lengths in order of start, then of length, ordinals from 0; an interval comes once."""
        found = {
            (segment.start_seconds, segment.end_seconds)
            for length in self.lengths_seconds
            for segment in FixedWindows(length_seconds=length, overlap_seconds=length / 2).segments(frames)
        }
        return tuple(Segment(frames.video_id, *interval, number) for number, interval in enumerate(sorted(found)))
