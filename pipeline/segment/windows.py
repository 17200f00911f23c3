"""Segmentation by windows of fixed length, independent of the content."""

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

    Window k starts at k times this stride, computed exactly with fractions. The first window that reaches the end of
    the video is clipped there and is the last one. Windows without a sampled frame are left out.
    """

    fingerprint_name: ClassVar[str] = "FixedWindows"

    strategy: Literal["fixed_windows"] = "fixed_windows"

    length_seconds: float = Field(default=4.0, gt=0)
    """Length of a window."""

    overlap_seconds: float = Field(default=2.0, ge=0)
    """Overlap of consecutive windows; less than the length. With an overlap of half the length, every moment of up to
    half a window's length is entirely within one window."""

    @model_validator(mode="after")
    def _check_overlap(self) -> FixedWindows:
        if self.overlap_seconds >= self.length_seconds:
            raise ValueError(
                f"overlap_seconds ({self.overlap_seconds}) must be less than length_seconds ({self.length_seconds})"
            )
        return self

    @property
    def needs_cuts(self) -> bool:
        """False: windows depend only on time."""
        return False

    def segments(self, frames: FrameEmbeddings) -> tuple[Segment, ...]:
        """Return the windows in order of start, each with at least one sampled frame, with ordinals from 0."""
        length = Fraction(str(self.length_seconds))
        stride = length - Fraction(str(self.overlap_seconds))
        end = end_of(frames)
        found: list[Segment] = []
        for number in _candidates(frames, length, stride):
            start_seconds = float(number * stride)
            end_seconds = float(number * stride + length)
            if frames_within(frames, start_seconds, min(end_seconds, end)):
                found.append(Segment(frames.video_id, start_seconds, min(end_seconds, end), len(found)))
                if end_seconds >= end:
                    break
        return tuple(found)


def _candidates(frames: FrameEmbeddings, length: Fraction, stride: Fraction) -> list[int]:
    """Return the increasing numbers of the windows near sampled frames.

    Windows without frames are skipped at once, since damaged timestamps can leave a gap of years.
    """
    numbers: list[int] = []
    next_number = 0
    for time in frames.times_seconds.tolist():
        exact = Fraction(time)
        # The neighbours are included because starts and ends are rounded to floats.
        first = max(next_number, (exact - length) // stride)
        last = exact // stride + 1
        numbers.extend(range(first, last + 1))
        next_number = max(next_number, last + 1)
    return numbers


class Scales(Settings):
    """Windows of several lengths, each overlapping the next by half, so that short and long moments fit a window.

    The number of rows of each length is inversely proportional to it: a length of twice the shortest adds half as many.
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
        """False: windows depend only on time."""
        return False

    def segments(self, frames: FrameEmbeddings) -> tuple[Segment, ...]:
        """Return the windows of all lengths, ordered by start, then by length, without duplicates; ordinals from 0."""
        found = {
            (segment.start_seconds, segment.end_seconds)
            for length in self.lengths_seconds
            for segment in FixedWindows(length_seconds=length, overlap_seconds=length / 2).segments(frames)
        }
        return tuple(Segment(frames.video_id, *interval, number) for number, interval in enumerate(sorted(found)))
