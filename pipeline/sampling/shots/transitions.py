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

# Pictures are looked at so far apart at least; nothing shorter than three such steps is seen as gradual.
_STEP_SECONDS = Fraction(7, 100)
# Lengths of the windows in which a transition is looked for.
_WINDOWS_SECONDS = (0.4, 0.6, 0.9, 1.3, 1.8, 2.6)
_LONGEST_SECONDS = 2.6
_CUT_APART = Fraction(1, 10)
# Two transitions this close are one fade through black or white.
_PAUSE_SECONDS = Fraction(3, 2)
# So much may be missing between two parts of one dissolve.
_PART_SECONDS = Fraction(1, 5)
# Root mean square of the difference between the pictures at both ends, in levels of 255.
_LEAST_DIFFERENCE = 10.0
# The same of what a mixture of the two does not explain, as a share of their difference: worst and on average.
_MOST_RESIDUAL = 0.36
_MEAN_RESIDUAL = 0.2
# Nothing shorter is gradual, nor is what changes so much in one step.
_SHORTEST_SECONDS = 0.2
_LARGEST_STEP = 0.6
# How far the share of the second picture may be from a steady ramp.
_MOST_DEVIATION = 0.16
# How unlike the two ends of a dissolve are, see `unlikeness`, and by how much more than two pictures side by side.
_LEAST_UNLIKENESS = 0.7
_LEAST_GROWTH = 0.3
# A fade is also a dissolve from or to a picture that shows little; it is preferred.
_FADE_BONUS = 0.1


@dataclass(frozen=True)
class Transition:
    """A gradual change from one shot to the next.

    Attributes:
        start_seconds: Where the picture begins to change.
        end_seconds: Where the next shot, or one uniform colour, is all that is seen.
        kind: "dissolve" from one picture to another, "fade_in" from a uniform colour, "fade_out" to one, or
            "fade_through_black" and "fade_through_white" for a fade out with a fade in.
    """

    start_seconds: Fraction
    end_seconds: Fraction
    kind: TransitionKind

    @property
    def boundary_seconds(self) -> Fraction:
        """Where one shot ends and the next begins: midway, or where a fade meets the uniform colour."""
        if self.kind == "fade_in":
            return self.start_seconds
        if self.kind == "fade_out":
            return self.end_seconds
        return (self.start_seconds + self.end_seconds) / 2

    def contains(self, cut: Fraction) -> bool:
        """Whether what looks like a cut is a part of it; at its ends there may be a cut as well."""
        return self.start_seconds + _CUT_APART < cut < self.end_seconds - _CUT_APART


@dataclass(frozen=True)
class _Found:
    transition: Transition
    misfit: float
    level: float


class TransitionSearch:
    """Finds the gradual transitions of a video, fed with thumbnails; memory is bounded.

    In a dissolve each picture is a mixture of the one before it and of the one after it, and the share of the latter
    grows steadily. In a fade one of the two is uniform. Movement of the camera or of objects makes other pictures than
    a mixture, and where the light changes, both ends show the same.
    """

    def __init__(self) -> None:
        self._pictures = RecentPictures(_LONGEST_SECONDS)
        self._next: Fraction | None = None
        self._pending: _Found | None = None
        self._found: list[_Found] = []
        self._is_odd = False

    def wants(self, time: Fraction) -> bool:
        """Whether a picture of that time would be looked at."""
        return self._next is None or time >= self._next

    def feed(self, time: Fraction, thumbnail: npt.NDArray[np.uint8]) -> None:
        """Take the next picture.

        Args:
            time: Seconds.
            thumbnail: As `Frame.thumbnail` gives it.
        """
        if not self.wants(time):
            return
        self._next = time + _STEP_SECONDS
        self._pictures.append(time, thumbnail)
        self._is_odd = not self._is_odd
        if self._is_odd:
            # Every second step is near enough to the end of a transition.
            return
        ramps = (_ramp(self._pictures, first) for first in _windows(self._pictures))
        better = [ramp for ramp in ramps if ramp is not None and self._is_better(ramp.found)]
        best = next((ramp for ramp in sorted(better, key=lambda ramp: ramp.found.misfit) if ramp.shows_two()), None)
        if best is not None:
            self._keep(best.found)

    def finish(self) -> tuple[Transition, ...]:
        """The transitions of the video, in their order; it has ended, or what comes next does not follow."""
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

    def _is_better(self, found: _Found) -> bool:
        """Whether it does not overlap the one that is held, or fits better."""
        held = self._pending
        return held is None or _is_behind(found, held) or found.misfit < held.misfit

    def _keep(self, found: _Found) -> None:
        if self._pending is not None and _is_behind(found, self._pending):
            self._found.append(self._pending)
        self._pending = found


def _is_behind(found: _Found, held: _Found) -> bool:
    return found.transition.start_seconds >= held.transition.end_seconds


@dataclass(frozen=True, eq=False)
class _Ramp:
    """What may be a transition: the pictures at the ends and beside the first one, and a kind if both show the same."""

    found: _Found
    first: RecentPicture
    second: RecentPicture
    last: RecentPicture

    def shows_two(self) -> bool:
        """Whether it leads to another picture; takes longer to say than all the rest."""
        if self.found.transition.kind != "dissolve":
            return True
        unlike = unlikeness(self.first.brightness, self.last.brightness)
        if unlike < _LEAST_UNLIKENESS:
            return False
        # By noise, pictures are unlike that follow each other.
        return unlike - unlikeness(self.first.brightness, self.second.brightness) >= _LEAST_GROWTH


def _windows(pictures: RecentPictures) -> Iterator[int]:
    """Where the windows begin that end with the latest point and in whose middle both ends may be mixed."""
    seconds, colours = pictures.seconds, pictures.colours
    ages = np.round(seconds[-1] - seconds, 6)
    firsts = (len(ages) - np.searchsorted(ages[::-1], _WINDOWS_SECONDS, "right")).tolist()
    # A window reaches as far as its length says, whatever is missing within.
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
    # The picture in the middle is looked at first: mostly it says enough.
    half = colours[starts + (len(ages) - starts) // 2] - colours[starts]
    left = _squares(half) - np.einsum("ij,ij->i", half, whole) ** 2 / squares
    yield from starts[left <= _MOST_RESIDUAL**2 * squares].tolist()


def _ramp(pictures: RecentPictures, begin_at: int) -> _Ramp | None:
    """What may be a transition and fills the middle of a window, if there is one."""
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
    found = _Found(transition, misfit, float(blank.brightness.mean()))
    return _Ramp(found, first, pictures[begin_at + 1], last)


def _mixture(colours: npt.NDArray[np.float32]) -> tuple[Numbers, Numbers]:
    """The share of the last picture in each, by least squares, and what this leaves, against the whole difference."""
    changes = colours - colours[0]
    squares = _squares(changes)
    shares = np.einsum("ij,j->i", changes, changes[-1]) / squares[-1]
    left = squares / squares[-1] - shares**2
    return shares, np.sqrt(np.maximum(left, 0.0))


def _squares(rows: npt.NDArray[np.float32]) -> Numbers:
    """Sums of squares of rows. A library for matrices is slower with such small ones, and wakes other threads."""
    sums: Numbers = np.einsum("ij,ij->i", rows, rows).astype(np.float64)
    return sums


def _is_gradual(shares: Numbers, seconds: float) -> bool:
    inner = int(np.count_nonzero((shares > 0.08) & (shares < 0.92)))
    return inner >= 2 and seconds >= _SHORTEST_SECONDS and float(np.diff(shares).max()) <= _LARGEST_STEP


def _extent(times: Numbers, shares: Numbers) -> tuple[float, float]:
    """Where a ramp begins and ends that reaches a quarter and three quarters where the shares do."""
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
    """What a mixture of two pictures is, if these differ; None where both show nothing."""
    if first.is_blank and last.is_blank:
        return None
    if first.is_blank or last.is_blank:
        return "fade_in" if first.is_blank else "fade_out"
    return "dissolve"


def _joined(found: Sequence[_Found]) -> Iterator[Transition]:
    """A fade out and the fade in that follows it as one, and the parts of a dissolve."""
    held: _Found | None = None
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


def _kind_of_both(one: _Found, other: _Found) -> TransitionKind | None:
    """What two transitions are together, one after the other; None if they are two."""
    pause = other.transition.start_seconds - one.transition.end_seconds
    kinds = one.transition.kind, other.transition.kind
    if kinds == ("fade_out", "fade_in") and pause <= _PAUSE_SECONDS:
        return "fade_through_black" if one.level < 128 else "fade_through_white"
    return "dissolve" if kinds == ("dissolve", "dissolve") and pause <= _PART_SECONDS else None
