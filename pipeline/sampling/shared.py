"""Several samplings of one video in one pass, each of which is to have its own result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from pipeline.sampling.composite import CompositePass
from pipeline.sampling.cuts import CutDetection
from pipeline.sampling.protocol import FrameSampler, SamplingPass, SamplingShare
from pipeline.types import Frame, Grid, Skip, VideoInfo

__all__ = ["Shared"]

_LEAST_SKIPPED_FIRST = tuple(Skip)


@dataclass(frozen=True)
class Shared:
    """Every frame that any of several samplings takes, each once; and what each of them took.

    Unlike `Composite`, which is one sampling made of several, this is a way to have several results of one decoding.

    Attributes:
        parts: The samplings.
        known: By the URI that a video was indexed by, int64 pts of frames whose embeddings are there already. They are
            not given out again, but for the first frame of a video where all are known: an executor expects one.
    """

    parts: tuple[FrameSampler, ...]
    known: Mapping[str, npt.NDArray[np.int64]] = field(default_factory=dict, repr=False)

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

    def begin(self, info: VideoInfo) -> SharedPass:
        """Begin a pass over one video."""
        known = self.known.get(info.uri)
        recorded = [_Recorded(part.begin(info), part.cut_searches) for part in self.parts]
        return SharedPass(recorded, frozenset(() if known is None else known.tolist()))


class SharedPass:
    """A `SharingPass`.

    Args:
        passes: The samplings' passes over the same video.
        known: pts of the frames that are not to come out.
    """

    cuts: tuple[Fraction, ...] | None = None
    seen_until: tuple[Fraction, ...] | None = None

    def __init__(self, passes: Sequence[_Recorded], known: frozenset[int]) -> None:
        self._passes = passes
        self._union = CompositePass(passes)
        self._known = known
        self._first: Frame | None = None
        self._has_given = False

    @property
    def held_since(self) -> Fraction | None:
        """Time of the earliest frame that may still come out."""
        return self._union.held_since

    @property
    def shares(self) -> tuple[SamplingShare, ...]:
        """What each sampling took; complete after `finish`."""
        return tuple(one.share for one in self._passes)

    def feed(self, frame: Frame) -> Sequence[Frame]:
        """Take the next frame, and return those that no sampling can take an earlier one than."""
        return self._unknown(self._union.feed(frame))

    def finish(self) -> Sequence[Frame]:
        """Return all that is still held back."""
        rest = self._unknown(self._union.finish())
        return rest if rest or self._has_given or self._first is None else (self._first,)

    def _unknown(self, frames: Iterable[Frame]) -> list[Frame]:
        wanted = []
        for frame in frames:
            self._first = self._first or frame
            if frame.pts not in self._known:
                wanted.append(frame)
        self._has_given = self._has_given or bool(wanted)
        return wanted


class _Recorded:
    """A sampling's pass, and the frames that came out of it."""

    def __init__(self, one: SamplingPass, cut_searches: tuple[CutDetection, ...]) -> None:
        self._one = one
        self._cut_searches = cut_searches
        self._pts: list[int] = []
        self._times: list[Fraction] = []

    @property
    def share(self) -> SamplingShare:
        return SamplingShare(
            pts=tuple(self._pts),
            times=tuple(self._times),
            cuts=self._one.cuts,
            seen_until=self._one.seen_until,
            cut_searches=self._cut_searches,
        )

    @property
    def cuts(self) -> tuple[Fraction, ...] | None:
        return self._one.cuts

    @property
    def seen_until(self) -> tuple[Fraction, ...] | None:
        return self._one.seen_until

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
