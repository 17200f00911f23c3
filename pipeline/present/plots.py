"""Small plots as SVG: drawn by hand, since nothing but a browser may be needed to look at them.

Their colours are classes, which the page's style gives for light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.present.markup import Markup, joined, tag

__all__ = ["Caption", "Line", "Part", "bars", "columns", "lines", "stacked"]

_WIDTH = 960.0
_LEFT, _RIGHT, _TOP, _FOOT = 56.0, 12.0, 14.0, 28.0
_COLUMNS_HEIGHT, _LINES_HEIGHT, _ROW = 220.0, 180.0, 30.0


@dataclass(frozen=True)
class Caption:
    """What is told of a plot to those who don't see it: a name, unique on its page, a title and a description."""

    name: str
    title: str
    said: str


@dataclass(frozen=True)
class Line:
    """Values at equal distances, with the class of its colour."""

    name: str
    colour: str
    values: Sequence[float]


@dataclass(frozen=True)
class Part:
    """A part of a stacked bar, with the class of its colour."""

    name: str
    colour: str
    value: float
    tip: str


@dataclass(frozen=True)
class _Frame:
    """Where the values of a plot lie on the picture."""

    height: float
    x_end: float
    y_end: float

    def x(self, value: float) -> float:
        return _LEFT + value / (self.x_end or 1.0) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return self.height - _FOOT - min(1.0, value / self.y_end) * (self.height - _TOP - _FOOT)

    def axes(
        self,
        x_ticks: Sequence[float],
        y_ticks: Sequence[float],
        x_said: Callable[[float], str],
        y_said: Callable[[float], str],
    ) -> Markup:
        parts = []
        for value in y_ticks:
            y = self.y(value)
            parts.append(tag("line", class_="grid", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y))
            parts.append(tag("text", y_said(value), class_="tick", x=_LEFT - 8, y=y + 4, text_anchor="end"))
        for value in x_ticks:
            anchor = "start" if value == 0 else "middle"
            parts.append(
                tag("text", x_said(value), class_="tick", x=self.x(value), y=self.height - 8, text_anchor=anchor)
            )
        return joined(parts)


def columns(
    caption: Caption,
    *,
    values: Sequence[float],
    width: float,
    last_width: float,
    x_said: Callable[[float], str],
    y_said: Callable[[float], str],
    average: tuple[float, str],
) -> Markup:
    """A column a value, and a dashed line at their average.

    Args:
        caption: For those who don't see it.
        values: Not negative.
        width: Of a column, in units of the axis.
        last_width: Of the last one.
        x_said: How a place on the axis is written; the units are seconds.
        y_said: How a value is written.
        average: Where the line is, and what is written at it.
    """
    end = width * (len(values) - 1) + last_width
    y_ticks = _ticks(max([average[0], *values], default=0.0), 4)
    frame = _Frame(_COLUMNS_HEIGHT, end, y_ticks[-1])
    parts = [frame.axes(_time_ticks(end), y_ticks, x_said, y_said)]
    for number, value in enumerate(values):
        left, right = frame.x(number * width), frame.x(min(end, (number + 1) * width))
        gap = min(1.5, (right - left) / 5)
        tip = tag("title", f"{x_said(number * width)}: {y_said(value)}")
        y = frame.y(value)
        parts.append(
            tag(
                "rect",
                tip,
                class_="pace",
                x=left,
                y=y,
                width=max(0.5, right - left - gap),
                height=frame.y(0) - y,
                rx=1.5,
            )
        )
    y = frame.y(average[0])
    parts.append(tag("line", class_="average", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y))
    parts.append(tag("text", average[1], class_="said", x=_LEFT + 4, y=y - 6))
    return _picture(caption, frame.height, joined(parts))


def lines(
    caption: Caption,
    *,
    series: Sequence[Line],
    end: float,
    x_said: Callable[[float], str],
) -> Markup:
    """Shares from 0 to 1 as lines over time; arguments as those of `columns`."""
    frame = _Frame(_LINES_HEIGHT, end, 1.0)
    parts = [
        frame.axes(_time_ticks(end), [0, 0.25, 0.5, 0.75, 1], x_said, lambda share: f"{share:.0%}".replace("%", " %"))
    ]
    for line in series:
        step = end / max(1, len(line.values))
        points = [
            f"{frame.x((number + 0.5) * step):.1f},{frame.y(value):.1f}" for number, value in enumerate(line.values)
        ]
        if len(points) == 1:
            points = [f"{frame.x(x):.1f},{frame.y(line.values[0]):.1f}" for x in (0.0, end)]
        parts.append(tag("polyline", tag("title", line.name), class_=f"line {line.colour}", points=" ".join(points)))
    return _picture(caption, frame.height, joined(parts))


def stacked(caption: Caption, *, rows: Sequence[tuple[str, Sequence[Part]]]) -> Markup:
    """A bar a row, all of the same length, divided in proportion to its parts."""
    label, height = 110.0, len(rows) * (_ROW + 12) + 4
    parts = []
    for number, (row, row_parts) in enumerate(rows):
        y = 4 + number * (_ROW + 12)
        parts.append(tag("text", row, class_="row", x=label - 12, y=y + _ROW / 2 + 5, text_anchor="end"))
        parts.append(tag("rect", class_="idle", x=label, y=y, width=_WIDTH - label, height=_ROW, rx=4))
        whole, x = math.fsum(part.value for part in row_parts) or 1.0, label
        for part in row_parts:
            width = part.value / whole * (_WIDTH - label)
            parts.append(
                tag(
                    "rect",
                    tag("title", part.tip),
                    class_=part.colour,
                    x=x,
                    y=y,
                    width=width,
                    height=_ROW,
                    rx=min(4, width / 2),
                )
            )
            if width > 60:
                share = f"{part.value / whole:.0%}".replace("%", " %")
                parts.append(
                    tag(
                        "text",
                        share,
                        class_=f"on {part.colour}",
                        x=x + width / 2,
                        y=y + _ROW / 2 + 5,
                        text_anchor="middle",
                    )
                )
            x += width
    return _picture(caption, height, joined(parts))


def bars(caption: Caption, *, rows: Sequence[tuple[str, float, str]], colour: str) -> Markup:
    """A bar a row: its label above it, its length in proportion to the longest, and what is written behind it."""
    height = len(rows) * (_ROW + 16)
    most = max((value for _, value, _ in rows), default=0.0) or 1.0
    parts = []
    for number, (label, value, said) in enumerate(rows):
        y = number * (_ROW + 16)
        width = max(2.0, value / most * (_WIDTH - 150))
        parts.append(tag("text", _short(label, 110), class_="row", x=0, y=y + 13))
        parts.append(
            tag("rect", tag("title", f"{label}: {said}"), class_=colour, x=0, y=y + 20, width=width, height=12, rx=3)
        )
        parts.append(tag("text", said, class_="said", x=width + 8, y=y + 31))
    return _picture(caption, height, joined(parts))


def _picture(caption: Caption, height: float, content: Markup) -> Markup:
    title, said = f"{caption.name}-title", f"{caption.name}-said"
    titles = tag("title", caption.title, id=title), tag("desc", caption.said, id=said)
    return tag(
        "svg", *titles, content, viewBox=f"0 0 {_WIDTH:.0f} {height:.0f}", role="img", aria_labelledby=f"{title} {said}"
    )


def _short(text: str, most: int) -> str:
    """The text, its middle left out where it is longer."""
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-(most // 2) + 1 :]}"


def _ticks(most: float, count: int) -> list[float]:
    """Round numbers from 0 to at least `most`."""
    if most <= 0:
        return [0.0, 1.0]
    rough = most / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    return [step * number for number in range(math.ceil(most / step - 1e-9) + 1)]


_TIME_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 43_200, 86_400)


def _time_ticks(end: float) -> list[float]:
    """Round times from 0 to at most `end`, some eight of them."""
    step = next((step for step in _TIME_STEPS if end / step <= 9), 86_400 * math.ceil(end / 86_400 / 9))
    return [float(step * number) for number in range(int(end * 0.97 / step) + 1)]
