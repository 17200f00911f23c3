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

__all__ = ["JointSampling", "JointSplitter", "Known", "SamplingShare"]

_LEAST_SKIPPED_FIRST = tuple(Skip)


@dataclass(frozen=True, eq=False)
class Known:
    """Frames and cuts of a video that are stored already.

    Attributes:
        pts: int64 ticks of frames whose embeddings are there. They are not given out again, but for the first frame of
            a video where all are known: an executor expects one.
        cuts: What was found by searches for cuts.
    """

    pts: npt.NDArray[np.int64]
    cuts: Mapping[CutDetection, tuple[Fraction, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SamplingShare:
    """What one of several samplings took of a video that was decoded once for all.

    Attributes:
        pts: Ticks of its frames, increasing.
        times: Seconds of the same.
        cuts: As of a pass.
        seen_until: As of a pass.
        step: As of a pass.
        cut_searches: As of a sampler.
    """

    pts: tuple[int, ...]
    times: tuple[Fraction, ...]
    cuts: tuple[Fraction, ...] | None
    seen_until: tuple[Fraction, ...] | None
    step: Fraction | None
    cut_searches: tuple[CutDetection, ...]


@dataclass(frozen=True)
class JointSampling:
    """A sampler that runs several samplings at once: each frame comes out once, and each sampling has its result.

    Unlike `Composite`, which is one sampling made of several, this is a way to have several results of one decoding.

    Attributes:
        parts: The samplings.
        known: By the URI that a video is read by.
    """

    parts: tuple[FrameSampler, ...]
    known: Mapping[str, Known] = field(default_factory=dict, repr=False)

    @property
    def skip(self) -> Skip:
        """What the most demanding of the samplings allows."""
        return min((part.skip for part in self.parts), key=_LEAST_SKIPPED_FIRST.index)

    @property
    def grid(self) -> Grid | None:
        """That of the samplings, if it is the same for all: else they want different frames."""
        grids = {part.grid for part in self.parts}
        return grids.pop() if len(grids) == 1 else None

    @property
    def cut_searches(self) -> tuple[CutDetection, ...]:
        """Those of the samplings, each once."""
        return tuple(dict.fromkeys(search for part in self.parts for search in part.cut_searches))

    @property
    def finds_cuts(self) -> bool:
        """Whether one of the samplings does."""
        return any(part.finds_cuts for part in self.parts)

    def begin(self, info: VideoInfo) -> JointPass:
        """Begin a pass over one video."""
        recorded = [_Recorded(part.begin(info), part) for part in self.parts]
        return JointPass(recorded, self.known.get(info.uri, Known(np.empty(0, np.int64))))


class JointPass:
    """One pass of several samplings over a video.

    A frame comes out as soon as one sampling has taken it, and so out of order where another waits for the end of a
    shot: to hold it until then would keep every frame of the shot in full size.

    Args:
        passes: The samplings' passes over the same video.
        known: What is known of the video.
    """

    cuts: tuple[Fraction, ...] | None = None

    def __init__(self, passes: Sequence[_Recorded], known: Known) -> None:
        self._passes = passes
        self._known = frozenset(known.pts.tolist())
        self._known_cuts = known.cuts
        self._given: dict[int, Fraction] = {}
        self._first: Frame | None = None

    @property
    def held_since(self) -> Fraction | None:
        """Time of the earliest frame that may still come out."""
        return min((time for one in self._passes if (time := one.held_since) is not None), default=None)

    @property
    def step(self) -> Fraction | None:
        """The shortest of the samplings' steps."""
        return min((step for one in self._passes if (step := one.holds.step) is not None), default=None)

    @property
    def seen_until(self) -> tuple[Fraction, ...]:
        """For each frame given out, in order of time, the last time that any sampling saw it, before the next frame."""
        given = set(self._given.values())
        merged = merged_holds(one.holds for one in self._passes)
        return tuple(until for time, until in merged.items() if time in given)

    @property
    def shares(self) -> tuple[SamplingShare, ...]:
        """What each sampling took; complete after `finish`."""
        return tuple(one.share for one in self._passes)

    @property
    def known_cuts(self) -> Mapping[CutDetection, tuple[Fraction, ...]]:
        """The cuts of searches that were made before; a pass of scene changes finds no gradual transitions."""
        return self._known_cuts

    def feed(self, frame: Frame) -> Sequence[Frame]:
        """Take the next frame, and return those that a sampling takes and that nobody had before."""
        return self._new(chosen for one in self._passes for chosen in one.feed(frame))

    def finish(self) -> Sequence[Frame]:
        """Return all that is still held back."""
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


class _Recorded:
    """A sampling's pass, and the frames that came out of it."""

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
        """The cuts that are stored already."""
        return _joint(sampling).known_cuts

    def shares(
        self, sampling: SamplingPass, cuts: Mapping[CutDetection, Sequence[Fraction]], lost_time: LostTime
    ) -> tuple[Share, ...]:
        """The frames, cuts and times on screen of each sampling."""
        return tuple(_result(share, cuts, lost_time) for share in _joint(sampling).shares)


def _joint(sampling: SamplingPass) -> JointPass:
    if not isinstance(sampling, JointPass):
        raise TypeError(f"a {type(sampling).__name__} is no pass of several samplings")
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
