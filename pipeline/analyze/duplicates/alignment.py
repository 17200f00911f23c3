"""Alignment of two videos: which runs of them show the same footage.

Lines of the Hough vote (`hough`) are extended to both sides as long as frames match: the ends are those of the
maximum-sum run of (cosine - `MATCH`), which ends where it has lost too much (local alignment with an X-drop: Smith and
Waterman 1981; Altschul et al. 1990). Then offset and rate are fitted to the frames of the run. A network flow over
matches (Tan, Ngo, Hong and Chua 2009, doi:10.1145/1631272.1631295) or dynamic time warping could follow any speed; a
line cannot, and so does not make a copy of what merely looks alike. Whether a run is the same footage, `evidence`
decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pipeline.analyze.duplicates.evidence import Evidence, evidence_of
from pipeline.analyze.duplicates.frame_track import FrameTrack
from pipeline.analyze.duplicates.hough import MOST_RATE, WINDOW_POINTS, Line, Matches, find_lines, find_matches

__all__ = ["AlignedRun", "align"]

Floats = npt.NDArray[np.float64]

MATCH = 0.55
"""Cosine in the frame space above which a frame extends a run. Of copies of low quality (seed 9100) nine frames in ten
reach 0.7; one in ten frames of different clips reaches 0.44."""
_MOST_LOSS = 2.0
"""A run ends where it has lost so much since its best point: some four frames that do not match at all."""
_LINES = 8
_FITTED_LINES = 3
_FITTED_ROWS = 128
_FIT_ROUNDS = 4
_FAILURES = 2
"""Runs without evidence after which a pair is given up; one more for each window of a long video."""
_VARIANT_SECONDS = 3.0
"""Lines so near to that of a copy are the same alignment, off by a little."""
_PLAIN_RATE_LOSS = 0.1
"""Share of the score that the rate 1 may lose against another one: a copy at its own speed is the rule."""


@dataclass(frozen=True)
class AlignedRun:
    """A run of points of A, and where they are in B.

    Attributes:
        line: How points of A become points of B.
        first: First point of A.
        after: Point after the last one.
        evidence: That it is the same footage.
    """

    line: Line
    first: int
    after: int
    evidence: Evidence

    @property
    def weight(self) -> float:
        """Score by cosine by length: of two runs on the same frames, the better."""
        return self.evidence.score * max(self.evidence.cosine, 0.0) * (self.after - self.first)

    def b_of(self, point: float) -> float:
        """The point of B for a point of A."""
        return self.line.rate * point + self.line.offset


def align(
    a: FrameTrack, b: FrameTrack, *, least_points: int, least_score: float, least_apart: int = 0
) -> Iterator[AlignedRun]:
    """Find the runs of two videos that show the same footage; no match is used twice.

    Args:
        a: A video.
        b: Another one, or the same.
        least_points: Shortest run.
        least_score: Least score of its evidence.
        least_apart: For A and A, the least number of points between a run and its repetition; 0 for two videos.
    """
    matches = find_matches(a, b, least_apart=least_apart)
    failures = _FAILURES + len(a) // WINDOW_POINTS
    found: list[AlignedRun] = []
    nearby = _VARIANT_SECONDS * a.lag
    while failures > 0 and (run := _best_run(a, b, matches, least_points)) is not None:
        is_copy = run.evidence.score >= least_score and not any(_is_variant(run, other, nearby) for other in found)
        if is_copy:
            found.append(run)
            yield run
        else:
            failures -= 1
        near = np.abs(matches.b - run.line.rate * matches.a - run.line.offset) <= (nearby if is_copy else 2.0)
        gone = near & (matches.a >= run.first - 2) & (matches.a < run.after + 2)
        if not gone.any():
            return
        matches = matches.without(gone)


def _is_variant(run: AlignedRun, other: AlignedRun, most_apart: float) -> bool:
    """Whether a run is on nearly the same line as a better one, for half of the shorter one at least."""
    first, after = max(run.first, other.first), min(run.after, other.after)
    middle = (first + after) / 2
    is_near = abs(run.b_of(middle) - other.b_of(middle)) <= most_apart
    return is_near and 2 * (after - first) > min(run.after - run.first, other.after - other.first)


def _best_run(a: FrameTrack, b: FrameTrack, matches: Matches, least: int) -> AlignedRun | None:
    """The best run on the lines with the most votes; None where no line has a run."""
    runs = _distinct(run for line in find_lines(matches, _LINES) if (run := _run_on(a, b, line, least)) is not None)
    if not runs:
        return None
    fitted = [_fit(a, b, run, least) for run in sorted(runs, key=lambda run: -run.weight)[:_FITTED_LINES]]
    best = max(fitted, key=lambda run: run.weight)
    plain = _at_plain_rate(a, b, best, least)
    return best if plain is None or plain.weight < (1 - _PLAIN_RATE_LOSS) * best.weight else plain


def _distinct(runs: Iterator[AlignedRun]) -> list[AlignedRun]:
    found: dict[tuple[float, float, int, int], AlignedRun] = {}
    for run in runs:
        found.setdefault((run.line.rate, run.line.offset, run.first, run.after), run)
    return list(found.values())


def _fit(a: FrameTrack, b: FrameTrack, run: AlignedRun, least: int) -> AlignedRun:
    """Fit a run's line to its frames and extend it again, until that makes it no better."""
    for _ in range(_FIT_ROUNDS):
        line = _fitted(a, b, run, tilts=(0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0), shifts=_SHIFTS)
        again = _run_on(a, b, line, least)
        if again is None or again.weight <= run.weight:
            break
        run = again
    return run


_SHIFTS = (0.0, *(sign * part / 4 for part in range(1, 5) for sign in (1, -1)))


def _at_plain_rate(a: FrameTrack, b: FrameTrack, run: AlignedRun, least: int) -> AlignedRun | None:
    """The same run at the rate 1; None where it has that rate already, or no run is left."""
    if run.line.rate == 1.0:
        return None
    middle = (run.first + run.after) / 2
    line = replace(run.line, rate=1.0, offset=round(4 * (run.b_of(middle) - middle)) / 4)
    spread = abs(run.line.rate - 1.0) * (run.after - run.first) / 2 + 1
    shifts = np.arange(0, int(4 * spread) + 1) / 4
    line = _fitted(a, b, replace(run, line=line), tilts=(0.0,), shifts=(*shifts, *-shifts[1:]))
    return _run_on(a, b, line, least)


def _aligned(b: FrameTrack, a: FrameTrack, line: Line, first: int, after: int) -> npt.NDArray[np.float32]:
    """For points of A the frame of B that is aligned: of the two nearest the one that looks more alike."""
    points = np.arange(first, after)
    at = np.clip(line.rate * points + line.offset, 0, len(b) - 1)
    below = np.floor(at + 1e-6).astype(np.int64)
    above = np.where(at - below < 1e-3, below, np.minimum(below + 1, len(b) - 1))
    frames = a.vectors[first:after]
    one = np.einsum("ij,ij->i", frames, b.vectors[below])
    other = np.einsum("ij,ij->i", frames, b.vectors[above])
    aligned: npt.NDArray[np.float32] = b.vectors[np.where(one >= other, below, above)]
    return aligned


def _run_on(a: FrameTrack, b: FrameTrack, line: Line, least: int) -> AlignedRun | None:
    """Extend a line to the run near which it was found; None where that is shorter than `least` points."""
    first = max(0, int(np.ceil(-line.offset / line.rate - 1e-6)))
    after = min(len(a), int(np.floor((len(b) - 1 - line.offset) / line.rate + 1e-6)) + 1)
    if after - first < least:
        return None
    frames = _aligned(b, a, line, first, after)
    gains = np.einsum("ij,ij->i", a.vectors[first:after], frames) - MATCH
    runs = [(start, end) for start, end in _maximum_runs(gains.tolist()) if end - start >= least]
    if not runs:
        return None
    near = line.near - first
    start, end = max(runs, key=lambda run: min(run[1], near + WINDOW_POINTS) - max(run[0], near))
    fitted = 1 if line.rate == 1.0 else 2
    evidence = evidence_of(a.vectors[first + start : first + end], frames[start:end], a.lag, fitted=fitted)
    return AlignedRun(line, first + start, first + end, evidence)


def _maximum_runs(gains: Sequence[float]) -> list[tuple[int, int]]:
    """Runs [start, end) of the greatest sums; a run ends where it has lost `_MOST_LOSS`, or more than it had."""
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


def _fitted(a: FrameTrack, b: FrameTrack, run: AlignedRun, *, tilts: Sequence[float], shifts: Sequence[float]) -> Line:
    """Shift and tilt a run's line so that its frames match best, by interpolated cosines.

    Args:
        a: A video.
        b: Another one.
        run: The run; its line is the start.
        tilts: By how many points the line may turn over the run.
        shifts: By how many points it may shift; the first is the usual one.
    """
    line, first, after = run.line, run.first, run.after
    rows = np.unique(np.linspace(first, after - 1, min(after - first, _FITTED_ROWS)).astype(np.int64))
    turned, shifted = (each.ravel() for each in np.meshgrid(np.asarray(tilts), np.asarray(shifts), indexing="ij"))
    turned = turned / max(after - first, 8)
    is_near = np.abs(line.rate + turned - 1) <= MOST_RATE + 1e-9
    turned, shifted = turned[is_near], shifted[is_near]
    middle = (first + after) / 2
    at = line.rate * rows + line.offset + turned[:, None] * (rows - middle) + shifted[:, None]
    low, high = (int(np.clip(edge, 0, len(b) - 1)) for edge in (np.floor(at.min()), np.ceil(at.max()) + 1))
    cosines = a.vectors[rows] @ b.vectors[low : high + 1].T
    at = np.clip(at - low, 0, high - low)
    below = np.floor(at).astype(np.int64)
    share = at - below
    above = np.minimum(below + 1, high - low)
    numbers = np.arange(len(rows))
    means = ((1 - share) * cosines[numbers, below] + share * cosines[numbers, above]).mean(axis=1)
    best = int(np.argmax(means - 1e-3 * (np.abs(shifted) + (turned != 0))))
    turn = float(turned[best])
    return replace(line, rate=line.rate + turn, offset=float(line.offset - turn * middle + shifted[best]))
