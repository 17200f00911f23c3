"""Drawing of score curves over time, with the moment's limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.render.canvas import GROUND, QUIET, STEPS, TEXT, Canvas, blended, text_width
from pipeline.search.localization import Curve
from pipeline.timecode import format_seconds
from pipeline.types import Moment

__all__ = ["CURVE_HEIGHT", "draw_curves"]

CURVE_HEIGHT = 84
_PLOT = 60
_PADDING = 6
_LEAST_AROUND = 6.0
"""Minimum seconds shown before and after a moment; longer moments show as much as their own length."""
_DASH, _PAUSE = 5, 4


@dataclass(frozen=True)
class _Axes:
    """The coordinates of times and scores on a canvas."""

    left: float
    right: float
    top: float
    bottom: float
    start_seconds: float
    end_seconds: float

    def x(self, seconds: float) -> float:
        share = (seconds - self.start_seconds) / (self.end_seconds - self.start_seconds)
        return self.left + min(1.0, max(0.0, share)) * (self.right - self.left)

    def y(self, score: float) -> float:
        return self.bottom - score * (self.bottom - self.top)


def draw_curves(
    canvas: Canvas, left: float, top: float, right: float, *, moment: Moment, curves: Sequence[Curve], min_score: float
) -> None:
    """Draw a plot, `CURVE_HEIGHT` points high, of the scores from 0 to 1 around a moment, which is shaded.

    Args:
        canvas: The canvas to draw on.
        left: Left edge of the plot, in points.
        top: Top edge of the plot, in points.
        right: Right edge of the plot, in points.
        moment: The moment; each of its steps is shaded in its own colour.
        curves: Log-odds over time of the moment's video, one curve per step.
        min_score: Minimum score, drawn as a dashed line; None for none.
    """
    steps = moment.steps or (moment,)
    around = max(_LEAST_AROUND, moment.end_seconds - moment.start_seconds)
    end = max(moment.end_seconds, *(curve.end_seconds for curve in curves))
    axes = _Axes(
        left,
        right,
        top + _PADDING,
        top + _PLOT - _PADDING,
        max(0.0, moment.start_seconds - around),
        min(end, moment.end_seconds + around),
    )
    canvas.box(left, top, right, top + _PLOT, GROUND, radius=6)
    for number, step in enumerate(steps):
        shade = blended(STEPS[number % len(STEPS)], GROUND, 0.2)
        canvas.box(axes.x(step.start_seconds), top, axes.x(step.end_seconds), top + _PLOT, shade)
    for number, (curve, step) in enumerate(zip(curves, steps, strict=True)):
        _draw_curve(canvas, axes, curve, step, STEPS[number % len(STEPS)])
    if min_score > 0:
        _draw_level(canvas, axes, min_score)
    for curve, step in zip(curves, steps, strict=True):
        best = step.best_seconds
        _draw_best(canvas, axes.x(best), axes.y(float(_scores(curve, np.asarray([best]))[0])))
    _draw_times(canvas, axes, top + _PLOT + 13)


def _scores(curve: Curve, times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Compute scores at times, interpolated linearly: between frames, log-odds are not known."""
    odds = np.clip(curve.scores, -50, 50)
    return np.asarray(np.interp(times, curve.times_seconds, 1 / (1 + np.exp(-odds))))


def _points(axes: _Axes, curve: Curve, start: float, end: float) -> list[tuple[float, float]]:
    first, after = curve.rows(start, end)
    times = np.unique(np.concatenate([[start], curve.times_seconds[first:after], [end]]))
    return [(axes.x(t), axes.y(s)) for t, s in zip(times.tolist(), _scores(curve, times).tolist(), strict=True)]


def _draw_curve(canvas: Canvas, axes: _Axes, curve: Curve, step: Moment, colour: str) -> None:
    inside = _points(axes, curve, step.start_seconds, step.end_seconds)
    canvas.area([(inside[0][0], axes.bottom), *inside, (inside[-1][0], axes.bottom)], blended(colour, GROUND, 0.45))
    canvas.line(
        _points(axes, curve, axes.start_seconds, axes.end_seconds), blended(colour, GROUND, 0.55), thickness=1.5
    )
    canvas.line(inside, colour, thickness=2)


def _draw_level(canvas: Canvas, axes: _Axes, min_score: float) -> None:
    y, text = axes.y(min_score), f"{min_score:.2g}"
    until = axes.right - text_width(text, 11) - 10
    x = axes.left + 4
    while x < until:
        canvas.line([(x, y), (min(x + _DASH, until), y)], QUIET, thickness=1)
        x += _DASH + _PAUSE
    canvas.text(axes.right - 4, y, text, points=11, colour=QUIET, anchor="rm")


def _draw_best(canvas: Canvas, x: float, y: float) -> None:
    canvas.dot(x, y, 4, GROUND)
    canvas.dot(x, y, 2.75, TEXT)


def _draw_times(canvas: Canvas, axes: _Axes, middle: float) -> None:
    canvas.text(axes.left, middle, format_seconds(axes.start_seconds), points=12, colour=QUIET)
    canvas.text(axes.right, middle, format_seconds(axes.end_seconds), points=12, colour=QUIET, anchor="rm")
