"""SVG plots of an experiment: quality against cost, differences in table cells, and results per question."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.render.markup import Markup, joined, tag
from pipeline.render.plot_area import WIDTH, Caption, picture

__all__ = ["Point", "difference_mark", "question_columns", "scatter"]

_SIZE = 470.0, 330.0
_LEFT, _RIGHT, _TOP, _FOOT = 40.0, 16.0, 16.0, 50.0
_COLUMNS_HEIGHT = 190.0


@dataclass(frozen=True)
class Point:
    """A variant in the plot of quality against cost.

    Attributes:
        number: Number drawn on the point.
        name: Name in the tooltip.
        cost: Cost, above 0.
        quality: Quality, per cent.
        interval: Interval of the quality.
        is_on_front: Whether it is on the Pareto front.
    """

    number: int
    name: str
    cost: float
    quality: float
    interval: tuple[float, float]
    is_on_front: bool


def scatter(caption: Caption, points: Sequence[Point], *, x_label: str, y_label: str) -> Markup:
    """Draw quality over cost on a logarithmic axis, with intervals and the Pareto front as steps.

    A point above and left of a step would dominate the point at which the step starts.
    """
    plane = _Plane.of(points)
    parts = [plane.axes(x_label, y_label)]
    front = sorted((point for point in points if point.is_on_front), key=lambda point: point.cost)
    corners = [(plane.x(point.cost), plane.y(point.quality)) for point in front]
    path = [corners[0], *((x, y) for (_, before), (x, now) in itertools.pairwise(corners) for y in (before, now))]
    path.append((_SIZE[0] - _RIGHT, corners[-1][1]))
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in path)
    parts.append(tag("polyline", tag("title", "worth their cost"), class_="line front", points=line))
    for point in points:
        x, colour = plane.x(point.cost), "worth" if point.is_on_front else "beaten"
        low, high = (plane.y(edge) for edge in point.interval)
        parts.append(tag("line", class_=f"spread {colour}", x1=x, x2=x, y1=low, y2=high))
    above = sorted(points, key=lambda each: each.is_on_front)
    parts += [_numbered(point, plane.x(point.cost), plane.y(point.quality)) for point in above]
    return picture(caption, _SIZE[1], joined(parts), width=_SIZE[0])


def _numbered(point: Point, x: float, y: float) -> Markup:
    low, high = point.interval
    tip = f"{point.number} {point.name}: {point.quality:.1f} ({low:.1f} to {high:.1f}), at {_cost(point.cost)}"
    return tag(
        "g",
        tag("title", tip),
        tag("circle", class_="worth" if point.is_on_front else "beaten", cx=x, cy=y, r=9.5),
        tag("text", str(point.number), class_="number", x=x, y=y + 4, text_anchor="middle"),
        class_="point",
    )


@dataclass(frozen=True)
class _Plane:
    """The coordinates of costs and qualities."""

    costs: tuple[float, float]
    qualities: tuple[float, float]

    @classmethod
    def of(cls, points: Sequence[Point]) -> _Plane:
        costs = [math.log10(point.cost) for point in points]
        room = max(0.06, (max(costs) - min(costs)) * 0.08)
        # The axis spans at least ten per cent, even if all qualities are equal.
        low = min(90, max(0, 10 * math.floor(min(point.interval[0] for point in points) / 10)))
        high = min(100, 10 * math.ceil(max(point.interval[1] for point in points) / 10))
        return cls((min(costs) - room, max(costs) + room), (low, max(high, low + 10)))

    def x(self, cost: float) -> float:
        low, high = self.costs
        return _LEFT + (math.log10(cost) - low) / (high - low) * (_SIZE[0] - _LEFT - _RIGHT)

    def y(self, quality: float) -> float:
        low, high = self.qualities
        share = (min(high, max(low, quality)) - low) / (high - low)
        return _SIZE[1] - _FOOT - share * (_SIZE[1] - _TOP - _FOOT)

    def axes(self, x_label: str, y_label: str) -> Markup:
        parts = []
        low, high = self.qualities
        step = 10 if high - low <= 60 else 20
        for value in range(int(low), int(high) + 1, step):
            y = self.y(value)
            parts.append(tag("line", class_="grid", x1=_LEFT, x2=_SIZE[0] - _RIGHT, y1=y, y2=y))
            parts.append(tag("text", str(value), class_="tick", x=_LEFT - 8, y=y + 4, text_anchor="end"))
        for cost in _round_costs(*(10**edge for edge in self.costs)):
            x = self.x(cost)
            parts.append(tag("line", class_="grid", x1=x, x2=x, y1=_TOP, y2=_SIZE[1] - _FOOT))
            parts.append(tag("text", _cost(cost), class_="tick", x=x, y=_SIZE[1] - _FOOT + 18, text_anchor="middle"))
        parts.append(tag("text", x_label, class_="said", x=_SIZE[0] - _RIGHT, y=_SIZE[1] - 10, text_anchor="end"))
        parts.append(tag("text", y_label, class_="said", x=0, y=_SIZE[1] - 10))
        return joined(parts)


def difference_mark(difference: float, interval: tuple[float, float], reach: float) -> Markup:
    """Draw a difference and its interval as a mark in a table's cell, on a line from -reach to reach."""

    def at(value: float) -> float:
        return 90 + min(1.0, max(-1.0, value / (reach or 1.0))) * 86

    low, high = interval
    colour = "gain" if low > 0 else "loss" if high < 0 else "even"
    parts = [
        tag("rect", class_="idle", x=4, y=6, width=172, height=4, rx=2),
        tag("rect", class_=f"band {colour}", x=at(low), y=4, width=max(2.0, at(high) - at(low)), height=8, rx=4),
        tag("line", class_="zero", x1=90, x2=90, y1=0, y2=16),
        tag("circle", class_=colour, cx=at(difference), cy=8, r=4.5),
    ]
    return tag("svg", *parts, viewBox="0 0 180 16", class_="mark", aria_hidden="true")


def question_columns(caption: Caption, rises: Sequence[tuple[str, float]]) -> Markup:
    """Draw one column per question, upwards for a risen score; `rises` has each text and change, -1 to 1."""
    middle, half = _COLUMNS_HEIGHT / 2, _COLUMNS_HEIGHT / 2 - 8
    left = _LEFT
    step = (WIDTH - left) / max(1, len(rises))
    parts = []
    for value in (-1.0, 0.0, 1.0):
        y = middle - value * half
        parts.append(tag("line", class_="grid", x1=left, x2=WIDTH, y1=y, y2=y))
        parts.append(
            tag("text", f"{100 * value:+.0f}" if value else "0", class_="tick", x=left - 8, y=y + 4, text_anchor="end")
        )
    for number, (text, rise) in enumerate(rises):
        if rise == 0:
            continue
        height = max(1.5, abs(rise) * half)
        parts.append(
            tag(
                "rect",
                tag("title", f"{text}: {100 * rise:+.1f}"),
                class_="gain" if rise > 0 else "loss",
                x=left + number * step,
                y=middle - height if rise > 0 else middle,
                width=max(1.0, step - 1.5),
                height=height,
                rx=1,
            )
        )
    return picture(caption, _COLUMNS_HEIGHT, joined(parts))


def _round_costs(low: float, high: float) -> list[float]:
    """Return at most six round numbers between two costs."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 1.5, 2, 3, 5, 7), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        found = [factor * 10.0**power for power in powers for factor in factors]
        found = [cost for cost in found if low <= cost <= high]
        if len(found) <= 6:
            return found
    return found[:: math.ceil(len(found) / 6)]


def _cost(cost: float) -> str:
    return f"{cost:,.0f}" if cost >= 10 else f"{cost:.3g}"
