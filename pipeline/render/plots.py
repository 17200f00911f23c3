"""SVG plots of time and counts: columns, lines and bars."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.render.markup import Markup, joined, tag
from pipeline.render.plot_area import LEFT, RIGHT, WIDTH, Caption, PlotArea, percent, picture, shortened, ticks

__all__ = ["Line", "Part", "bars", "columns", "lines", "stacked"]

_COLUMNS_HEIGHT, _LINES_HEIGHT, _ROW = 220.0, 180.0, 30.0


@dataclass(frozen=True)
class Line:
    """Values at equal distances, with the CSS class of the line's colour."""

    name: str
    colour: str
    values: Sequence[float]


@dataclass(frozen=True)
class Part:
    """A part of a stacked bar, with the CSS class of its colour."""

    name: str
    colour: str
    value: float
    tip: str


def columns(
    caption: Caption,
    *,
    values: Sequence[float],
    width: float,
    last_width: float,
    format_x: Callable[[float], str],
    format_y: Callable[[float], str],
    average: tuple[float, str],
) -> Markup:
    """Draw one column per value, and a dashed line at the average.

    Args:
        caption: Accessible caption.
        values: The values, 0 or more.
        width: Width of a column, in seconds.
        last_width: Width of the last column, in seconds.
        format_x: Formats a position on the axis, in seconds.
        format_y: Formats a value.
        average: Value and label of the dashed line.
    """
    end = width * (len(values) - 1) + last_width
    y_ticks = ticks(max([average[0], *values], default=0.0), 4)
    frame = PlotArea(_COLUMNS_HEIGHT, end, y_ticks[-1])
    parts = [frame.axes(_time_ticks(end), y_ticks, format_x, format_y)]
    for number, value in enumerate(values):
        left, right = frame.x(number * width), frame.x(min(end, (number + 1) * width))
        gap = min(1.5, (right - left) / 5)
        tip = tag("title", f"{format_x(number * width)}: {format_y(value)}")
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
    parts.append(tag("line", class_="average", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y))
    parts.append(tag("text", average[1], class_="said", x=LEFT + 4, y=y - 6))
    return picture(caption, frame.height, joined(parts))


def lines(
    caption: Caption,
    *,
    series: Sequence[Line],
    end: float,
    format_x: Callable[[float], str],
) -> Markup:
    """Draw shares from 0 to 1 as lines over time. For the arguments, see `columns`."""
    frame = PlotArea(_LINES_HEIGHT, end, 1.0)
    parts = [frame.axes(_time_ticks(end), [0, 0.25, 0.5, 0.75, 1], format_x, percent)]
    for line in series:
        step = end / max(1, len(line.values))
        points = [
            f"{frame.x((number + 0.5) * step):.1f},{frame.y(value):.1f}" for number, value in enumerate(line.values)
        ]
        if len(points) == 1:
            points = [f"{frame.x(x):.1f},{frame.y(line.values[0]):.1f}" for x in (0.0, end)]
        parts.append(tag("polyline", tag("title", line.name), class_=f"line {line.colour}", points=" ".join(points)))
    return picture(caption, frame.height, joined(parts))


def stacked(caption: Caption, *, rows: Sequence[tuple[str, Sequence[Part]]]) -> Markup:
    """Draw stacked bars of equal length, divided in proportion to their parts."""
    label, height = 110.0, len(rows) * (_ROW + 12) + 4
    parts = []
    for number, (row, row_parts) in enumerate(rows):
        y = 4 + number * (_ROW + 12)
        parts.append(tag("text", row, class_="row", x=label - 12, y=y + _ROW / 2 + 5, text_anchor="end"))
        parts.append(tag("rect", class_="idle", x=label, y=y, width=WIDTH - label, height=_ROW, rx=4))
        whole, x = math.fsum(part.value for part in row_parts) or 1.0, label
        for part in row_parts:
            width = part.value / whole * (WIDTH - label)
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
                share = percent(part.value / whole)
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
    return picture(caption, height, joined(parts))


def bars(caption: Caption, *, rows: Sequence[tuple[str, float, str]], colour: str) -> Markup:
    """Draw one labelled bar per row, with a note at its end; lengths are relative to the longest."""
    height = len(rows) * (_ROW + 16)
    most = max((value for _, value, _ in rows), default=0.0) or 1.0
    parts = []
    for number, (label, value, note) in enumerate(rows):
        y = number * (_ROW + 16)
        width = max(2.0, value / most * (WIDTH - 150))
        parts.append(tag("text", shortened(label, 110), class_="row", x=0, y=y + 13))
        parts.append(
            tag("rect", tag("title", f"{label}: {note}"), class_=colour, x=0, y=y + 20, width=width, height=12, rx=3)
        )
        parts.append(tag("text", note, class_="said", x=width + 8, y=y + 31))
    return picture(caption, height, joined(parts))


_TIME_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 43_200, 86_400)


def _time_ticks(end: float) -> list[float]:
    """Return about eight round times from 0 to at most `end`."""
    step = next((step for step in _TIME_STEPS if end / step <= 9), 86_400 * math.ceil(end / 86_400 / 9))
    return [float(step * number) for number in range(int(end * 0.97 / step) + 1)]
