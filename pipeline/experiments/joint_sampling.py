"""Runs several samplings of a video in one decoding pass, with a result for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from pipeline.execution.per_video.frame_batches import merged_cuts
from pipeline.execution.per_video.lost_time import LostTime
from pipeline.sampling.protocol import FrameSampler, SamplingPass
from pipeline.sampling.screen_time import FrameHolds, merged_holds
from pipeline.sampling.shots.detector import CutDetection
from pipeline.types import Frame, Grid, Share, Skip, VideoInfo, seen_before_next

__all__ = ["JointSampling", "JointSplitter", "SamplingShare", "StoredFrames"]

_LEAST_SKIPPED_FIRST = tuple(Skip)


@dataclass(frozen=True, eq=False)
class StoredFrames:
    """The stored frames and cuts of a video.

    Attributes:
        pts: int64 timestamps, in ticks, of frames with stored embeddings. They are not returned again, except the first
            frame of a video with no other frames, because an executor expects at least one.
        cuts: The cuts found by each search.
    """

    pts: npt.NDArray[np.int64]
    cuts: Mapping[CutDetection, tuple[Fraction, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SamplingShare:
    """The result of one of several samplings of a video in a joint pass.

    Attributes:
        pts: Timestamps of its frames, in ticks, increasing.
        times: Their times in seconds.
        cuts: See `SamplingPass`.
        seen_until: See `SamplingPass`.
        step: See `SamplingPass`.
        cut_searches: See `FrameSampler`.
    """

    pts: tuple[int, ...]
    times: tuple[Fraction, ...]
    cuts: tuple[Fraction, ...] | None
    seen_until: tuple[Fraction, ...] | None
    step: Fraction | None
    cut_searches: tuple[CutDetection, ...]


@dataclass(frozen=True)
class JointSampling:
    """A sampler that runs several samplings in one pass. Each frame is returned once; each sampling has its own result.

    In contrast, a `Composite` is one sampling made of several, with one result.

    Attributes:
        parts: The samplings.
        known: The stored frames and cuts of videos, by URI.
    """

    parts: tuple[FrameSampler, ...]
    known: Mapping[str, StoredFrames] = field(default_factory=dict, repr=False)

    @property
    def skip(self) -> Skip:
        """The frames that the decoder may skip, because every sampling allows it."""
        return min((part.skip for part in self.parts), key=_LEAST_SKIPPED_FIRST.index)

    @property
    def grid(self) -> Grid | None:
        """The grid of the samplings if it is the same for all, else None."""
        grids = {part.grid for part in self.parts}
        return grids.pop() if len(grids) == 1 else None

    @property
    def cut_searches(self) -> tuple[CutDetection, ...]:
        """The distinct searches for cuts of all samplings."""
        return tuple(dict.fromkeys(search for part in self.parts for search in part.cut_searches))

    @property
    def finds_cuts(self) -> bool:
        """Whether any of the samplings finds cuts."""
        return any(part.finds_cuts for part in self.parts)

    def begin(self, info: VideoInfo) -> JointPass:
        """Begin a pass over one video."""
        recorded = [_RecordedPass(part.begin(info), part) for part in self.parts]
        return JointPass(recorded, self.known.get(info.uri, StoredFrames(np.empty(0, np.int64))))


class JointPass:
    """One pass of several samplings over a video.

    A frame is returned as soon as one sampling selects it, and therefore possibly out of order if another sampling
    waits for the end of a shot: holding it back until then would keep all frames of the shot in memory in full size.

    Args:
        passes: The samplings' passes over the same video.
        known: The stored frames and cuts of the video.
    """

    cuts: tuple[Fraction, ...] | None = None

    def __init__(self, passes: Sequence[_RecordedPass], known: StoredFrames) -> None:
        self._passes = passes
        self._known = frozenset(known.pts.tolist())
        self._known_cuts = known.cuts
        self._given: dict[int, Fraction] = {}
        self._first: Frame | None = None

    @property
    def held_since(self) -> Fraction | None:
        """Time of the earliest frame that may still be returned."""
        return min((time for one in self._passes if (time := one.held_since) is not None), default=None)

    @property
    def step(self) -> Fraction | None:
        """The shortest of the samplings' steps."""
        return min((step for one in self._passes if (step := one.holds.step) is not None), default=None)

    @property
    def seen_until(self) -> tuple[Fraction, ...]:
        """The last time at which any sampling saw each returned frame, before the next frame; in order of time."""
        given = set(self._given.values())
        merged = merged_holds(one.holds for one in self._passes)
        return tuple(until for time, until in merged.items() if time in given)

    @property
    def shares(self) -> tuple[SamplingShare, ...]:
        """The result of each sampling; complete after `finish`."""
        return tuple(one.share for one in self._passes)

    @property
    def known_cuts(self) -> Mapping[CutDetection, tuple[Fraction, ...]]:
        """The stored cuts of earlier searches; for a pass of scene changes, without gradual transitions."""
        return self._known_cuts

    def feed(self, frame: Frame) -> Sequence[Frame]:
        """Process the next frame; return the newly selected frames that have no stored embedding."""
        return self._new(chosen for one in self._passes for chosen in one.feed(frame))

    def finish(self) -> Sequence[Frame]:
        """Return the remaining selected frames."""
        rest = self._new(chosen for one in self._passes for chosen in one.finish())
        if self._given or self._first is None:
            return rest
        self._given[self._first.pts] = self._first.time
        return (self._first,)

    def _new(self, chosen: Iterable[Frame]) -> list[Frame]:
        new = []
        for frame in chosen:
            self._first = self._first or frame
            if frame.pts not in self._known and frame.pts not in self._given:
                self._given[frame.pts] = frame.time
                new.append(frame)
        return new


class _RecordedPass:
    """A sampling's pass, and the frames that it returned."""

    def __init__(self, one: SamplingPass, sampler: FrameSampler) -> None:
        self._one = one
        self._sampler = sampler
        self._pts: list[int] = []
        self._times: list[Fraction] = []

    @property
    def share(self) -> SamplingShare:
        return SamplingShare(
            pts=tuple(self._pts),
            times=tuple(self._times),
            cuts=self._one.cuts,
            seen_until=self._one.seen_until,
            step=self._one.step,
            cut_searches=self._sampler.cut_searches,
        )

    @property
    def holds(self) -> FrameHolds:
        return FrameHolds(self._times, self._one.seen_until, self._one.step)

    @property
    def held_since(self) -> Fraction | None:
        return self._one.held_since

    def feed(self, frame: Frame) -> Sequence[Frame]:
        return self._noted(self._one.feed(frame))

    def finish(self) -> Sequence[Frame]:
        return self._noted(self._one.finish())

    def _noted(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        self._pts.extend(frame.pts for frame in frames)
        self._times.extend(frame.time for frame in frames)
        return frames


class JointSplitter:
    """A `ResultSplitter` of the passes of `JointSampling`."""

    def known_cuts(self, sampling: SamplingPass) -> Mapping[CutDetection, Sequence[Fraction]]:
        """Return the stored cuts."""
        return _joint(sampling).known_cuts

    def shares(
        self, sampling: SamplingPass, cuts: Mapping[CutDetection, Sequence[Fraction]], lost_time: LostTime
    ) -> tuple[Share, ...]:
        """Return the frames, cuts and times on screen of each sampling."""
        return tuple(_result(share, cuts, lost_time) for share in _joint(sampling).shares)


def _joint(sampling: SamplingPass) -> JointPass:
    if not isinstance(sampling, JointPass):
        raise TypeError(f"a {type(sampling).__name__} is not a JointPass")
    return sampling


def _result(share: SamplingShare, cuts: Mapping[CutDetection, Sequence[Fraction]], lost_time: LostTime) -> Share:
    times_seconds = np.array([float(time) for time in share.times], np.float64)
    until = None if share.seen_until is None else list(map(float, lost_time.clipped(share.seen_until, share.step)))
    return Share(
        pts=np.array(share.pts, np.int64),
        times_seconds=times_seconds,
        cuts_seconds=merged_cuts(share.cuts, [cuts[search] for search in share.cut_searches]),
        seen_until_seconds=None if until is None else seen_before_next(times_seconds, np.array(until, np.float64)),
        step_seconds=None if share.step is None else float(share.step),
    )
