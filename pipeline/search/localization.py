"""Temporal localization: compute moments from the score curve of a video.

The score of a frame is its cosine with the question. Such cosines mean little by themselves: a model gives 0.2 to what
does not show the thing and 0.3 to what does, and both numbers move with the question. So every level is relative, on
the line from `base`, the score of a frame that does not show it, to `peak`, the best frame of the moment: a level of
ratio r is base + r * (peak - base).

Two scores may be the base: what the frames of the whole collection say (`pipeline.search.calibration`), and a low
quantile over the frames of this video. Frames of one video have much in common, so those of them that do not show the
thing score more than the collection's do, and the greater of the two is the base. But where the video's quantile lies
nearer to the peak than to the collection's base, even the frames that show it least come near the best one: the video
shows the thing throughout, and the collection's base stands. Both depend on the question, the whole video and the
collection alone.

1. The best frame of the video is the seed. Its shot, and neighbouring shots whose mean score reaches the merging
   level, are where the moment lies: region growing from seeds (Adams and Bischof 1994, doi:10.1109/34.295913) in one
   dimension. The level keeps a moment from swallowing the shots that come near. A video whose cuts aren't known is one
   shot.
2. There, the moment is the stretch of frames around the seed with the greatest sum of (score - level) at the edge
   level: a maximal scoring subsequence (Ruzzo and Tompa 1999, ISMB). At ratio 0.5 a clean peak is cut at half its
   height, as the width of peaks is measured (full width at half maximum), and a dip of one frame does not end it.
3. It ends at the cut between the last frame within and the first without, or midway where there is none; a frame whose
   picture was seen to stay the same counts until then.
4. The same again for the next best peak that isn't in a moment yet, with the frames of earlier moments taken: so
   moments never overlap. A stretch that runs into an earlier moment of its shot is that one's slope, and left out.

Where the moments of a video that score enough for an answer begin and end is decided by the question, the video's own
frames and the base alone, whichever of its segments, and of other videos', the index nominated.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

__all__ = ["Curve", "Levels", "Span", "best_rows", "boundary", "find_spans", "grown_spans", "peak_rows", "unrolled"]

Floats = npt.NDArray[np.float64]

# Repeated pictures of a video at most: twelve days, at one a second. Damaged times may claim years.
_MOST_REPEATS = 2**20
# From this far between base and peak on, the least of a video shows the thing, too. Midway; chosen among 0.3 to 0.7 on
# sample films (those of seed 611 and the committed ones, with and without their cuts) and on real footage that shows
# the thing throughout.
_THROUGHOUT_RATIO = 0.5
# Of a step: times are rounded to floats.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Span:
    """A moment of one video: [start, end), the time of its best frame, and that frame's score.

    The uncertainties are how far the true start and end may be away, either way: half the time between the frames on
    both sides, and nothing at a cut, or where the video begins and ends. `edge_level` is the score around which its
    frames were summed.
    """

    start_seconds: float
    end_seconds: float
    best_seconds: float
    score: float
    start_uncertainty_seconds: float = 0.0
    end_uncertainty_seconds: float = 0.0
    edge_level: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Curve:
    """The scores of one video's sampled frames, and its cuts.

    Attributes:
        times_seconds: float64 (N,) times, increasing.
        scores: float64 (N,); minus infinity where a frame does not count.
        cuts_seconds: float64 (C,) where each shot but the first begins, increasing; empty where cuts aren't known.
        end_seconds: End of the video, after the last time.
        unseen_from_seconds: Where the last frame is known to leave the screen before the end, since others follow that
            were not sampled; None where it stands for all until the end.
    """

    times_seconds: Floats
    scores: Floats
    cuts_seconds: Floats
    end_seconds: float
    unseen_from_seconds: float | None = None

    def rows(self, start_seconds: float, end_seconds: float) -> tuple[int, int]:
        """Return the rows [first, after) of the frames in [start, end)."""
        first, after = np.searchsorted(self.times_seconds, [start_seconds, end_seconds], side="left")
        return int(first), int(after)


def unrolled(
    times_seconds: Floats, scores: Floats, seen_until_seconds: Floats, step_seconds: float | None = None
) -> tuple[Floats, Floats]:
    """Expand held frames: times and scores as if each repeated picture had been kept, not only new ones.

    A frame that stands for a minute counts as much in a moment, and in what is usual for a question, as the frames of
    that minute would. A frame that was seen for less than a step stays as it is.

    Args:
        times_seconds: float64 (N,) times of the frames that were kept, increasing.
        scores: float64 (N,).
        seen_until_seconds: float64 (N,), the last time at which each frame's picture was looked at and the same.
        step_seconds: Seconds from one look to the next; None where it is to be taken from the times.

    Returns:
        Times and scores, each float64 (M,) with M at least N, and bounded whatever the times are.
    """
    lasting = seen_until_seconds - times_seconds
    # A step of next to nothing gives infinitely many.
    with np.errstate(over="ignore"):
        if step_seconds is None:
            counts = np.rint(lasting / _apparent_steps(times_seconds, seen_until_seconds))
        else:
            counts = np.floor(lasting / step_seconds + _ROUNDING)
    counts = _bounded(counts) + 1
    rows = np.repeat(np.arange(len(counts)), counts)
    # How many of the frame's pictures come before each.
    places = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    spacing = lasting / np.maximum(counts - 1, 1)
    return times_seconds[rows] + places * spacing[rows], scores[rows]


def _apparent_steps(times_seconds: Floats, seen_until_seconds: Floats) -> Floats:
    """The steps of a library from before they were recorded: the picture kept next was the one looked at next."""
    steps = times_seconds[1:] - seen_until_seconds[:-1]
    # Where frames come at uneven times, the next one may follow at once.
    least = float(np.median(steps)) / 2 if len(steps) else 1.0
    return np.append(np.maximum(steps, least), min(1.0, max(least, steps.min(initial=1.0))))


def _bounded(repeats: Floats) -> npt.NDArray[np.int64]:
    """Cut the highest of some counts to one limit, so that their sum is at most `_MOST_REPEATS`."""
    # Sums of infinite ones are no numbers.
    repeats = np.minimum(repeats, _MOST_REPEATS)
    if repeats.sum() > _MOST_REPEATS:
        ordered = np.sort(repeats)
        # If all from a place on were cut to one limit, this is the limit that uses up what those before leave.
        limits = (_MOST_REPEATS - (np.cumsum(ordered) - ordered)) // np.arange(len(ordered), 0, -1)
        repeats = np.minimum(repeats, limits[np.flatnonzero(limits < ordered)[0]])
    return repeats.astype(np.int64)


@dataclass(frozen=True)
class Levels:
    """Score levels at which a moment ends, relative to its peak.

    Attributes:
        base: Score of the collection's frames that don't show the thing; where it exceeds the peak, it counts as the
            peak.
        merge_ratio: Level of the mean score at which a neighbouring shot joins.
        edge_ratio: Level around which the moment's frames are summed.
        video_base: Score of the frames of this video that show it least.
    """

    base: float
    merge_ratio: float
    edge_ratio: float
    video_base: float = -math.inf

    def merge(self, peak: float) -> float:
        """The mean score at which a neighbouring shot joins a moment with a peak."""
        return self._level(self.merge_ratio, peak)

    def edge(self, peak: float) -> float:
        """The score around which the frames of a moment with a peak are summed."""
        return self._level(self.edge_ratio, peak)

    def _level(self, ratio: float, peak: float) -> float:
        low = min(self.base, peak)
        if low < self.video_base < low + _THROUGHOUT_RATIO * (peak - low):
            low = self.video_base
        return low + ratio * (peak - low)


def best_rows(intervals: Iterable[tuple[float, float]], curve: Curve) -> set[int]:
    """Find the row of the best frame of each [start, end) in seconds that holds a frame; ties: the first.

    Moments have their best frames among these.
    """
    rows = (curve.rows(start, end) for start, end in intervals)
    return {first + int(curve.scores[first:after].argmax()) for first, after in rows if first < after}


def find_spans(intervals: Iterable[tuple[float, float]], curve: Curve, levels: Levels) -> list[Span]:
    """Find the moments of one video, none overlapping another, best first, ties by start.

    Args:
        intervals: [start, end) in seconds of each nominated segment; one without a frame is ignored.
        curve: The video's scores.
        levels: Where moments end.
    """
    return grown_spans(best_rows(intervals, curve), curve, levels)


def peak_rows(curve: Curve, least: float) -> set[int]:
    """Find the rows of the peaks that reach a score, and of the best frame whatever it scores.

    A peak is higher than its neighbours in the shot; of equal frames one after another, the first counts. No other row
    that reaches the score begins a moment: from its neighbour up to the next peak, all frames are better.
    """
    if not len(curve.scores):
        return set()
    begins = np.zeros(len(curve.scores) + 1, np.bool_)
    begins[_shots(curve)] = True
    scores = np.concatenate([[np.nan], curve.scores, [np.nan]])
    # Runs of equal frames within a shot.
    starts = np.flatnonzero(begins[:-1] | (scores[1:-1] != scores[:-2]))
    ends = np.append(starts[1:], len(curve.scores))
    here = curve.scores[starts]
    is_peak = (begins[starts] | (scores[starts] < here)) & (begins[ends] | (scores[ends + 1] < here))
    return {int(curve.scores.argmax()), *starts[is_peak & (here >= least)].tolist()}


def grown_spans(seeds: Iterable[int], curve: Curve, levels: Levels) -> list[Span]:
    """Grow moments around rows of a video, none overlapping another, best first, ties by start.

    Args:
        seeds: Rows that may be a moment's best.
        curve: The video's scores.
        levels: Where moments end.
    """
    shots = _shots(curve)
    taken = np.zeros(len(curve.scores), np.bool_)
    found: list[Span] = []
    for seed in sorted(set(seeds), key=lambda row: (-curve.scores[row], row)):
        if taken[seed] or np.isneginf(curve.scores[seed]):
            continue
        peak = float(curve.scores[seed])
        near = _grown(shots, curve.scores, seed, levels.merge(peak))
        first, after = _free(taken, seed, *near)
        edge_level = levels.edge(peak)
        first, after = _stretch(curve.scores, seed, first, after, edge_level)
        if not _is_slope(shots, taken, first, after):
            found.append(replace(_span(curve, seed, first, after), edge_level=edge_level))
            taken[first:after] = True
    return sorted(found, key=lambda span: (-span.score, span.start_seconds))


def _shots(curve: Curve) -> Sequence[int]:
    """Rows at which shots begin that hold a frame, 0 among them, and the number of rows.

    Frames that do not count are shots of their own, which join no moment.
    """
    starts = np.searchsorted(curve.times_seconds, curve.cuts_seconds, side="left")
    is_left_out = np.isneginf(curve.scores)
    edges = np.flatnonzero(is_left_out[1:] != is_left_out[:-1]) + 1
    return [int(row) for row in np.unique(np.concatenate([[0], starts, edges, [len(curve.scores)]]))]


def _grown(shots: Sequence[int], scores: Floats, seed: int, level: float) -> tuple[int, int]:
    """Rows of the seed's shot and of the neighbours that join it."""
    last = int(np.searchsorted(shots, seed, side="right"))
    first = last - 1
    while first > 0 and scores[shots[first - 1] : shots[first]].mean() >= level:
        first -= 1
    while last + 1 < len(shots) and scores[shots[last] : shots[last + 1]].mean() >= level:
        last += 1
    return shots[first], shots[last]


def _free(taken: npt.NDArray[np.bool_], seed: int, first: int, after: int) -> tuple[int, int]:
    """The part of the rows [first, after) around the seed that no moment has taken."""
    before, behind = np.flatnonzero(taken[first:seed]), np.flatnonzero(taken[seed:after])
    return first + int(before[-1]) + 1 if len(before) else first, seed + int(behind[0]) if len(behind) else after


def _stretch(scores: Floats, seed: int, first: int, after: int, level: float) -> tuple[int, int]:
    """Rows around the seed in [first, after) with the greatest sum above the level; of equal ones, the longest."""
    before = np.cumsum(scores[first:seed][::-1] - level)
    behind = np.cumsum(scores[seed + 1 : after] - level)
    return seed - _steps(before), seed + _steps(behind) + 1


def _steps(sums: Floats) -> int:
    """How far to go for the greatest sum, and as far as may be; 0 where every way costs."""
    return len(sums) - int(sums[::-1].argmax()) if len(sums) and sums.max() >= 0 else 0


def _is_slope(shots: Sequence[int], taken: npt.NDArray[np.bool_], first: int, after: int) -> bool:
    """Whether a taken row is next to the rows [first, after), with no cut between."""
    on_left = first > 0 and bool(taken[first - 1]) and first not in shots
    on_right = after < len(taken) and bool(taken[after]) and after not in shots
    return on_left or on_right


def _span(curve: Curve, seed: int, first: int, after: int) -> Span:
    times = curve.times_seconds
    start, before = boundary(curve, first) if first > 0 else (0.0, 0.0)
    end, behind = boundary(curve, after) if after < len(times) else _last_boundary(curve)
    return Span(start, end, float(times[seed]), float(curve.scores[seed]), before, behind)


def boundary(curve: Curve, row: int) -> tuple[float, float]:
    """Locate the boundary between a row's frame and the one before it, with its uncertainty.

    The cut between them, the last of several; midway where there is none.
    """
    before, behind = float(curve.times_seconds[row - 1]), float(curve.times_seconds[row])
    number = int(np.searchsorted(curve.cuts_seconds, behind, side="right")) - 1
    if number >= 0 and curve.cuts_seconds[number] > before:
        return float(curve.cuts_seconds[number]), 0.0
    return (before + behind) / 2, (behind - before) / 2


def _last_boundary(curve: Curve) -> tuple[float, float]:
    """Where a moment with the last frame ends, and how far that may be away: the end, or midway where others follow."""
    if curve.unseen_from_seconds is None:
        return curve.end_seconds, 0.0
    return (curve.unseen_from_seconds + curve.end_seconds) / 2, (curve.end_seconds - curve.unseen_from_seconds) / 2
