"""Extends a line to a run: the points at which the frames of two videos match, or change in the same way.

A run is a maximum-sum interval of gains that ends after a certain loss (local alignment with an X-drop: Smith and
Waterman 1981; Altschul et al. 1990). The gain of a frame is its cosine minus `MATCH`. Some encoders embed a frame
within black bars very differently. If the frames do not match well enough for a copy, the run is therefore extended by
the changes of the embeddings: the gain of a change is the excess of its correlation over that of different footage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.analyze.duplicates.frame_track import FrameTrack
from pipeline.analyze.duplicates.hough import WINDOW_POINTS, HoughLine
from pipeline.analyze.duplicates.run_similarity import LEAST_CHANGE, RunSimilarity, run_similarity

__all__ = ["AlignedRun", "run_on"]

Floats = npt.NDArray[np.float64]
Points = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]

MATCH = 0.55
"""Cosine in the frame space above which a frame extends a run. In copies of low quality (seed 9100), 90 % of the
frames reach 0.7; of the frames of different clips, 10 % reach 0.44."""
_MATCHING_CHANGE = 0.2
"""Correlation of changes above which they extend a run. Letter-boxed copies (seeds 9311 and 9312) have at least 0.36;
of the pairs of different clips with 5 changes, 1 % reach 0.22 at their best offset."""
_MOST_LOSS = 2.0
"""Loss since the maximum at which a run ends: about four frames that do not match at all."""
_LEAST_ALIKE = 0.1
"""Minimum cosine in the weight of a run, for runs whose frames hardly match."""
_WHOLE = 0.9
"""Share of the shorter video that an overlap must cover to be tried as a copy of the whole video."""
_PLAIN_SCORE = 0.4
"""Score of a run of matching frames from which no other run is tried."""


@dataclass(frozen=True)
class AlignedRun:
    """A run of points of A and their positions in B.

    Attributes:
        line: The line that maps points of A to points of B.
        first: First point of A.
        after: Point of A after the last one.
        similarity: The similarity of the two runs.
    """

    line: HoughLine
    first: int
    after: int
    similarity: RunSimilarity

    @property
    def weight(self) -> float:
        """Score times least correlation times cosine times length; compares runs on the same frames."""
        alike = max(self.similarity.cosine, _LEAST_ALIKE)
        return self.similarity.score * self.similarity.least_correlation * alike * (self.after - self.first)

    def b_of(self, point: float) -> float:
        """Map a point of A to a point of B."""
        return self.line.rate * point + self.line.offset


def run_on(a: FrameTrack, b: FrameTrack, line: HoughLine, least: int, least_apart: int = 0) -> AlignedRun | None:
    """Extend a line to a run near the point where it was found; return None if it is shorter than `least` points.

    Args:
        a: A video.
        b: Another video, or the same.
        line: The line.
        least: Minimum length of the run.
        least_apart: Minimum distance of the aligned points of the same video; 0 for two videos.
    """
    first, after = _points_on(a, b, line, least_apart)
    if after - first < least:
        return None
    points, cosines = _aligned(a, b, line, first, after)
    overlap = _Overlap(a, b, line, first, points, cosines, least)
    by_frames = overlap.run(_maximum_runs((cosines - MATCH).tolist()))
    if by_frames is not None and by_frames.similarity.score >= _PLAIN_SCORE:
        return by_frames
    by_changes = overlap.run(overlap.runs_of_changes())
    # In letter-boxed copies, some cuts hardly agree, and the best run omits them even if the whole video was copied.
    is_whole = len(points) >= _WHOLE * min(len(a), len(b) / line.rate)
    whole = overlap.run([(0, len(points))]) if by_changes is not None and is_whole else None
    found = [run for run in (by_frames, by_changes, whole) if run is not None]
    return max(found, key=lambda run: run.weight, default=None)


def _points_on(a: FrameTrack, b: FrameTrack, line: HoughLine, least_apart: int) -> tuple[int, int]:
    """Return the range [first, after) of points of A that a line maps to points of B, and at least so far away."""
    first = max(0, int(np.ceil(-line.offset / line.rate - 1e-6)))
    after = min(len(a), int(np.floor((len(b) - 1 - line.offset) / line.rate + 1e-6)) + 1)
    if not least_apart:
        return first, after
    lacking, tilt = least_apart - line.offset, line.rate - 1
    if tilt > 0:
        first = max(first, int(np.ceil(lacking / tilt - 1e-6)))
    elif tilt < 0:
        after = min(after, int(np.floor(lacking / tilt + 1e-6)) + 1)
    elif lacking > 0:
        after = first
    return first, after


@dataclass(frozen=True)
class _Overlap:
    """The points of A from `first` that a line maps to points of B."""

    a: FrameTrack
    b: FrameTrack
    line: HoughLine
    first: int
    points: Points
    cosines: Vectors
    least: int

    def run(self, runs: Sequence[tuple[int, int]]) -> AlignedRun | None:
        """Measure the run that overlaps the line's window most; return None if all are shorter than `least`."""
        runs = [(start, end) for start, end in runs if end - start >= self.least]
        if not runs:
            return None
        near = self.line.near - self.first
        start, end = max(runs, key=lambda run: min(run[1], near + WINDOW_POINTS) - max(run[0], near))
        similarity = run_similarity(
            self.a.centred(np.arange(self.first + start, self.first + end)),
            self.b.centred(self.points[start:end]),
            self.a.lag,
            cosine=float(self.cosines[start:end].mean()),
            fitted=1 if self.line.rate == 1.0 else 2,
        )
        return AlignedRun(self.line, self.first + start, self.first + end, similarity)

    def runs_of_changes(self) -> list[tuple[int, int]]:
        """Find runs [start, end) in which the changes agree, including adjoining points without a change."""
        lag = self.a.lag
        if len(self.points) <= lag:
            return []
        a, b = self.a.centred(np.arange(self.first, self.first + len(self.points))), self.b.centred(self.points)
        first, other = a[lag:] - a[:-lag], b[lag:] - b[:-lag]
        one, two = (np.einsum("ij,ij->i", each, each).astype(np.float64) for each in (first, other))
        size = np.sqrt(one.mean() * two.mean())
        if size <= 0:
            return []
        gains = (np.einsum("ij,ij->i", first, other) - _MATCHING_CHANGE * (one + two) / 2) / size
        is_still = np.maximum(one, two) < LEAST_CHANGE
        return [_widened(start, end, is_still, lag) for start, end in _maximum_runs(gains.tolist())]


def _widened(start: int, end: int, is_still: npt.NDArray[np.bool_], lag: int) -> tuple[int, int]:
    """Convert a run of changes [start, end) to points, from the middle of the first change to that of the last.

    The run includes adjoining points without a change, and points at the ends of the overlap, for which no change is
    defined.
    """
    before, behind = np.flatnonzero(~is_still[:start]), np.flatnonzero(~is_still[end:])
    first = int(before[-1]) + 1 if len(before) else 0
    after = end + int(behind[0]) if len(behind) else len(is_still)
    return first + (lag // 2 if first else 0), after + (lag // 2 if after < len(is_still) else lag)


def _aligned(a: FrameTrack, b: FrameTrack, line: HoughLine, first: int, after: int) -> tuple[Points, Vectors]:
    """Return for each point of A the aligned point of B, the more similar of the two nearest, and the cosine."""
    points = np.arange(first, after)
    at = np.clip(line.rate * points + line.offset, 0, len(b) - 1)
    below = np.floor(at + 1e-6).astype(np.int64)
    above = np.where(at - below < 1e-3, below, np.minimum(below + 1, len(b) - 1))
    frames = a.vectors[first:after]
    one = np.einsum("ij,ij->i", frames, b.vectors[below])
    other = np.einsum("ij,ij->i", frames, b.vectors[above])
    return np.where(one >= other, below, above), np.maximum(one, other)


def _maximum_runs(gains: Sequence[float]) -> list[tuple[int, int]]:
    """Find maximum-sum runs [start, end); a run ends after a loss of more than `_MOST_LOSS`, or of all its gains."""
    runs: list[tuple[int, int]] = []
    start, end, total, top = 0, 0, 0.0, 0.0
    for number, gain in enumerate(gains):
        if top == 0.0 and gain <= 0:
            continue
        if top == 0.0:
            start = number
        total += max(gain, -0.5)
        if total > top:
            top, end = total, number + 1
        elif total <= 0 or top - total > _MOST_LOSS:
            runs.append((start, end))
            total = top = 0.0
    if top > 0:
        runs.append((start, end))
    return runs
