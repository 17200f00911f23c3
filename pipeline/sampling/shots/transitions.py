"""Detects gradual transitions (dissolves and fades) from a few thumbnails per second."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import takewhile
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline.sampling.shots.recent_pictures import COLOURS, Numbers, RecentPicture, RecentPictures
from pipeline.sampling.shots.similarity import unlikeness

__all__ = ["Transition", "TransitionKind", "TransitionSearch"]

TransitionKind = Literal["dissolve", "fade_in", "fade_out", "fade_through_black", "fade_through_white"]

# Minimum distance of compared pictures. A change shorter than three such steps does not count as gradual.
_STEP_SECONDS = Fraction(7, 100)
# Lengths of the windows in which a transition is searched for.
_WINDOWS_SECONDS = (0.4, 0.6, 0.9, 1.3, 1.8, 2.6)
_LONGEST_SECONDS = 2.6
_CUT_APART = Fraction(1, 10)
# Maximum distance of two transitions that form one fade through black or white.
_PAUSE_SECONDS = Fraction(3, 2)
# Maximum gap between two parts of one dissolve.
_PART_SECONDS = Fraction(1, 5)
# Minimum root mean square difference of the pictures at both ends, in levels of 255.
_LEAST_DIFFERENCE = 10.0
# Maximum root mean square residual of a mixture of the two, as a share of their difference: worst and on average.
_MOST_RESIDUAL = 0.36
_MEAN_RESIDUAL = 0.2
# Minimum length of a gradual change, and its maximum change in one step.
_SHORTEST_SECONDS = 0.2
_LARGEST_STEP = 0.6
# Maximum distance of the share of the second picture from a steady ramp.
_MOST_DEVIATION = 0.16
# Minimum `unlikeness` of the two ends of a dissolve, and its minimum ratio to that of two consecutive pictures.
_LEAST_UNLIKENESS = 0.7
_LEAST_GROWTH = 0.3
# A fade is also a dissolve from or to a blank picture; it has priority.
_FADE_BONUS = 0.1


@dataclass(frozen=True)
class Transition:
    """A gradual change from one shot to the next.

    Attributes:
        start_seconds: Time at which the picture starts to change.
        end_seconds: Time from which only the next shot, or a uniform colour, is visible.
        kind: "dissolve" from one picture to another, "fade_in" from a uniform colour, "fade_out" to one, or
            "fade_through_black" and "fade_through_white" for a fade out with a fade in.
    """

    start_seconds: Fraction
    end_seconds: Fraction
    kind: TransitionKind

    @property
    def boundary_seconds(self) -> Fraction:
        """Boundary of the two shots: the middle, or the point at which a fade reaches the uniform colour."""
        if self.kind == "fade_in":
            return self.start_seconds
        if self.kind == "fade_out":
            return self.end_seconds
        return (self.start_seconds + self.end_seconds) / 2

    def contains(self, cut: Fraction) -> bool:
        """Whether an apparent cut is part of the transition; at its ends there may be real cuts as well."""
        return self.start_seconds + _CUT_APART < cut < self.end_seconds - _CUT_APART


@dataclass(frozen=True)
class _FoundTransition:
    transition: Transition
    misfit: float
    level: float


class TransitionSearch:
    """Finds the gradual transitions of a video from its thumbnails, in bounded memory.

    In a dissolve, each picture is a mixture of the shots before and after it, and the share of the latter grows
    steadily. In a fade, one of the two is uniform. Movement of the camera or of objects does not give mixtures, and if
    the light changes, both ends have the same content.
    """

    def __init__(self) -> None:
        self._pictures = RecentPictures(_LONGEST_SECONDS)
        self._next: Fraction | None = None
        self._pending: _FoundTransition | None = None
        self._found: list[_FoundTransition] = []
        self._is_odd = False

    def wants(self, time: Fraction) -> bool:
        """Whether a picture at this time would be used."""
        return self._next is None or time >= self._next

    def feed(self, time: Fraction, thumbnail: npt.NDArray[np.uint8]) -> None:
        """Process the next picture.

        Args:
            time: Time in seconds.
            thumbnail: The picture, as returned by `Frame.thumbnail`.
        """
        if not self.wants(time):
            return
        self._next = time + _STEP_SECONDS
        self._pictures.append(time, thumbnail)
        self._is_odd = not self._is_odd
        if self._is_odd:
            # Every second step is close enough to the end of a transition.
            return
        ramps = (_ramp(self._pictures, first) for first in _windows(self._pictures))
        better = [ramp for ramp in ramps if ramp is not None and self._is_better(ramp.found)]
        best = next((ramp for ramp in sorted(better, key=lambda ramp: ramp.found.misfit) if ramp.shows_two()), None)
        if best is not None:
            self._keep(best.found)

    def finish(self) -> tuple[Transition, ...]:
        """End the sequence, because the video ends or a gap follows, and return its transitions in order."""
        self.break_off()
        if self._pending is not None:
            self._found.append(self._pending)
            self._pending = None
        self._found.sort(key=lambda found: found.transition.start_seconds)
        return tuple(_joined(self._found))

    def break_off(self) -> None:
        """End the sequence: the next picture does not follow the last one."""
        self._pictures.clear()
        self._next = None

    def _is_better(self, found: _FoundTransition) -> bool:
        """Whether a transition does not overlap the one held back, or fits better."""
        held = self._pending
        return held is None or _is_behind(found, held) or found.misfit < held.misfit

    def _keep(self, found: _FoundTransition) -> None:
        if self._pending is not None and _is_behind(found, self._pending):
            self._found.append(self._pending)
        self._pending = found


def _is_behind(found: _FoundTransition, held: _FoundTransition) -> bool:
    return found.transition.start_seconds >= held.transition.end_seconds


@dataclass(frozen=True, eq=False)
class _Ramp:
    """A possible transition, with the pictures at its ends and the one after its start."""

    found: _FoundTransition
    first: RecentPicture
    second: RecentPicture
    last: RecentPicture

    def shows_two(self) -> bool:
        """Whether it leads to another picture. This is the slowest test, so it is made last."""
        if self.found.transition.kind != "dissolve":
            return True
        unlike = unlikeness(self.first.brightness, self.last.brightness)
        if unlike < _LEAST_UNLIKENESS:
            return False
        # Because of noise, consecutive pictures are unlike, too.
        return unlike - unlikeness(self.first.brightness, self.second.brightness) >= _LEAST_GROWTH


def _windows(pictures: RecentPictures) -> Iterator[int]:
    """Yield the starts of windows that end with the latest point and may have a mixture of both ends in the middle."""
    seconds, colours = pictures.seconds, pictures.colours
    ages = np.round(seconds[-1] - seconds, 6)
    firsts = (len(ages) - np.searchsorted(ages[::-1], _WINDOWS_SECONDS, "right")).tolist()
    # A window has its full length regardless of gaps in it.
    fitting = takewhile(
        lambda pair: pair[0] > 0 or ages[0] >= 0.8 * pair[1], zip(firsts, _WINDOWS_SECONDS, strict=True)
    )
    starts = np.array([first for first, _ in fitting if first <= len(ages) - 4], np.intp)
    whole = colours[-1] - colours[starts]
    squares = _squares(whole)
    differ = squares >= _LEAST_DIFFERENCE**2 * COLOURS
    if not differ.any():
        return
    starts, whole, squares = starts[differ], whole[differ], squares[differ]
    # The middle picture is tested first; it is usually sufficient.
    half = colours[starts + (len(ages) - starts) // 2] - colours[starts]
    left = _squares(half) - np.einsum("ij,ij->i", half, whole) ** 2 / squares
    yield from starts[left <= _MOST_RESIDUAL**2 * squares].tolist()


def _ramp(pictures: RecentPictures, begin_at: int) -> _Ramp | None:
    """Find a possible transition in the middle of a window; None if there is none."""
    first, last = pictures[begin_at], pictures[-1]
    times = pictures.seconds[begin_at:] - pictures.seconds[begin_at]
    shares, residuals = _mixture(pictures.colours[begin_at:])
    if residuals.max() > _MOST_RESIDUAL or residuals.mean() > _MEAN_RESIDUAL:
        return None
    begin, end = _extent(times, shares)
    deviation = float(np.abs(shares - np.clip((times - begin) / max(end - begin, 1e-6), 0, 1)).max())
    is_within = begin >= -0.1 and end <= times[-1] + 0.1 and deviation <= _MOST_DEVIATION
    if not is_within or not _is_gradual(shares, end - begin):
        return None
    kind = _kind(first, last)
    if kind is None:
        return None
    start, stop = (first.time + Fraction(round(1000 * max(0.0, at)), 1000) for at in (begin, end))
    blank = last if kind == "fade_out" else first
    transition = Transition(start, min(stop, last.time), kind)
    misfit = float(residuals.mean()) + deviation - (0.0 if kind == "dissolve" else _FADE_BONUS)
    found = _FoundTransition(transition, misfit, float(blank.brightness.mean()))
    return _Ramp(found, first, pictures[begin_at + 1], last)


def _mixture(colours: npt.NDArray[np.float32]) -> tuple[Numbers, Numbers]:
    """Fit the share of the last picture in each by least squares; return the shares and the relative residuals."""
    changes = colours - colours[0]
    squares = _squares(changes)
    shares = np.einsum("ij,j->i", changes, changes[-1]) / squares[-1]
    left = squares / squares[-1] - shares**2
    return shares, np.sqrt(np.maximum(left, 0.0))


def _squares(rows: npt.NDArray[np.float32]) -> Numbers:
    """Compute the sums of squares of rows. For rows this short, BLAS is slower and wakes other threads."""
    sums: Numbers = np.einsum("ij,ij->i", rows, rows).astype(np.float64)
    return sums


def _is_gradual(shares: Numbers, seconds: float) -> bool:
    inner = int(np.count_nonzero((shares > 0.08) & (shares < 0.92)))
    return inner >= 2 and seconds >= _SHORTEST_SECONDS and float(np.diff(shares).max()) <= _LARGEST_STEP


def _extent(times: Numbers, shares: Numbers) -> tuple[float, float]:
    """Find the start and end of the ramp that reaches a quarter and three quarters where the shares do."""
    quarter = int(np.argmax(shares >= 0.25))
    three = int(np.argmax(shares >= 0.75))

    def crossing(place: int, level: float) -> float:
        if place == 0:
            return float(times[0])
        low, high = float(shares[place - 1]), float(shares[place])
        part = (level - low) / max(high - low, 1e-6)
        return float(times[place - 1] + min(max(part, 0.0), 1.0) * (times[place] - times[place - 1]))

    early, late = crossing(quarter, 0.25), crossing(three, 0.75)
    return early - (late - early) / 2, late + (late - early) / 2


def _kind(first: RecentPicture, last: RecentPicture) -> TransitionKind | None:
    """Classify a mixture of two different pictures; None if both are blank."""
    if first.is_blank and last.is_blank:
        return None
    if first.is_blank or last.is_blank:
        return "fade_in" if first.is_blank else "fade_out"
    return "dissolve"


def _joined(found: Sequence[_FoundTransition]) -> Iterator[Transition]:
    """Join a fade out with the following fade in, and the parts of a dissolve."""
    held: _FoundTransition | None = None
    for one in found:
        kind = None if held is None else _kind_of_both(held, one)
        if held is not None and kind is not None:
            whole = replace(held.transition, end_seconds=one.transition.end_seconds, kind=kind)
            held = replace(held, transition=whole)
            continue
        if held is not None:
            yield held.transition
        held = one
    if held is not None:
        yield held.transition


def _kind_of_both(one: _FoundTransition, other: _FoundTransition) -> TransitionKind | None:
    """Classify two consecutive transitions as one; None if they are separate."""
    pause = other.transition.start_seconds - one.transition.end_seconds
    kinds = one.transition.kind, other.transition.kind
    if kinds == ("fade_out", "fade_in") and pause <= _PAUSE_SECONDS:
        return "fade_through_black" if one.level < 128 else "fade_through_white"
    return "dissolve" if kinds == ("dissolve", "dissolve") and pause <= _PART_SECONDS else None
