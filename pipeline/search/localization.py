"""Temporal localization: compute moments from the score curve of a video.

The score of a frame has no absolute meaning: with one question a model may give 0.2 to frames that do not show the
thing and 0.3 to frames that do, with another question other values. So all levels are relative: a level with ratio r is
base + r * (peak - base), where `base` is the score of a frame that does not show the thing and `peak` is the score of
the moment's best frame.

There are two estimates of the base: that of the whole collection (`pipeline.search.calibration`), and a low quantile of
the scores of this video. Frames of one video resemble each other, so its frames that do not show the thing score
higher than those of the collection, and the greater estimate is used. If the video's quantile lies nearer to the peak
than to the collection's base, however, even its worst frames score nearly as high as the best: the video shows the
thing throughout, and the collection's base is used. Both estimates depend only on the question, the whole video and
the collection.

1. The best frame of the video is the seed. The moment lies within its shot and those neighbouring shots whose mean
   score reaches the merge level: seeded region growing (Adams and Bischof 1994, doi:10.1109/34.295913) in one
   dimension. The merge level keeps a moment from extending into shots that score only moderately. A video whose cuts
   are unknown is one shot.
2. Within these shots, the moment is the run of frames around the seed with the greatest sum of (score - edge level): a
   maximal scoring subsequence (Ruzzo and Tompa 1999, ISMB). With a ratio of 0.5, a clean peak is cut at half its
   height, like its full width at half maximum, and a dip of one frame does not end the moment.
3. The moment's boundary is the cut between the last frame inside and the first one outside, or midway between them if
   there is no cut. If a frame's picture is known to have stayed on screen, the frame counts for all that time.
4. Steps 1 to 3 are repeated for the next best peak outside all moments so far, without their frames, so moments never
   overlap. A run that touches an earlier moment within the same shot is the slope of that moment, and is dropped.

The boundaries of moments that score enough for an answer depend only on the question, the video's own frames and the
base, not on which segments the index returned, of this video or of others.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

__all__ = [
    "Curve",
    "Levels",
    "Span",
    "best_rows",
    "boundary",
    "find_spans",
    "grown_spans",
    "peak_rows",
    "quantile",
    "unrolled",
]

Floats = npt.NDArray[np.float64]

_NONE = np.empty(0, np.int64)

# Maximum number of repeated frames in a video: twelve days at one frame per second. Damaged timestamps may claim years.
_MAX_REPEATS = 2**20
# If the video's own base is at least this far from the collection's base towards the peak, the video shows the thing
# throughout. Chosen from 0.3 to 0.7 on sample films (those of seed 611 and the committed ones, with and without their
# cuts) and on real footage that shows the thing throughout.
_THROUGHOUT_RATIO = 0.5
# In sampling steps: tolerance for times that were rounded to floats.
_STEP_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Span:
    """A moment of one video: [start, end), the time of its best frame, and that frame's score.

    The uncertainties say how far the true start and end may be from those given, in either direction: half the time
    between the frames on both sides, and 0 at a cut or at the video's start and end. `edge_level` is the score that was
    subtracted from the frames' scores when they were summed.
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
        cuts_seconds: float64 (C,) start of each shot but the first, increasing; empty if cuts are unknown.
        end_seconds: End of the video, after the last time.
        unseen_from_seconds: When the last sampled frame left the screen, if it is known to have done so before the
            video's end; None if it represents all the time until the end.
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

    @cached_property
    def shots(self) -> Sequence[int]:
        """The first row of each shot that has a frame, starting with 0, followed by the number of rows.

        Frames that do not count are shots of their own, which join no moment.
        """
        starts = (
            np.searchsorted(self.times_seconds, self.cuts_seconds, side="left") if len(self.cuts_seconds) else _NONE
        )
        is_left_out = self.scores == -np.inf
        edges = np.flatnonzero(is_left_out[1:] != is_left_out[:-1]) + 1 if is_left_out.any() else _NONE
        return sorted({0, *starts.tolist(), *edges.tolist(), len(self.scores)})


def unrolled(
    times_seconds: Floats, scores: Floats, seen_until_seconds: Floats, step_seconds: float | None = None
) -> tuple[Floats, Floats]:
    """Repeat each frame for as long as its picture stayed on screen, as if unchanged frames had been sampled, too.

    A picture that stays for a minute then has the same weight, in a moment and in the base of a question, as one
    minute of changing frames. A frame that stayed for less than a step is not repeated.

    Args:
        times_seconds: float64 (N,) times of the sampled frames, increasing.
        scores: float64 (N,).
        seen_until_seconds: float64 (N,), the last time at which each frame's picture was seen unchanged.
        step_seconds: Seconds between two checks for changes; None to estimate them from the times.

    Returns:
        Times and scores, each float64 (M,) with M at least N, and bounded even if the times are damaged.
    """
    durations = seen_until_seconds - times_seconds
    # A step near 0 overflows to infinity.
    with np.errstate(over="ignore"):
        if step_seconds is None:
            counts = np.rint(durations / _estimated_steps(times_seconds, seen_until_seconds))
        else:
            counts = np.floor(durations / step_seconds + _STEP_TOLERANCE)
    counts = _bounded(counts) + 1
    rows = np.repeat(np.arange(len(counts)), counts)
    # The number of each repetition within its frame, from 0.
    repeats = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    spacing = durations / np.maximum(counts - 1, 1)
    return times_seconds[rows] + repeats * spacing[rows], scores[rows]


def _estimated_steps(times_seconds: Floats, seen_until_seconds: Floats) -> Floats:
    """Estimate the steps for a library that did not record them: the next sampled frame came one step later."""
    steps = times_seconds[1:] - seen_until_seconds[:-1]
    # With uneven frame times, the next frame may have followed at once, so there is a lower bound.
    min_step = float(np.median(steps)) / 2 if len(steps) else 1.0
    return np.append(np.maximum(steps, min_step), min(1.0, max(min_step, steps.min(initial=1.0))))


def _bounded(repeats: Floats) -> npt.NDArray[np.int64]:
    """Reduce the highest counts to a common limit, so that the sum is at most `_MAX_REPEATS`."""
    # Infinite counts have no usable sum.
    repeats = np.minimum(repeats, _MAX_REPEATS)
    if repeats.sum() > _MAX_REPEATS:
        ordered = np.sort(repeats)
        # limits[i]: the common limit for the counts from i on that uses up what the smaller counts leave.
        limits = (_MAX_REPEATS - (np.cumsum(ordered) - ordered)) // np.arange(len(ordered), 0, -1)
        repeats = np.minimum(repeats, limits[np.flatnonzero(limits < ordered)[0]])
    return repeats.astype(np.int64)


@dataclass(frozen=True)
class Levels:
    """Score levels at which a moment ends, relative to its peak.

    Attributes:
        base: Score of the collection's frames that do not show the thing. If it exceeds the peak, the peak is used.
        merge_ratio: Ratio of the merge level: a neighbouring shot joins if its mean score reaches it.
        edge_ratio: Ratio of the edge level, which is subtracted from scores when they are summed.
        video_base: Score of the frames of this video that show the thing least.
    """

    base: float
    merge_ratio: float
    edge_ratio: float
    video_base: float = -math.inf

    def merge(self, peak: float) -> float:
        """Return the mean score at which a neighbouring shot joins a moment with this peak."""
        return self._level(self.merge_ratio, peak)

    def edge(self, peak: float) -> float:
        """Return the score that is subtracted when the frames of a moment with this peak are summed."""
        return self._level(self.edge_ratio, peak)

    def _level(self, ratio: float, peak: float) -> float:
        low = min(self.base, peak)
        if low < self.video_base < low + _THROUGHOUT_RATIO * (peak - low):
            low = self.video_base
        return low + ratio * (peak - low)


def best_rows(intervals: Iterable[tuple[float, float]], curve: Curve) -> set[int]:
    """Find the row of the best frame in each interval [start, end) in seconds that has a frame; ties: the first."""
    rows = (curve.rows(start, end) for start, end in intervals)
    return {first + int(curve.scores[first:after].argmax()) for first, after in rows if first < after}


def quantile(values: Floats, ratio: float) -> float:
    """Return the same quantile of finite values, float64 (N,), N at least 1, as `np.quantile`, in a tenth of its time.

    Between two values, it is interpolated linearly.
    """
    place = ratio * (len(values) - 1)
    row = min(int(place), len(values) - 2) if len(values) > 1 else 0
    ordered = np.partition(values, (row, min(row + 1, len(values) - 1)))
    low, high, share = float(ordered[row]), float(ordered[min(row + 1, len(values) - 1)]), place - row
    # Computed from the nearer value, as NumPy does.
    return high - (high - low) * (1 - share) if share >= 0.5 else low + (high - low) * share


def find_spans(intervals: Iterable[tuple[float, float]], curve: Curve, levels: Levels) -> list[Span]:
    """Find the moments of one video around its nominated segments: without overlaps, best first, ties by start.

    Args:
        intervals: [start, end) in seconds of each nominated segment; segments without a frame are ignored.
        curve: The video's scores.
        levels: The levels at which moments end.
    """
    return grown_spans(best_rows(intervals, curve), curve, levels)


def peak_rows(curve: Curve, min_score: float) -> set[int]:
    """Find the rows of all peaks that reach a score, and the row of the best frame whatever its score.

    A peak is higher than its neighbours in the same shot; of several equal consecutive frames, the first counts. Other
    rows that reach the score need not be seeds: the frames between such a row and a peak next to it are all better.
    """
    if not len(curve.scores):
        return set()
    begins = np.zeros(len(curve.scores) + 1, np.bool_)
    begins[curve.shots] = True
    scores = np.concatenate([[np.nan], curve.scores, [np.nan]])
    # Runs of equal frames within a shot.
    starts = np.flatnonzero(begins[:-1] | (scores[1:-1] != scores[:-2]))
    ends = np.append(starts[1:], len(curve.scores))
    levels = curve.scores[starts]
    is_peak = (begins[starts] | (scores[starts] < levels)) & (begins[ends] | (scores[ends + 1] < levels))
    return {int(curve.scores.argmax()), *starts[is_peak & (levels >= min_score)].tolist()}


def grown_spans(seeds: Iterable[int], curve: Curve, levels: Levels) -> list[Span]:
    """Grow moments around seed rows of a video: without overlaps, best first, ties by start.

    Args:
        seeds: Rows that may be the best frame of a moment.
        curve: The video's scores.
        levels: The levels at which moments end.
    """
    shots = curve.shots
    assigned = np.zeros(len(curve.scores), np.bool_)
    found: list[Span] = []
    for seed in sorted(set(seeds), key=lambda row: (-curve.scores[row], row)):
        peak = float(curve.scores[seed])
        if assigned[seed] or peak == -math.inf:
            continue
        region = _grown(shots, curve.scores, seed, levels.merge(peak))
        first, after = _unassigned(assigned, seed, *region)
        edge_level = levels.edge(peak)
        first, after = _max_sum_run(curve.scores, seed, first, after, edge_level)
        if not _is_slope(shots, assigned, first, after):
            found.append(_span(curve, seed, first, after, edge_level))
            assigned[first:after] = True
    return sorted(found, key=lambda span: (-span.score, span.start_seconds))


def _grown(shots: Sequence[int], scores: Floats, seed: int, level: float) -> tuple[int, int]:
    """Return the rows [first, after) of the seed's shot and of the neighbouring shots that join it."""
    last = int(np.searchsorted(shots, seed, side="right"))
    first = last - 1
    while first > 0 and scores[shots[first - 1] : shots[first]].mean() >= level:
        first -= 1
    while last + 1 < len(shots) and scores[shots[last] : shots[last + 1]].mean() >= level:
        last += 1
    return shots[first], shots[last]


def _unassigned(assigned: npt.NDArray[np.bool_], seed: int, first: int, after: int) -> tuple[int, int]:
    """Narrow the rows [first, after) to those around the seed that belong to no moment yet."""
    before, later = np.flatnonzero(assigned[first:seed]), np.flatnonzero(assigned[seed:after])
    return first + int(before[-1]) + 1 if len(before) else first, seed + int(later[0]) if len(later) else after


def _max_sum_run(scores: Floats, seed: int, first: int, after: int, level: float) -> tuple[int, int]:
    """Return the rows within [first, after), seed included, with the greatest sum above a level; ties: the longest."""
    backward = np.cumsum(scores[first:seed][::-1] - level)
    forward = np.cumsum(scores[seed + 1 : after] - level)
    return seed - _best_length(backward), seed + _best_length(forward) + 1


def _best_length(sums: Floats) -> int:
    """Return the length with the greatest cumulative sum, ties: the longest; 0 if every sum is negative."""
    return len(sums) - int(sums[::-1].argmax()) if len(sums) and sums.max() >= 0 else 0


def _is_slope(shots: Sequence[int], assigned: npt.NDArray[np.bool_], first: int, after: int) -> bool:
    """Whether an assigned row adjoins the rows [first, after) without a cut between them."""
    on_left = first > 0 and bool(assigned[first - 1]) and first not in shots
    on_right = after < len(assigned) and bool(assigned[after]) and after not in shots
    return on_left or on_right


def _span(curve: Curve, seed: int, first: int, after: int, edge_level: float) -> Span:
    times = curve.times_seconds
    start, start_uncertainty = boundary(curve, first) if first > 0 else (0.0, 0.0)
    end, end_uncertainty = boundary(curve, after) if after < len(times) else _last_boundary(curve)
    score = float(curve.scores[seed])
    return Span(start, end, float(times[seed]), score, start_uncertainty, end_uncertainty, edge_level)


def boundary(curve: Curve, row: int) -> tuple[float, float]:
    """Return the time of the boundary between a row's frame and the one before it, and its uncertainty in seconds.

    The boundary is the last cut between the two frames, or midway between them if there is none.
    """
    before, after = float(curve.times_seconds[row - 1]), float(curve.times_seconds[row])
    number = int(np.searchsorted(curve.cuts_seconds, after, side="right")) - 1
    if number >= 0 and curve.cuts_seconds[number] > before:
        return float(curve.cuts_seconds[number]), 0.0
    return (before + after) / 2, (after - before) / 2


def _last_boundary(curve: Curve) -> tuple[float, float]:
    """Return the end of a moment that includes the last frame, and its uncertainty in seconds.

    This is the video's end; if the last sampled frame left the screen earlier, it is midway between the two.
    """
    if curve.unseen_from_seconds is None:
        return curve.end_seconds, 0.0
    return (curve.unseen_from_seconds + curve.end_seconds) / 2, (curve.end_seconds - curve.unseen_from_seconds) / 2
