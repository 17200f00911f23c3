"""The sampling strategy `scene_change`: a few frames of every shot."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal

from pydantic import Field

from pipeline.config import Settings
from pipeline.sampling.screen_time import STEP_WITHOUT_GRID, Hold, ScreenTime
from pipeline.sampling.shots.detector import CutDetection, CutPass
from pipeline.types import Frame, Skip, VideoInfo

__all__ = ["SceneChange"]

# So many candidates are kept for each frame wanted; since the nearest one is taken, two frames taken are further apart
# than was aimed at, by half of that at most.
_CANDIDATES_PER_FRAME = 4
_AIMED_SHARE = Fraction(2, 3)


class SceneChange(Settings):
    """A few frames of every shot, evenly distributed and away from its edges; more frames of long shots."""

    fingerprint_name: ClassVar[str] = "SceneChange"

    strategy: Literal["scene_change"] = "scene_change"

    cuts: CutDetection = CutDetection()
    """Cut detection; a detector's name stands for the detector with its defaults."""

    frames_per_shot: int = Field(default=3, ge=1, le=32)
    """Number of frames per shot, if the shot has so many."""

    max_gap_seconds: float | None = Field(default=2.0, gt=0)
    """Maximum time within a shot without a selected frame, if the video has frames there; null for no maximum."""

    @property
    def skip(self) -> Skip:
        """Nothing: cuts are detected from one frame to the next."""
        return Skip.NOTHING

    @property
    def grid(self) -> None:
        """None: cuts are detected from one frame to the next."""

    @property
    def cut_searches(self) -> tuple[CutDetection, ...]:
        """None: the pass finds its cuts itself."""
        return ()

    @property
    def finds_cuts(self) -> bool:
        """True: frames are selected by the cuts."""
        return True

    def begin(self, info: VideoInfo) -> SceneChangePass:
        """Begin a pass over one video; loads PySceneDetect."""
        return SceneChangePass(self, ScreenTime(info, sees_all=True))


@dataclass(frozen=True)
class _CandidateFrame:
    """A frame and its time on screen."""

    frame: Frame
    hold: Hold

    @property
    def time(self) -> Fraction:
        return self.frame.time


class SceneChangePass:
    """A `SamplingPass` that holds back a shot's candidates until the shot, or a full piece of it, has ended.

    At most `5 * frames_per_shot` or so frames are held.

    Args:
        settings: Settings of the strategy.
        screen_time: Measures how long frames stay on screen.
    """

    step = STEP_WITHOUT_GRID

    def __init__(self, settings: SceneChange, screen_time: ScreenTime) -> None:
        self._count = settings.frames_per_shot
        gap = None if settings.max_gap_seconds is None else Fraction(str(settings.max_gap_seconds))
        self._piece_length = None if gap is None else gap * _AIMED_SHARE * self._count
        self._cut_pass: CutPass = settings.cuts.begin()
        self._screen_time = screen_time
        self._holds: list[Hold] = []
        # Frames that may turn out to be behind a cut.
        self._fresh: deque[_CandidateFrame] = deque()
        self._candidates = _Candidates(_CANDIDATES_PER_FRAME * self._count)
        self._piece_start: Fraction | None = None
        self._is_rest = False

    @property
    def held_since(self) -> Fraction | None:
        """Time of the shot's first candidate, or of the first frame that may be one."""
        first = self._candidates.first_time
        return self._fresh[0].time if first is None and self._fresh else first

    @property
    def seen_until(self) -> tuple[Fraction, ...]:
        """For each selected frame, the end of its time on screen."""
        return self._screen_time.last_times(self._holds)

    @property
    def cuts(self) -> tuple[Fraction, ...]:
        """Time of the first frame of each new shot."""
        return self._cut_pass.cuts

    def feed(self, frame: Frame) -> Sequence[Frame]:
        """Process the next frame, and return the selected frames of a shot or piece that has ended."""
        self._fresh.append(_CandidateFrame(frame, self._screen_time.feed(frame)))
        chosen = self._after(self._cut_pass.feed(frame))
        decided_until = self._cut_pass.undecided_since
        while self._fresh and self._fresh[0].time < decided_until:
            chosen.extend(self._settle(self._fresh.popleft()))
        return self._recorded(chosen)

    def finish(self) -> Sequence[Frame]:
        """Return the selected frames of the last shot."""
        self._screen_time.finish()
        chosen = self._after(self._cut_pass.finish())
        last = self._fresh[-1].time if self._fresh else None
        while self._fresh:
            chosen.extend(self._settle(self._fresh.popleft()))
        if last is not None:
            chosen.extend(self._close(last))
        return self._recorded(chosen)

    def _recorded(self, chosen: Iterable[_CandidateFrame]) -> Sequence[Frame]:
        chosen = tuple(chosen)
        self._holds.extend(each.hold for each in chosen)
        return [each.frame for each in chosen]

    def _after(self, cuts: Iterable[Fraction]) -> list[_CandidateFrame]:
        chosen: list[_CandidateFrame] = []
        for cut in cuts:
            while self._fresh and self._fresh[0].time < cut:
                chosen.extend(self._settle(self._fresh.popleft()))
            chosen.extend(self._close(cut))
            self._is_rest = False
        return chosen

    def _settle(self, frame: _CandidateFrame) -> list[_CandidateFrame]:
        """Add a frame to the current shot."""
        chosen: list[_CandidateFrame] = []
        if self._piece_start is None:
            self._piece_start = frame.time
        length = self._piece_length
        if length is not None and frame.time - self._piece_start >= length:
            pieces = (frame.time - self._piece_start) // length
            next_start = self._piece_start + pieces * length
            chosen = self._close(self._piece_start + length)
            self._piece_start, self._is_rest = next_start, True
        self._candidates.add(frame)
        return chosen

    def _close(self, end: Fraction) -> list[_CandidateFrame]:
        """Select frames of the piece that ends now."""
        start, self._piece_start = self._piece_start, None
        if start is None:
            return []
        count = self._count
        if self._is_rest and self._piece_length is not None:
            # What is left of a long shot gets no more than its share, whatever gap lies before the cut.
            count = min(count, max(1, -(-count * (end - start) // self._piece_length)))
        targets = [start + (end - start) * (2 * k + 1) / (2 * count) for k in range(count)]
        return self._candidates.taken(targets)


class _Candidates:
    """Approximately evenly spaced frames of a piece; when it is full, the spacing doubles and close frames are dropped.

    Args:
        limit: Maximum number of frames.
    """

    def __init__(self, limit: int) -> None:
        self._most = limit
        self._frames: list[_CandidateFrame] = []
        self._spacing = Fraction(0)

    @property
    def first_time(self) -> Fraction | None:
        return self._frames[0].time if self._frames else None

    def add(self, frame: _CandidateFrame) -> None:
        if self._frames and frame.time - self._frames[-1].time < self._spacing:
            return
        if len(self._frames) == self._most:
            span = frame.time - self._frames[0].time
            self._spacing = max(2 * self._spacing, 2 * span / self._most)
            frames, self._frames = self._frames, []
            for earlier in frames:
                self.add(earlier)
            self.add(frame)
            return
        self._frames.append(frame)

    def taken(self, targets: Iterable[Fraction]) -> list[_CandidateFrame]:
        """Return the frame nearest to each target, in order and without duplicates, and remove all frames."""
        frames, self._frames, self._spacing = self._frames, [], Fraction(0)
        if not frames:
            return []
        nearest = {min(range(len(frames)), key=lambda k: abs(frames[k].time - target)) for target in targets}
        return [frames[k] for k in sorted(nearest)]
