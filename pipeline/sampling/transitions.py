"""Gradual transitions: dissolves and fades, from a few small pictures a second."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline.sampling.likeness import unlikeness

__all__ = ["Transition", "TransitionKind", "TransitionSearch"]

TransitionKind = Literal["dissolve", "fade_in", "fade_out", "fade_through_black", "fade_through_white"]

# Pictures are looked at so far apart at least; nothing shorter than three such steps is seen as gradual.
_STEP_SECONDS = Fraction(7, 100)
# Lengths of the windows in which a transition is looked for.
_WINDOWS_SECONDS = (0.4, 0.6, 0.9, 1.3, 1.8, 2.6)
_LONGEST_SECONDS = Fraction(13, 5)
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
# Standard deviation of brightness of a picture that shows nothing.
_BLANK_DEVIATION = 5.0
_COARSE = 4


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


@dataclass(frozen=True, eq=False)
class _Point:
    """A picture that was looked at.

    Attributes:
        time: Seconds.
        brightness: uint8 (36, 64).
        colours: float32, means of blocks of the brightness and of both colours.
    """

    time: Fraction
    brightness: npt.NDArray[np.uint8]
    colours: npt.NDArray[np.float32]

    @property
    def is_blank(self) -> bool:
        return float(self.brightness.std()) < _BLANK_DEVIATION


@dataclass(frozen=True)
class _Found:
    transition: Transition
    misfit: float
    level: float


class TransitionSearch:
    """Is fed with pictures of a video and finds its gradual transitions; memory is bounded.

    In a dissolve each picture is a mixture of the one before it and of the one after it, and the share of the latter
    grows steadily. In a fade one of the two is uniform. Movement of the camera or of objects makes other pictures than
    a mixture, and where the light changes, both ends show the same.
    """

    def __init__(self) -> None:
        self._points: deque[_Point] = deque()
        self._pending: _Found | None = None
        self._found: list[_Found] = []
        self._is_odd = False

    def wants(self, time: Fraction) -> bool:
        """Whether a picture of that time would be looked at."""
        return not self._points or time - self._points[-1].time >= _STEP_SECONDS

    def feed(self, time: Fraction, glance: npt.NDArray[np.uint8]) -> None:
        """Take the next picture.

        Args:
            time: Seconds.
            glance: As `Frame.glance` gives it.
        """
        if not self.wants(time):
            return
        blocks = glance.reshape(3, 36 // _COARSE, _COARSE, 64 // _COARSE, _COARSE).mean((2, 4), dtype=np.float32)
        self._points.append(_Point(time, glance[0], blocks.ravel()))
        while time - self._points[0].time > _LONGEST_SECONDS:
            self._points.popleft()
        self._is_odd = not self._is_odd
        if self._is_odd:
            # Every second step is near enough to the end of a transition.
            return
        best = min(self._in_windows(), key=lambda found: found.misfit, default=None)
        if best is not None:
            self._consider(best)

    def finish(self) -> tuple[Transition, ...]:
        """The transitions of the video, in their order; it has ended, or what comes next does not follow."""
        self._points.clear()
        if self._pending is not None:
            self._found.append(self._pending)
            self._pending = None
        self._found.sort(key=lambda found: found.transition.start_seconds)
        return tuple(_joined(self._found))

    def break_off(self) -> None:
        """What is fed next does not follow what was fed last."""
        self._points.clear()

    def _consider(self, found: _Found) -> None:
        """Keep the better of two that overlap."""
        held = self._pending
        if held is None or found.transition.start_seconds >= held.transition.end_seconds:
            if held is not None:
                self._found.append(held)
            self._pending = found
        elif found.misfit < held.misfit:
            self._pending = found

    def _in_windows(self) -> Iterator[_Found]:
        points = list(self._points)
        ages = [float(points[-1].time - point.time) for point in points]
        for seconds in _WINDOWS_SECONDS:
            first = next((place for place, age in enumerate(ages) if age <= seconds), 0)
            # A window reaches as far as its length says, whatever is missing within.
            if first == 0 and ages[0] < 0.8 * seconds:
                return
            found = _ramp(points[first:])
            if found is not None:
                yield found


def _ramp(points: Sequence[_Point]) -> _Found | None:
    """The transition that fills the middle of a window, if there is one."""
    first, last = points[0], points[-1]
    whole = last.colours - first.colours
    difference = float(np.sqrt(np.mean(whole**2)))
    if len(points) < 4 or difference < _LEAST_DIFFERENCE:
        return None
    # The picture in the middle is looked at first: mostly it says enough.
    if _mixture([points[len(points) // 2]], first, whole)[1].max() > _MOST_RESIDUAL:
        return None
    shares, residuals = _mixture(points, first, whole)
    times = np.array([float(point.time - first.time) for point in points])
    begin, end = _extent(times, shares)
    deviation = float(np.abs(shares - np.clip((times - begin) / max(end - begin, 1e-6), 0, 1)).max())
    is_mixture = residuals.max() <= _MOST_RESIDUAL and residuals.mean() <= _MEAN_RESIDUAL
    is_within = begin >= -0.1 and end <= times[-1] + 0.1 and deviation <= _MOST_DEVIATION
    if not is_mixture or not is_within or not _is_gradual(shares, end - begin):
        return None
    kind = _kind(points)
    if kind is None:
        return None
    start, stop = (first.time + Fraction(round(1000 * max(0.0, at)), 1000) for at in (begin, end))
    blank = last if kind == "fade_out" else first
    transition = Transition(start, min(stop, last.time), kind)
    misfit = float(residuals.mean()) + deviation - (0.0 if kind == "dissolve" else _FADE_BONUS)
    return _Found(transition, misfit, float(blank.brightness.mean()))


def _mixture(
    points: Sequence[_Point], first: _Point, whole: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
    """The share of the last picture in each, by least squares, and what this leaves, against the whole difference."""
    changes = np.stack([point.colours for point in points]) - first.colours
    square = float(whole @ whole)
    shares = changes @ whole / square
    residuals = np.sqrt(np.sum((changes - shares[:, None] * whole) ** 2, axis=1) / square)
    return shares, residuals


def _is_gradual(shares: npt.NDArray[np.floating], seconds: float) -> bool:
    inner = int(np.count_nonzero((shares > 0.08) & (shares < 0.92)))
    return inner >= 2 and seconds >= _SHORTEST_SECONDS and float(np.diff(shares).max()) <= _LARGEST_STEP


def _extent(times: npt.NDArray[np.float64], shares: npt.NDArray[np.floating]) -> tuple[float, float]:
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


def _kind(points: Sequence[_Point]) -> TransitionKind | None:
    """What a mixture of two pictures is; None where both show the same, or nothing."""
    first, last = points[0], points[-1]
    if first.is_blank or last.is_blank:
        if first.is_blank and last.is_blank:
            return None
        return "fade_in" if first.is_blank else "fade_out"
    unlike = unlikeness(first.brightness, last.brightness)
    if unlike < _LEAST_UNLIKENESS:
        return None
    # By noise, pictures are unlike that follow each other.
    return "dissolve" if unlike - unlikeness(first.brightness, points[1].brightness) >= _LEAST_GROWTH else None


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
