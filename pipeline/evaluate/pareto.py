"""What is worth its cost."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["pareto_front"]


def pareto_front(points: Mapping[str, tuple[float, float]]) -> frozenset[str]:
    """Names of the points that no other beats: none is at least as good and as cheap, and better in one of the two.

    Args:
        points: By name quality, of which more is better, and cost, of which less is.
    """
    return frozenset(
        name
        for name, (quality, cost) in points.items()
        if not any(other[0] >= quality and other[1] <= cost and other != (quality, cost) for other in points.values())
    )
