"""A picture and a few lines for each result.

    python -m benchmarks.plots [FOLDER]

Reads NAME.json of the folder (benchmarks/results by default) for each benchmark that is there, writes NAME.png beside
it, and prints the figures that it shows.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.charts import CHARTS, Chart, Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["charts_in", "draw", "lines_of"]

OURS, PEER, MARK = "#2f6f9f", "#a9b4bd", "#d98c3f"
INK, FAINT = "#22303a", "#6b7780"
KINDS = (OURS, MARK, "#4d9a6a", "#8a5fb0", "#c2566b", "#7a7a3a", "#3f9fa8", "#5b6b77")
_WIDTH_INCHES, _DOTS_PER_INCH = 9.0, 150
_BAR_INCHES, _CURVE_INCHES, _TRADES_INCHES, _TITLE_INCHES = 0.3, 1.2, 2.4, 0.9


def draw(chart: Chart, path: Path) -> None:
    """Write a chart as PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    heights = [_TITLE_INCHES + _inches(panel) for panel in chart.panels]
    style: dict[Any, Any] = {"font.family": "DejaVu Sans", "font.size": 10, "text.color": INK, "ytick.labelcolor": INK}
    with mpl.rc_context(style):
        figure, axes = plt.subplots(
            len(chart.panels),
            1,
            figsize=(_WIDTH_INCHES, sum(heights) + 0.6),
            squeeze=False,
            gridspec_kw={"height_ratios": heights},
            layout=ConstrainedLayoutEngine(h_pad=0.12, w_pad=0.15),
        )
        figure.suptitle(chart.title, x=0.02, ha="left", fontsize=15, fontweight="bold")
        if any(bar.goal is not None for panel in chart.panels for bar in panel.bars):
            figure.text(0.98, 0.97, "| goal", color=MARK, ha="right", va="top", fontsize=10, fontweight="bold")
        most = max(map(longest, chart.panels), default=1.0)
        kinds = list(dict.fromkeys(kind for panel in chart.panels for kind in panel.trades))
        for panel, row in zip(chart.panels, axes, strict=True):
            if panel.trades:
                _draw_trades(row[0], panel, dict(zip(kinds, KINDS, strict=False)))
            elif panel.curve:
                _draw_curve(row[0], panel)
            else:
                _draw_panel(row[0], panel, most if chart.has_one_scale else longest(panel))
        figure.savefig(path, dpi=_DOTS_PER_INCH, facecolor="white")
        plt.close(figure)


def _inches(panel: Panel) -> float:
    if panel.trades:
        return _TRADES_INCHES
    return _CURVE_INCHES if panel.curve else _BAR_INCHES * len(panel.bars)


def longest(panel: Panel) -> float:
    """The greatest value or goal."""
    return max([*(bar.value for bar in panel.bars), *(bar.goal or 0.0 for bar in panel.bars)], default=1.0)


def _draw_panel(axes: Axes, panel: Panel, most: float) -> None:
    rows = range(len(panel.bars))
    colours = [OURS if bar.is_ours else PEER for bar in panel.bars]
    axes.barh(rows, [bar.value for bar in panel.bars], height=0.68, color=colours, zorder=2)
    for row, bar in zip(rows, panel.bars, strict=True):
        axes.text(most * 1.15, row, panel.form.format(bar.value), ha="right", va="center")
    for row, bar in enumerate(panel.bars):
        if bar.goal is not None:
            axes.plot(
                [bar.goal] * 2, [row - 0.46, row + 0.46], color=MARK, linewidth=2.2, solid_capstyle="butt", zorder=3
            )
    axes.set_yticks(list(rows), [bar.label for bar in panel.bars])
    axes.set_ylim(len(panel.bars) - 0.4, -0.6)
    axes.set_xlim(0, most * 1.15)
    axes.tick_params(length=0)
    axes.set_xticks([])
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
    axes.spines["left"].set_color(FAINT)
    _write_titles(axes, panel)


def _draw_curve(axes: Axes, panel: Panel) -> None:
    across, values = zip(*panel.curve, strict=True)
    axes.plot(across, values, color=OURS, linewidth=1.8)
    axes.set_xlim(0, across[-1])
    axes.set_ylim(0, max(max(values) * 1.25, 1e-9))
    axes.text(across[-1], values[-1], f" {panel.form.format(values[-1])}", va="center")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    _dress_axes(axes)
    _write_titles(axes, panel)


def _draw_trades(axes: Axes, panel: Panel, colours: Mapping[str, str]) -> None:
    """A line a kind; a large dot is the default."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    for kind, points in panel.trades.items():
        colour = colours[kind]
        line = [point.cost for point in points], [point.value for point in points]
        axes.plot(*line, color=colour, linewidth=1.6, marker="o", markersize=4, label=kind)
        chosen = [point for point in points if point.is_default]
        axes.scatter([point.cost for point in chosen], [point.value for point in chosen], s=70, color=colour, zorder=3)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter("{x:g} ms")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(panel.form.replace("{", "{x"))
    axes.tick_params(which="minor", length=0)
    axes.grid(color="#e6eaed")
    axes.set_axisbelow(True)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9)
    _dress_axes(axes)
    _write_titles(axes, panel)


def _dress_axes(axes: Axes) -> None:
    axes.tick_params(length=0, colors=FAINT, labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)


def _write_titles(axes: Axes, panel: Panel) -> None:
    axes.set_title(panel.title, loc="left", fontsize=11, fontweight="bold", pad=8)
    axes.set_title(panel.good, loc="right", fontsize=9, color=FAINT, pad=8)


def lines_of(chart: Chart) -> list[str]:
    """The figures of a chart as text."""
    lines = [chart.title]
    for panel in chart.panels:
        lines.append(f"  {panel.title} ({panel.good})")
        for bar in panel.bars:
            goal = "" if bar.goal is None else f"   goal {panel.form.format(bar.goal)}"
            lines.append(f"    {bar.label:<44} {panel.form.format(bar.value):>12}{goal}")
        for kind, points in panel.trades.items():
            for point in points:
                label = f"{kind} {point.label}".rstrip() + (" (default)" if point.is_default and point.label else "")
                lines.append(f"    {label:<44} {panel.form.format(point.value):>12} at {point.cost:.1f} ms")
        for across, value in (panel.curve[0], panel.curve[-1]) if panel.curve else ():
            lines.append(f"    {f'at {across:,.0f}':<44} {panel.form.format(value):>12}")
    return lines


def charts_in(folder: Path) -> Sequence[tuple[Path, Chart]]:
    """The charts of all results in a folder, and where their pictures go."""
    made = []
    for name, chart_of in CHARTS.items():
        path = folder / f"{name}.json"
        if path.exists():
            made.append((path.with_suffix(".png"), chart_of(json.loads(path.read_text(encoding="utf-8")))))
    return made


def main() -> None:
    """Draw all results of a folder and print their figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("benchmarks/results"))
    arguments = parser.parse_args()
    for path, chart in charts_in(arguments.folder):
        draw(chart, path)
        print("\n".join(lines_of(chart)))


if __name__ == "__main__":
    main()
