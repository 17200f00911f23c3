"""SVG plots of scores: bars with intervals, shares by threshold, and a video's time line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.render.markup import Markup, joined, tag
from pipeline.render.plot_area import RIGHT, TOP, WIDTH, Caption, PlotArea, percent, picture, shortened

__all__ = ["Bar", "ShareSeries", "TimelineSpan", "interval_mark", "score_bars", "shares", "time_line"]

_SHARES_HEIGHT, _ROW, _LABEL = 280.0, 26.0, 210.0
_MOST_POINTS = 300


@dataclass(frozen=True)
class ShareSeries:
    """A series of shares by threshold, with its CSS class. A value applies from the previous threshold on."""

    name: str
    colour: str
    values: Sequence[float]


@dataclass(frozen=True)
class Bar:
    """A bar: a figure in per cent, with its interval and a note."""

    label: str
    value: float
    interval: tuple[float, float]
    note: str


@dataclass(frozen=True)
class TimelineSpan:
    """An interval on a video's time line, with its CSS class and tooltip."""

    start_seconds: float
    end_seconds: float
    colour: str
    tip: str


def shares(
    caption: Caption,
    *,
    thresholds: Sequence[float],
    series: Sequence[ShareSeries],
    marked: tuple[float, str] | None,
) -> Markup:
    """Draw shares from 0 to 1 by threshold as steps, and a dashed line at the threshold `marked`.

    Args:
        caption: Accessible caption.
        thresholds: Thresholds, increasing.
        series: Series with one value per threshold.
        marked: Threshold and label of the dashed line.
    """
    room = (thresholds[-1] - thresholds[0]) * 0.04 or 0.01
    low, high = thresholds[0] - room, thresholds[-1] + room
    frame = PlotArea(_SHARES_HEIGHT, high, 1.0, low)
    parts = [
        frame.axes(_round_between(low, high, 8), [0, 0.25, 0.5, 0.75, 1], lambda value: f"{value:.4g}", percent),
    ]
    parts.append(tag("text", "score", class_="tick", x=WIDTH - RIGHT, y=_SHARES_HEIGHT - 8, text_anchor="end"))
    if marked is not None:
        x = frame.x(marked[0])
        is_left = x > WIDTH * 0.6
        parts.append(tag("line", class_="average", x1=x, x2=x, y1=TOP, y2=frame.y(0)))
        place = {"x": x - 8 if is_left else x + 8, "text_anchor": "end" if is_left else "start"}
        parts.append(tag("text", marked[1], class_="said", y=frame.y(0.5), **place))
    kept = range(0, len(thresholds), max(1, -(-len(thresholds) // _MOST_POINTS)))
    for share in series:
        points = [(frame.x(low), frame.y(share.values[0]))]
        for number in kept:
            y = frame.y(share.values[number])
            points += [(points[-1][0], y), (frame.x(thresholds[number]), y)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(tag("polyline", tag("title", share.name), class_=f"line {share.colour}", points=path))
    return picture(caption, frame.height, joined(parts))


def score_bars(caption: Caption, rows: Sequence[Bar]) -> Markup:
    """Draw one bar from 0 to 100 per row, with its interval as a whisker and its note at the end."""
    span = WIDTH - _LABEL - 150
    parts = []
    for number, row in enumerate(rows):
        y = number * _ROW
        left, right = (_LABEL + min(100.0, max(0.0, edge)) / 100 * span for edge in row.interval)
        parts.append(tag("text", shortened(row.label, 32), class_="row", x=_LABEL - 12, y=y + 17, text_anchor="end"))
        parts.append(tag("rect", class_="idle", x=_LABEL, y=y + 6, width=span, height=14, rx=4))
        tip = tag("title", f"{row.label}: {row.note}")
        length = max(2.0, row.value / 100 * span)
        parts.append(tag("rect", tip, class_="score", x=_LABEL, y=y + 6, width=length, height=14, rx=4))
        parts.append(tag("line", class_="whisker", x1=left, x2=right, y1=y + 13, y2=y + 13))
        parts += [tag("line", class_="whisker", x1=edge, x2=edge, y1=y + 9, y2=y + 17) for edge in (left, right)]
        parts.append(tag("text", row.note, class_="said", x=_LABEL + span + 12, y=y + 17))
    return picture(caption, len(rows) * _ROW, joined(parts))


def interval_mark(value: float, interval: tuple[float, float]) -> Markup:
    """Draw a mark for a table cell: a figure from 0 to 100 on a line, with its interval as a band."""
    left, right = (2 + min(100.0, max(0.0, edge)) / 100 * 156 for edge in interval)
    at = 2 + min(100.0, max(0.0, value)) / 100 * 156
    parts = [
        tag("rect", class_="idle", x=2, y=6, width=156, height=4, rx=2),
        tag("rect", class_="band", x=left, y=4, width=max(2.0, right - left), height=8, rx=4),
        tag("circle", class_="score", cx=at, cy=8, r=4.5),
    ]
    return tag("svg", *parts, viewBox="0 0 160 16", class_="mark", aria_hidden="true")


def time_line(caption: Caption, rows: Sequence[tuple[str, Sequence[TimelineSpan]]], end_seconds: float) -> Markup:
    """Draw a video's time line, with one row for each list of intervals."""
    left, height = 70.0, 22.0
    span = WIDTH - left
    parts = []
    for number, (label, stretches) in enumerate(rows):
        y = number * (height + 4)
        parts.append(tag("text", label, class_="tick", x=0, y=y + 15))
        parts.append(tag("rect", class_="idle", x=left, y=y + 3, width=span, height=height - 6, rx=4))
        for stretch in stretches:
            start, end = (min(1.0, max(0.0, t / end_seconds)) for t in (stretch.start_seconds, stretch.end_seconds))
            width = max(3.0, (end - start) * span)
            x = min(left + start * span, WIDTH - width)
            tip = tag("title", stretch.tip)
            parts.append(tag("rect", tip, class_=stretch.colour, x=x, y=y + 3, width=width, height=height - 6, rx=4))
    return picture(caption, len(rows) * (height + 4), joined(parts))


def _round_between(low: float, high: float, count: int) -> list[float]:
    """Return round numbers from `low` to `high`."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.ceil(low / step + 0.3), math.floor(high / step)
    return [step * number for number in range(first, last + 1)]
