"""Temporal Hough voting: finds the lines (offset, rate) on which frames of two videos match.

Each pair of similar frames votes for the offset that would align them, at each of several rates. Lines with many
votes are candidates for a copy (Douze, Jegou and Schmid 2010, "An image-based approach to video copy detection with
spatio-temporal post-filtering", doi:10.1109/TMM.2010.2046265). The weight of a vote depends on how much better the
frames match than others of the second video, and on how similarly both videos change there: the frames of a fixed
camera match everywhere and get no weight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.analyze.duplicates.frame_track import FrameTrack
from pipeline.analyze.duplicates.run_similarity import changes_of
from pipeline.index.greatest import greatest

__all__ = ["MOST_RATE", "RATES", "WINDOW_POINTS", "HoughLine", "Matches", "find_lines", "find_matches"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MOST_RATE = 0.1
"""Maximum deviation of a copy's speed. With more freedom, any two videos with one or two changes can be aligned."""
RATES = (1.0, *(1 + sign * percent / 100 for percent in range(1, 11) for sign in (1, -1)))
"""Points of B per point of A. Over 25 s, neighbouring rates differ by a quarter of a second."""
WINDOW_POINTS = 64
"""Length in points of the windows in which lines are found; within one, any rate is close enough to one of `RATES`."""
_MATCHES_A_ROW = 8
_LEAST_COSINE = 0.35
_CHANGE_WEIGHT = 2.0
_ROWS_AT_ONCE = 512
_CELLS_AT_ONCE = 2**22
"""Maximum number of cosines in memory at once, several arrays of them; only videos of hours reach it."""


@dataclass(frozen=True)
class Matches:
    """Pairs of similar points.

    Attributes:
        a: int64 (M,) points of A.
        b: int64 (M,) points of B.
        weights: float64 (M,), excess of a pair's similarity over that of the point of A and the rest of B.
    """

    a: Ints
    b: Ints
    weights: Floats

    def without(self, gone: npt.NDArray[np.bool_]) -> Matches:
        """Return the matches for which `gone` is false."""
        return Matches(self.a[~gone], self.b[~gone], self.weights[~gone])


@dataclass(frozen=True)
class HoughLine:
    """A line that maps point a of A to point `rate * a + offset` of B.

    Attributes:
        rate: Points of B per point of A.
        offset: Offset in points of B.
        near: A point of A near which the line was found.
        votes: Sum of the weights of its votes.
    """

    rate: float
    offset: float
    near: int
    votes: float


def find_matches(a: FrameTrack, b: FrameTrack, *, least_apart: int = 0) -> Matches:
    """Find the best matching points of B for each point of A.

    Args:
        a: A video.
        b: Another video, or the same.
        least_apart: Minimum distance in points of matches within the same video; 0 for two videos.
    """
    found: list[tuple[Ints, Ints, Floats]] = []
    columns, most = np.arange(len(b)), min(_MATCHES_A_ROW, len(b))
    changes_a, changes_b = changes_of(a.vectors, a.lag), changes_of(b.vectors, b.lag)
    at_once = max(1, min(_ROWS_AT_ONCE, _CELLS_AT_ONCE // max(len(b), 1)))
    for first in range(0, len(a), at_once):
        some = slice(first, first + at_once)
        cosines = a.vectors[some] @ b.vectors.T
        rows = np.arange(first, first + len(cosines))
        levels = np.maximum(cosines.mean(axis=1, keepdims=True), 0.0)
        weights = np.where(cosines < _LEAST_COSINE, 0.0, np.maximum(cosines - levels, 0.0))
        weights += _CHANGE_WEIGHT * np.maximum(changes_a[some] @ changes_b.T, 0.0)
        if least_apart:
            weights[columns - rows[:, None] < least_apart] = 0.0
        nearest = np.argpartition(-weights, most - 1, axis=1)[:, :most]
        values = np.take_along_axis(weights, nearest, axis=1)
        is_kept = values > 0
        found.append((np.repeat(rows, most).reshape(-1, most)[is_kept], nearest[is_kept], values[is_kept]))
    if not found:
        return Matches(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    matched_a, matched_b, values_of = zip(*found, strict=True)
    return Matches(np.concatenate(matched_a), np.concatenate(matched_b), np.concatenate(values_of).astype(np.float64))


def find_lines(matches: Matches, count: int) -> list[HoughLine]:
    """Find the `count` lines with the most votes, best first."""
    if not len(matches.a):
        return []
    lines = [line for rate in RATES for line in _lines_at(matches, rate, count)]
    return sorted(lines, key=lambda line: (-line.votes, abs(line.rate - 1), line.near, line.offset))[:count]


def _lines_at(matches: Matches, rate: float, count: int) -> list[HoughLine]:
    """Vote for offsets at one rate, in windows that overlap by half; a vote is shared by the two nearest offsets."""
    half = WINDOW_POINTS // 2
    offsets = matches.b - rate * matches.a
    floors = np.floor(offsets)
    low = int(floors.min()) - 1
    width = int(floors.max()) - low + 3
    share = offsets - floors
    # Only cells with votes are stored: for two videos of several hours there are a billion cells.
    cells: list[Ints] = []
    votes: list[Floats] = []
    for window in (matches.a // half, matches.a // half + 1):
        at = window * width + floors.astype(np.int64) - low
        cells += [at, at + 1]
        votes += [matches.weights * (1 - share), matches.weights * share]
    voted, inverse = np.unique(np.concatenate(cells), return_inverse=True)
    sums = np.asarray(np.bincount(inverse, np.concatenate(votes)), np.float64)
    best = greatest(sums, count)
    found = []
    for cell, sum_of_votes in zip(voted[best].tolist(), sums[best].tolist(), strict=True):
        window, column = divmod(cell, width)
        found.append(HoughLine(rate, float(column + low), (window - 1) * half, sum_of_votes))
    return found
