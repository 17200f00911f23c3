"""Aligns two videos: finds the runs of points in which both show the same footage.

The lines found by Hough voting (`hough`) are extended to runs (`extension`); then offset and rate are fitted to the
frames of each run. A network flow over matches (Tan, Ngo, Hong and Chua 2009, doi:10.1145/1631272.1631295) or dynamic
time warping could follow any change of speed. A line cannot, which prevents false matches of footage that is only
similar. `run_similarity` decides whether a run shows the same footage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from pipeline.analyze.duplicates.extension import AlignedRun, run_on
from pipeline.analyze.duplicates.frame_track import FrameTrack
from pipeline.analyze.duplicates.hough import MOST_RATE, WINDOW_POINTS, HoughLine, Matches, find_lines, find_matches

__all__ = ["align"]

_LINES = 8
_FITTED_LINES = 3
_FITTED_ROWS = 128
_FIT_ROUNDS = 4
_FAILURES = 2
"""Number of rejected runs after which a pair is given up, plus one for each window of A, up to `_MOST_FAILURES`."""
_MOST_FAILURES = 8
_VARIANT_SECONDS = 3.0
"""Lines within this distance of a copy's line are slightly inaccurate variants of the same alignment."""
_PLAIN_RATE_LOSS = 0.1
"""Share of the weight by which a run at rate 1 may be below another and still win: most copies have the same speed."""


def align(
    a: FrameTrack, b: FrameTrack, *, least_points: int, least_score: float, least_apart: int = 0
) -> Iterator[AlignedRun]:
    """Find the runs in which two videos show the same footage; each match is used at most once.

    Args:
        a: A video.
        b: Another video, or the same.
        least_points: Minimum length of a run.
        least_score: Minimum score of a run.
        least_apart: Minimum distance in points between a run and its repetition in the same video; 0 for two videos.
    """
    matches = find_matches(a, b, least_apart=least_apart)
    failures = min(_FAILURES + len(a) // WINDOW_POINTS, _MOST_FAILURES)
    found: list[AlignedRun] = []
    nearby = _VARIANT_SECONDS * a.lag
    while failures > 0 and (run := _best_run(a, b, matches, least_points, least_apart)) is not None:
        is_copy = run.similarity.score >= least_score and not any(_is_variant(run, other, nearby) for other in found)
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
    """Whether a run is on nearly the same line as a better one, over more than half of the shorter one."""
    first, after = max(run.first, other.first), min(run.after, other.after)
    middle = (first + after) / 2
    is_near = abs(run.b_of(middle) - other.b_of(middle)) <= most_apart
    return is_near and 2 * (after - first) > min(run.after - run.first, other.after - other.first)


def _best_run(a: FrameTrack, b: FrameTrack, matches: Matches, least: int, apart: int) -> AlignedRun | None:
    """Return the best run on the lines with the most votes; None if no line has a run."""
    lines = find_lines(matches, _LINES)
    runs = _distinct(run for line in lines if (run := run_on(a, b, line, least, apart)) is not None)
    if not runs:
        return None
    fitted = [_fit(a, b, run, least, apart) for run in sorted(runs, key=lambda run: -run.weight)[:_FITTED_LINES]]
    best = max(fitted, key=lambda run: run.weight)
    plain = _at_plain_rate(a, b, best, least, apart)
    return best if plain is None or plain.weight < (1 - _PLAIN_RATE_LOSS) * best.weight else plain


def _distinct(runs: Iterator[AlignedRun]) -> list[AlignedRun]:
    found: dict[tuple[float, float, int, int], AlignedRun] = {}
    for run in runs:
        found.setdefault((run.line.rate, run.line.offset, run.first, run.after), run)
    return list(found.values())


def _fit(a: FrameTrack, b: FrameTrack, run: AlignedRun, least: int, apart: int) -> AlignedRun:
    """Fit a run's line to its frames and extend it again, until the run no longer improves."""
    for _ in range(_FIT_ROUNDS):
        line = _fitted(a, b, run, tilts=(0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0), shifts=_SHIFTS, apart=apart)
        again = run_on(a, b, line, least, apart)
        if again is None or again.weight <= run.weight:
            break
        run = again
    return run


_SHIFTS = (0.0, *(sign * part / 4 for part in range(1, 5) for sign in (1, -1)))


def _at_plain_rate(a: FrameTrack, b: FrameTrack, run: AlignedRun, least: int, apart: int) -> AlignedRun | None:
    """Return the same run at rate 1; None if it already has this rate, or if no run remains."""
    if run.line.rate == 1.0:
        return None
    middle = (run.first + run.after) / 2
    line = replace(run.line, rate=1.0, offset=round(4 * (run.b_of(middle) - middle)) / 4)
    spread = abs(run.line.rate - 1.0) * (run.after - run.first) / 2 + 1
    shifts = np.arange(0, int(4 * spread) + 1) / 4
    line = _fitted(a, b, replace(run, line=line), tilts=(0.0,), shifts=(*shifts, *-shifts[1:]), apart=apart)
    return run_on(a, b, line, least, apart)


def _fitted(
    a: FrameTrack, b: FrameTrack, run: AlignedRun, *, tilts: Sequence[float], shifts: Sequence[float], apart: int
) -> HoughLine:
    """Shift and tilt a run's line so that its frames match best, by interpolated cosines.

    Args:
        a: A video.
        b: Another video, or the same.
        run: The run; its line is the starting point.
        tilts: Candidate tilts, in points over the length of the run.
        shifts: Candidate shifts, in points.
        apart: Minimum distance of aligned points of the same video, so that no frame is aligned with itself.
    """
    line, first, after = run.line, run.first, run.after
    rows = np.unique(np.linspace(first, after - 1, min(after - first, _FITTED_ROWS)).astype(np.int64))
    turned, shifted = (each.ravel() for each in np.meshgrid(np.asarray(tilts), np.asarray(shifts), indexing="ij"))
    turned = turned / max(after - first, 8)
    middle, ends = (first + after) / 2, np.array([first, after - 1])
    is_allowed = np.abs(line.rate + turned - 1) <= MOST_RATE + 1e-9
    if apart:
        lags = (line.rate - 1) * ends + line.offset + turned[:, None] * (ends - middle) + shifted[:, None]
        is_allowed &= lags.min(axis=1) >= apart
    if not is_allowed.any():
        return line
    turned, shifted = turned[is_allowed], shifted[is_allowed]
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
