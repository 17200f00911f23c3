"""Plot area of SVG plots: scales, axes, ticks and captions.

Colours are CSS classes, which the page's style defines for light and dark mode.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.render.markup import Markup, joined, tag

__all__ = ["LEFT", "RIGHT", "TOP", "WIDTH", "Caption", "PlotArea", "percent", "picture", "shortened", "ticks"]

WIDTH = 960.0
LEFT, RIGHT, TOP = 56.0, 12.0, 14.0
_FOOT = 28.0


@dataclass(frozen=True)
class Caption:
    """Accessible caption of a plot: a name that is unique on its page, a title and a description."""

    name: str
    title: str
    description: str


@dataclass(frozen=True)
class PlotArea:
    """Scales of a plot, from values to pixels; x from `x_start` to `x_end`, y from 0 to `y_end`."""

    height: float
    x_end: float
    y_end: float
    x_start: float = 0.0

    def x(self, value: float) -> float:
        """Pixels from the picture's left edge."""
        return LEFT + (value - self.x_start) / (self.x_end - self.x_start or 1.0) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Pixels from the picture's top edge."""
        return self.height - _FOOT - min(1.0, value / self.y_end) * (self.height - TOP - _FOOT)

    def axes(
        self,
        x_ticks: Sequence[float],
        y_ticks: Sequence[float],
        format_x: Callable[[float], str],
        format_y: Callable[[float], str],
    ) -> Markup:
        """Draw grid lines and the tick labels of both axes."""
        parts = []
        for value in y_ticks:
            y = self.y(value)
            parts.append(tag("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y))
            parts.append(tag("text", format_y(value), class_="tick", x=LEFT - 8, y=y + 4, text_anchor="end"))
        for value in x_ticks:
            anchor = "start" if value == self.x_start else "middle"
            parts.append(
                tag("text", format_x(value), class_="tick", x=self.x(value), y=self.height - 8, text_anchor=anchor)
            )
        return joined(parts)


def picture(caption: Caption, height: float, content: Markup, *, width: float = WIDTH) -> Markup:
    """Make the SVG element of a plot, with its accessible caption."""
    title, description = f"{caption.name}-title", f"{caption.name}-said"
    titles = tag("title", caption.title, id=title), tag("desc", caption.description, id=description)
    return tag(
        "svg",
        *titles,
        content,
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        role="img",
        aria_labelledby=f"{title} {description}",
    )


def shortened(text: str, most: int) -> str:
    """Shorten a text in its middle to `most` characters."""
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-(most // 2) + 1 :]}"


def ticks(most: float, count: int) -> list[float]:
    """Return round numbers from 0 to at least `most`."""
    if most <= 0:
        return [0.0, 1.0]
    rough = most / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    return [step * number for number in range(math.ceil(most / step - 1e-9) + 1)]


def percent(share: float) -> str:
    """Format a share as "12 %"."""
    return f"{share:.0%}".replace("%", " %")
