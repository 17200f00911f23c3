"""The sampling strategy `keyframe`: keyframes only."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import ClassVar, Literal

from pydantic import Field

from pipeline.config import Settings
from pipeline.sampling.screen_time import STEP_WITHOUT_GRID, Hold, ScreenTime
from pipeline.sampling.shots.detector import CutDetection
from pipeline.types import Frame, Skip, VideoInfo

__all__ = ["Keyframe"]


class Keyframe(Settings):
    """The keyframes, which can be decoded without other frames.

    This is much faster than the other strategies, but the video's encoder determines their times. If there is
    no keyframe, because the decoder does not mark any, the first frame is selected.
    """

    fingerprint_name: ClassVar[str] = "Keyframe"

    strategy: Literal["keyframe"] = "keyframe"

    min_gap_seconds: float = Field(default=0.0, ge=0)
    """Minimum time between two selected keyframes; those in between are left out."""

    @property
    def skip(self) -> Skip:
        """All frames except keyframes."""
        return Skip.NON_KEY

    @property
    def grid(self) -> None:
        """None: keyframes are at arbitrary times."""

    @property
    def cut_searches(self) -> tuple[CutDetection, ...]:
        """None."""
        return ()

    @property
    def finds_cuts(self) -> bool:
        """False: cuts occur between frames that this strategy does not decode."""
        return False

    def begin(self, info: VideoInfo) -> KeyframePass:
        """Begin a pass over one video."""
        return KeyframePass(Fraction(str(self.min_gap_seconds)), ScreenTime(info, sees_all=False))


class KeyframePass:
    """A `SamplingPass` that holds back the first frame until a keyframe comes.

    Args:
        min_gap: Minimum time in seconds between two selected frames.
        screen_time: Measures how long frames stay on screen.
    """

    cuts: tuple[Fraction, ...] | None = None
    step = STEP_WITHOUT_GRID

    def __init__(self, min_gap: Fraction, screen_time: ScreenTime) -> None:
        self._min_gap = min_gap
        self._screen_time = screen_time
        self._first: tuple[Frame, Hold] | None = None
        self._last_time: Fraction | None = None
        self._holds: list[Hold] = []

    @property
    def held_since(self) -> Fraction | None:
        """Time of the first frame, until the first keyframe."""
        return None if self._first is None else self._first[0].time

    @property
    def seen_until(self) -> tuple[Fraction, ...]:
        """For each selected frame, the end of its own duration, or of its time on screen if that is shorter."""
        return self._screen_time.last_times(self._holds)

    def feed(self, frame: Frame) -> Sequence[Frame]:
        """Process the next frame, and return it if it is a keyframe and far enough from the previous one."""
        hold = self._screen_time.feed(frame)
        if not frame.is_keyframe:
            if self._last_time is None and self._first is None:
                self._first = frame, hold
            return []
        if self._last_time is not None and frame.time - self._last_time < self._min_gap:
            return []
        self._last_time = frame.time
        self._first = None
        self._holds.append(hold)
        return [frame]

    def finish(self) -> Sequence[Frame]:
        """Return the first frame if there was no keyframe."""
        self._screen_time.finish()
        if self._first is None:
            return []
        frame, hold = self._first
        self._first = None
        self._holds.append(hold)
        return [frame]
