"""The protocols of samplers: `FrameSampler` is a strategy, `SamplingPass` its pass over one video."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Protocol

from pipeline.sampling.shots.detector import CutDetection
from pipeline.types import Frame, Grid, Skip, VideoInfo

__all__ = ["FrameSampler", "SamplingPass"]


class SamplingPass(Protocol):
    """One pass over one video: frames are fed in presentation order, the chosen ones come out in the same order.

    A chosen frame may come out later than it went in; the number of frames held back is bounded.
    """

    def feed(self, frame: Frame) -> Sequence[Frame]:
        """Take the next frame and return the frames that are now known to be chosen."""

    def finish(self) -> Sequence[Frame]:
        """Return the chosen frames still held back; the stream has ended."""

    @property
    def held_since(self) -> Fraction | None:
        """Time of the earliest frame held back that may still come out; None where none is."""

    @property
    def cuts(self) -> tuple[Fraction, ...] | None:
        """Time of the first frame of each new shot, complete after `finish`; None where cuts are not looked for."""

    @property
    def seen_until(self) -> tuple[Fraction, ...] | None:
        """For each chosen frame, the last time at which its picture was still on screen, complete after `finish`.

        It is no earlier than the frame and before the next chosen one: under a grid the last point at which the frame
        is on screen, otherwise the last tick before the next frame, as far as that is known. None where a chosen frame
        stands for its own time alone.
        """

    @property
    def step(self) -> Fraction | None:
        """Seconds after which a picture that is still on screen counts as another frame would; None where none does."""


class FrameSampler(Protocol):
    """A strategy that chooses frames: a frozen, validated configuration.

    Every video with at least one frame yields at least one sampled frame.
    """

    @property
    def skip(self) -> Skip:
        """What the decoder may leave out for this strategy."""

    @property
    def grid(self) -> Grid | None:
        """The points at which frames are wanted, where no others are; None where any frame may be."""

    @property
    def cut_searches(self) -> tuple[CutDetection, ...]:
        """Cuts that are wanted beside the frames, and that a pass does not tell of: `find_shots` is to find them."""

    @property
    def finds_cuts(self) -> bool:
        """Whether the cuts of a sampled video are known, by the pass itself or by `cut_searches`."""

    def begin(self, info: VideoInfo) -> SamplingPass:
        """Begin a pass over one video."""
