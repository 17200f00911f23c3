"""SVG plot of a reliability diagram."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.render.markup import Markup, joined, tag
from pipeline.render.plot_area import Caption, PlotArea, percent, picture

__all__ = ["ReliabilityPoint", "reliability_plot"]

_HEIGHT, _MOST_RADIUS, _LEAST_RADIUS = 320.0, 16.0, 3.0


@dataclass(frozen=True)
class ReliabilityPoint:
    """A bin of confidences: their mean and the share of true predictions, both 0 to 1, and their count."""

    confidence: float
    share_true: float
    count: int


def reliability_plot(caption: Caption, points: Sequence[ReliabilityPoint]) -> Markup:
    """Draw one circle per bin, its radius by the logarithm of its count; calibrated bins lie on the dashed diagonal."""
    frame = PlotArea(_HEIGHT, 1.0, 1.0)
    grid = [0, 0.25, 0.5, 0.75, 1]
    diagonal = tag("line", class_="average", x1=frame.x(0), x2=frame.x(1), y1=frame.y(0), y2=frame.y(1))
    most = math.log1p(max((point.count for point in points), default=1))
    parts = [frame.axes(grid, grid, percent, percent), diagonal]
    for point in points:
        tip = f"{point.count:,} at {point.confidence:.3f}: {point.share_true:.3f} true"
        radius = _LEAST_RADIUS + (_MOST_RADIUS - _LEAST_RADIUS) * math.log1p(point.count) / most
        place = {"cx": frame.x(point.confidence), "cy": frame.y(point.share_true), "r": radius}
        parts.append(tag("circle", tag("title", tip), class_="score", **place))
    return picture(caption, _HEIGHT, joined(parts))
