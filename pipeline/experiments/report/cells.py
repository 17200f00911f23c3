"""Formatting of the cells of an experiment's tables."""

from __future__ import annotations

from pipeline.render.markup import Markup, joined, tag

__all__ = ["badge", "between", "cost_said", "probability", "with_interval"]


def badge(number: int, *, is_on_front: bool = False) -> Markup:
    """Draw a variant's number, filled for variants on the Pareto front."""
    return tag("span", str(number), class_="number worth" if is_on_front else "number")


def with_interval(value: float, interval: tuple[float, float]) -> Markup:
    """Format a figure with its interval below."""
    return joined([tag("b", f"{value:.1f}"), tag("small", between(interval))])


def between(interval: tuple[float, float]) -> str:
    """Format an interval, as in "81.4 to 95.1"."""
    return f"{interval[0]:.1f} to {interval[1]:.1f}"


def cost_said(value: float | None) -> str:
    """Format a cost, large ones without decimals; a dash for None."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 or value == round(value) else f"{value:.1f}"


def probability(value: float) -> str:
    """Format a probability, as in "0.012"."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
