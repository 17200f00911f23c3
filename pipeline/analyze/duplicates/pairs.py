"""Duplicate pairs: aligned runs of two videos, as intervals in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.analyze.duplicates.alignment import align
from pipeline.analyze.duplicates.extension import AlignedRun
from pipeline.analyze.duplicates.frame_track import FrameTrack

__all__ = ["DuplicatePair", "Stretch", "pairs_between", "pairs_within"]


@dataclass(frozen=True, order=True)
class Stretch:
    """A half-open interval [start, end) of a video."""

    video_id: str
    start_seconds: float
    end_seconds: float

    @property
    def duration_seconds(self) -> float:
        """Length of the interval."""
        return self.end_seconds - self.start_seconds


@dataclass(frozen=True)
class DuplicatePair:
    """Two stretches that show the same footage.

    Attributes:
        a: A stretch.
        b: A stretch of another video, or a later one of the same.
        rate: Seconds of B per second of A: 1.04 if B is 4 % slower.
        score: Confidence that both show the same footage, 0 to 1.
    """

    a: Stretch
    b: Stretch
    rate: float
    score: float

    @property
    def offset_seconds(self) -> float:
        """Offset from the start of A's stretch to that of B's, each on its own video's clock."""
        return self.b.start_seconds - self.a.start_seconds


def pairs_between(a: FrameTrack, b: FrameTrack, *, min_seconds: float, threshold: float) -> Iterator[DuplicatePair]:
    """Find the stretches of two videos that show the same footage, in order of A.

    Args:
        a: A video.
        b: Another video, with the same step.
        min_seconds: Minimum length of a stretch of A.
        threshold: Minimum score.
    """
    runs = align(a, b, least_points=_points(min_seconds, a), least_score=threshold)
    for run in sorted(runs, key=lambda run: run.first):
        yield _pair(a, b, run, run.first, run.after)


def pairs_within(a: FrameTrack, *, min_seconds: float, threshold: float) -> Iterator[DuplicatePair]:
    """Find the stretches of a video that are repeated later in it, in order.

    If a repetition starts before the first showing ends, for example when something is shown three times in a row, it
    becomes several pairs that do not overlap.
    """
    least = _points(min_seconds, a)
    runs = align(a, a, least_points=least, least_score=threshold, least_apart=least)
    for run in sorted(runs, key=lambda run: (run.first, run.line.offset)):
        first = run.first
        while run.after - first >= least:
            # A point of B before the run's end is also a point of A.
            after = min(run.after, max(first + least, int(run.b_of(first))))
            yield _pair(a, a, run, first, after)
            first = after


def _points(min_seconds: float, track: FrameTrack) -> int:
    return max(2, round(min_seconds / track.step_seconds))


def _pair(a: FrameTrack, b: FrameTrack, run: AlignedRun, first: int, after: int) -> DuplicatePair:
    return DuplicatePair(
        a=_stretch(a, first, after),
        b=_stretch(b, run.b_of(first), run.b_of(after)),
        rate=run.line.rate,
        score=run.similarity.score,
    )


def _stretch(track: FrameTrack, first: float, after: float) -> Stretch:
    start, end = (min(max(0.0, each * track.step_seconds), track.duration_seconds) for each in (first, after))
    return Stretch(track.video_id, start, end)
