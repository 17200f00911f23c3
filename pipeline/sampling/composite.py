"""The sampling strategy `composite`: several strategies in one pass over the video."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, ClassVar, Literal

from pydantic import Field, Tag, field_validator

from pipeline.config import PLUGIN_TAG, Settings
from pipeline.sampling.fixed_rate import FixedRate
from pipeline.sampling.keyframe import Keyframe
from pipeline.sampling.novelty import Novelty
from pipeline.sampling.plugin import PluginSampler, by_strategy
from pipeline.sampling.protocol import SamplingPass
from pipeline.sampling.scene_change import SceneChange
from pipeline.sampling.screen_time import FrameHolds, Hold, ScreenTime, merged_holds
from pipeline.sampling.shots.detector import CutDetection
from pipeline.types import Frame, Skip, VideoInfo

__all__ = ["Composite"]

Part = Annotated[
    Annotated[FixedRate, Tag("fixed_rate")]
    | Annotated[Keyframe, Tag("keyframe")]
    | Annotated[Novelty, Tag("novelty")]
    | Annotated[SceneChange, Tag("scene_change")]
    | Annotated[PluginSampler, Tag(PLUGIN_TAG)],
    by_strategy(FixedRate, Keyframe, Novelty, SceneChange),
]
_LEAST_SKIPPED_FIRST = tuple(Skip)


class Composite(Settings):
    """All frames that at least one of several strategies selects.

    For example, scene changes with a sparse grid: the frames of each shot, and at least one frame every ten seconds.
    """

    fingerprint_name: ClassVar[str] = "Composite"

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
        """The frames that all strategies allow to skip."""
        return min((part.skip for part in self.parts), key=_LEAST_SKIPPED_FIRST.index)

    @property
    def grid(self) -> None:
        """None: the strategies need different frames."""

    @property
    def cut_searches(self) -> tuple[CutDetection, ...]:
        """The cut searches of all strategies, without duplicates."""
        return tuple(dict.fromkeys(search for part in self.parts for search in part.cut_searches))

    @property
    def finds_cuts(self) -> bool:
        """Whether one of the strategies finds cuts."""
        return any(part.finds_cuts for part in self.parts)

    def begin(self, info: VideoInfo) -> CompositePass:
        """Begin a pass over one video."""
        screen_time = ScreenTime(info, sees_all=self.skip is Skip.NOTHING)
        return CompositePass([part.begin(info) for part in self.parts], screen_time)


class CompositePass:
    """A `SamplingPass` that holds back the frames of one strategy while another may still select earlier ones.

    Args:
        passes: The strategies' passes over the same video.
        screen_time: Measures how long frames stay on screen.
    """

    def __init__(self, passes: Sequence[SamplingPass], screen_time: ScreenTime) -> None:
        self._passes = passes
        self._times: list[list[Fraction]] = [[] for _ in passes]
        self._waiting: dict[int, Frame] = {}
        self._screen_time = screen_time
        # Those of the frames that may still come out, and those of the frames that have.
        self._holds: dict[int, Hold] = {}
        self._given: list[Hold] = []

    @property
    def step(self) -> Fraction | None:
        """The shortest step of the strategies."""
        return min((one.step for one in self._passes if one.step is not None), default=None)

    @property
    def seen_until(self) -> tuple[Fraction, ...]:
        """For each selected frame, the end of its time on screen, or the last time that a strategy saw its picture."""
        parts = zip(self._times, self._passes, strict=True)
        holds = [FrameHolds(times, one.seen_until, one.step) for times, one in parts]
        times = [hold.since for hold in self._given]
        on_screen = FrameHolds(times, self._screen_time.last_times(self._given), None)
        return tuple(merged_holds([*holds, on_screen]).values())

    @property
    def cuts(self) -> tuple[Fraction, ...] | None:
        """Time of the first frame of each new shot, as found by those strategies that detect cuts."""
        found = [one.cuts for one in self._passes if one.cuts is not None]
        return tuple(sorted(set().union(*found))) if found else None

    @property
    def held_since(self) -> Fraction | None:
        """Time of the earliest frame that may still be selected."""
        held = [one.held_since for one in self._passes]
        times = [time for time in (*held, *(frame.time for frame in self._waiting.values())) if time is not None]
        return min(times, default=None)

    def feed(self, frame: Frame) -> Sequence[Frame]:
        """Process the next frame, and return the selected frames before which no strategy can select another one."""
        self._holds[frame.pts] = self._screen_time.feed(frame)
        for number, one in enumerate(self._passes):
            self._take(number, one.feed(frame))
        held = [time for time in (one.held_since for one in self._passes) if time is not None]
        return self._until(min(held, default=None))

    def finish(self) -> Sequence[Frame]:
        """Return all frames that are still held back."""
        self._screen_time.finish()
        for number, one in enumerate(self._passes):
            self._take(number, one.finish())
        return self._until(None)

    def _take(self, number: int, chosen: Sequence[Frame]) -> None:
        """Hold back the frames that a strategy has selected until they can be returned in order."""
        self._times[number].extend(frame.time for frame in chosen)
        self._waiting.update((frame.pts, frame) for frame in chosen)

    def _until(self, time: Fraction | None) -> Sequence[Frame]:
        ready = sorted(
            (frame for frame in self._waiting.values() if time is None or frame.time < time),
            key=lambda frame: frame.time,
        )
        for frame in ready:
            del self._waiting[frame.pts]
            self._given.append(self._holds[frame.pts])
        while self._holds:
            pts, hold = next(iter(self._holds.items()))
            if time is not None and hold.since >= time:
                break
            del self._holds[pts]
        return ready
