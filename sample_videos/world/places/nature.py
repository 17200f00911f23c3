"""Trees and other growth, from a few shapes that are made once."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from functools import cache
from typing import Any

import skia

from ..light import RGB, mixed, times
from .brush import Brush, ellipses, polygon


@cache
def _crown(kind: int) -> tuple[Any, Any, Any]:
    """Paths (whole, lit, brightest) of a leafy crown around the origin, of about 1 wide and high."""
    rng = random.Random(kind)
    boughs = [(0.0, 0.0, 0.3)]
    for index in range(7):
        angle = index * 0.9 + rng.uniform(-0.25, 0.25)
        boughs.append((0.27 * math.cos(angle), 0.25 * math.sin(angle) - 0.02, rng.uniform(0.13, 0.2)))
    leaves = []
    for x, y, radius in boughs:
        for _ in range(9):
            angle = rng.uniform(0, 6.3)
            leaves.append(
                (x + radius * 0.86 * math.cos(angle), y + radius * 0.86 * math.sin(angle), rng.uniform(0.03, 0.065))
            )
    whole = ellipses([(x, y, r, r) for x, y, r in boughs + leaves])
    lit = ellipses([(x - r * 0.22, y - r * 0.26, r * 0.74, r * 0.68) for x, y, r in boughs if x * 0.5 + y < 0.2])
    lit.addPath(ellipses([(x, y, r * 0.8, r * 0.8) for x, y, r in leaves if x * 0.6 + y < 0.05]))
    tips = [(x, y, r) for x, y, r in leaves if x * 0.6 + y < -0.04]
    best = ellipses([(x - 0.02, y - 0.02, r * 0.75, r * 0.7) for x, y, r in tips])
    return whole, lit, best


LEAVES: tuple[RGB, ...] = ((84, 116, 66), (104, 128, 70), (70, 108, 78), (128, 130, 66), (150, 116, 60))


def paint_tree(brush: Brush, x: float, base: float, height: float, leaf: RGB) -> None:
    """A leafy tree, its trunk on (x, base)."""
    canvas, rng = brush.canvas, brush.rng
    whole, lit, best = _crown(rng.randrange(8))
    top = base - height
    wide = height * rng.uniform(0.5, 0.68)
    trunk = height * 0.028
    brush.polygon(
        [
            (x - trunk, base),
            (x - trunk * 0.5, top + height * 0.4),
            (x + trunk * 0.5, top + height * 0.4),
            (x + trunk, base),
        ],
        (92, 74, 60),
        (64, 52, 46),
        across=True,
    )
    canvas.save()
    canvas.translate(x, top + height * 0.34)
    canvas.scale(wide * (1 if brush.mood.sun[0] < x else -1), height * 0.72)
    if brush.mood.snowy:
        leaf = mixed(leaf, (120, 126, 120), 0.4)
    brush.path(whole, times(leaf, (0.6, 0.64, 0.72)))
    brush.path(lit, leaf)
    shine = (240, 244, 250) if brush.mood.snowy else mixed(leaf, (250, 236, 150), 0.34)
    brush.path(best, shine, alpha=0.85)
    canvas.restore()


@cache
def _fir(kind: int) -> tuple[Any, Any, Any]:
    """Paths (whole, shaded side, snow) of a fir of height 1 on the origin."""
    rng = random.Random(kind)
    tiers, snow = 12, []
    left: list[tuple[float, float]] = []
    right: list[tuple[float, float]] = []
    for tier in range(tiers):
        y = -1 + (tier + 1) * 0.92 / tiers
        reach = 0.03 + 0.24 * ((tier + 1) / tiers) ** 0.9
        out_left, out_right = reach * rng.uniform(0.82, 1.12), reach * rng.uniform(0.82, 1.12)
        left += [(-out_left, y + 0.02), (-out_left * 0.66, y - 0.008)]
        right += [(out_right, y + 0.02), (out_right * 0.66, y - 0.008)]
        lift = 0.92 / tiers
        snow.append([(-out_left, y + 0.015), (-out_left * 0.28, y - lift * 0.72), (-out_left * 0.2, y - 0.01)])
        snow.append([(out_right * 0.05, y - lift * 0.8), (out_right * 0.8, y - 0.005), (out_right * 0.3, y - 0.03)])
    whole = [(0.0, -1.0), *right, (0.0, -0.02), *reversed(left)]
    shade = [(0.0, -1.0), *right, (0.0, -0.02), (0.02, -0.5)]
    caps = polygon(snow[0])
    for cap in snow[1:]:
        caps.addPath(polygon(cap))
    return polygon(whole), polygon(shade), caps


def paint_fir(
    brush: Brush, x: float, base: float, height: float, *, snow: float = 0.8, colour: RGB = (58, 86, 76)
) -> None:
    """A fir standing on (x, base), with `snow` (0 to 1) on its branches."""
    canvas, rng = brush.canvas, brush.rng
    whole, shade, caps = _fir(rng.randrange(10))
    canvas.save()
    canvas.translate(x, base)
    canvas.scale(height * rng.uniform(0.85, 1.1) * (1 if brush.mood.sun[0] < x else -1), height)
    brush.path(whole, mixed(colour, (92, 118, 100), 0.3), times(colour, (0.75, 0.78, 0.85)))
    brush.path(shade, times(colour, (0.62, 0.66, 0.76)), alpha=0.75)
    if snow:
        brush.path(caps, (240, 244, 250), alpha=snow)
    canvas.restore()


def paint_wood(brush: Brush, trees: Sequence[tuple[float, float, float]], *, colour: RGB = (58, 86, 76)) -> None:
    """Many snowy firs, each given by x, base and height, at the price of one."""
    whole, shade, caps = skia.Path(), skia.Path(), skia.Path()
    for x, base, height in trees:
        matrix = skia.Matrix()
        matrix.setScaleTranslate(height * (1 if brush.mood.sun[0] < x else -1), height, x, base)
        for total, part in zip((whole, shade, caps), _fir(brush.rng.randrange(10)), strict=True):
            total.addPath(part, matrix)
    brush.path(whole, mixed(colour, (92, 118, 100), 0.2))
    brush.path(shade, times(colour, (0.62, 0.66, 0.76)), alpha=0.75)
    brush.path(caps, (240, 244, 250), alpha=0.75)
