"""Windows of several lengths at once."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from pipeline.config import Settings
from pipeline.segment.windows import FixedWindows
from pipeline.types import FrameEmbeddings, Segment

__all__ = ["Scales"]


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
