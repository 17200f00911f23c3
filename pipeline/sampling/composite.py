"""Several strategies at once, in one pass over the video."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field, field_validator

from pipeline.config import Settings
from pipeline.sampling.cuts import CutDetection
from pipeline.sampling.fixed_rate import FixedRate
from pipeline.sampling.keyframe import Keyframe
from pipeline.sampling.novelty import Novelty
from pipeline.sampling.protocol import SamplingPass
from pipeline.sampling.scene_change import SceneChange
from pipeline.types import Frame, Skip, VideoInfo

__all__ = ["Composite"]

Part = Annotated[FixedRate | Keyframe | Novelty | SceneChange, Field(discriminator="strategy")]
_LEAST_SKIPPED_FIRST = tuple(Skip)


class Composite(Settings):
    """Every frame that any of several strategies takes, each once.

    Scene changes with a sparse grid, say: the frames of each shot, and one in ten seconds wherever else.
    """

    strategy: Literal["composite"] = "composite"

    parts: tuple[Part, ...] = Field(min_length=2, max_length=8)
    """The strategies."""

    @field_validator("parts")
    @classmethod
    def _in_bounded_memory(cls, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        if any(isinstance(part, SceneChange) and part.max_gap_seconds is None for part in parts):
            # The frames of the others would wait for the end of a shot that may last for hours.
            raise ValueError("scene_change within composite needs a max_gap_seconds")
        return parts

    @property
    def skip(self) -> Skip:
        """What the most demanding of the strategies allows."""
        return min((part.skip for part in self.parts), key=_LEAST_SKIPPED_FIRST.index)

    @property
    def grid(self) -> None:
        """None: the strategies want different frames."""

    @property
    def cut_searches(self) -> tuple[CutDetection, ...]:
        """Those of the strategies, each once."""
        return tuple(dict.fromkeys(search for part in self.parts for search in part.cut_searches))

    @property
    def finds_cuts(self) -> bool:
        """Whether one of the strategies does."""
        return any(part.finds_cuts for part in self.parts)

    def begin(self, info: VideoInfo) -> CompositePass:
        """Begin a pass over one video."""
        return CompositePass([part.begin(info) for part in self.parts])


class CompositePass:
    """A `SamplingPass` that holds back the frames one strategy took while another may still take earlier ones.

    Args:
        passes: The strategies' passes over the same video.
    """

    seen_until: tuple[Fraction, ...] | None = None

    def __init__(self, passes: Sequence[SamplingPass]) -> None:
        self._passes = passes
        self._waiting: dict[int, Frame] = {}

    @property
    def cuts(self) -> tuple[Fraction, ...] | None:
        """Time of the first frame of each new shot, as the strategies that look for cuts found them."""
        found = [one.cuts for one in self._passes if one.cuts is not None]
        return tuple(sorted(set().union(*found))) if found else None

    @property
    def held_since(self) -> Fraction | None:
        """Time of the earliest frame that may still come out."""
        held = [one.held_since for one in self._passes]
        times = [time for time in (*held, *(frame.time for frame in self._waiting.values())) if time is not None]
        return min(times, default=None)

    def feed(self, frame: Frame) -> Sequence[Frame]:
        """Take the next frame, and return those that no strategy can take an earlier one than."""
        for one in self._passes:
            self._waiting.update((chosen.pts, chosen) for chosen in one.feed(frame))
        held = [time for time in (one.held_since for one in self._passes) if time is not None]
        return self._until(min(held, default=None))

    def finish(self) -> Sequence[Frame]:
        """Return all that is still held back."""
        for one in self._passes:
            self._waiting.update((chosen.pts, chosen) for chosen in one.finish())
        return self._until(None)

    def _until(self, time: Fraction | None) -> Sequence[Frame]:
        ready = sorted(
            (frame for frame in self._waiting.values() if time is None or frame.time < time),
            key=lambda frame: frame.time,
        )
        for frame in ready:
            del self._waiting[frame.pts]
        return ready
