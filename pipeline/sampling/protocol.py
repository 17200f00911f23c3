"""The protocols of samplers: `FrameSampler` is a strategy, `SamplingPass` its pass over one video."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Protocol

from pipeline.sampling.shots.detector import CutDetection
from pipeline.types import Frame, Grid, Skip, VideoInfo

__all__ = ["FrameSampler", "SamplingPass"]


class SamplingPass(Protocol):
    """One pass over one video: it receives frames in presentation order, and returns the selected ones in this order.

    A selected frame may be returned later than it was received; the number of frames held back is bounded.
    """

    def feed(self, frame: Frame) -> Sequence[Frame]:
        """Process the next frame and return the frames that are now known to be selected."""

    def finish(self) -> Sequence[Frame]:
        """Return the selected frames that are still held back; called at the end of the stream."""

    @property
    def held_since(self) -> Fraction | None:
        """Time of the earliest held-back frame that may still be returned; None if there is none."""

    @property
    def cuts(self) -> tuple[Fraction, ...] | None:
        """Time of the first frame of each new shot, complete after `finish`; None if the pass does not detect cuts."""

    @property
    def seen_until(self) -> tuple[Fraction, ...] | None:
        """For each selected frame, the last time at which its picture was still on screen, complete after `finish`.

        It is not earlier than the frame and before the next selected one: with a grid, the last point at which the
        frame is on screen, otherwise the last tick before the next frame, as far as known. None if selected frames
        represent only their own times.
        """

    @property
    def step(self) -> Fraction | None:
        """Seconds after which a picture that is still on screen counts as a further frame; None for never."""


class FrameSampler(Protocol):
    """A strategy that selects frames: a frozen, validated configuration.

    Every video with at least one frame yields at least one sampled frame.
    """

    @property
    def skip(self) -> Skip:
        """Frames that the decoder may leave out with this strategy."""

    @property
    def grid(self) -> Grid | None:
        """The points at which frames are needed; None if any frame may be needed."""

    @property
    def cut_searches(self) -> tuple[CutDetection, ...]:
        """Cut searches that `find_shots` runs in addition to sampling, because the pass itself finds no cuts."""

    @property
    def finds_cuts(self) -> bool:
        """Whether the cuts of a sampled video are known, from the pass itself or from `cut_searches`."""

    def begin(self, info: VideoInfo) -> SamplingPass:
        """Begin a pass over one video."""
