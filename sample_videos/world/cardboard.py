"""Cardboard boxes, intact or damaged; the origin is the middle of the front face's lower edge, in metres."""

from __future__ import annotations

import random
from functools import lru_cache

import skia

from .brushes import box_path, fill, linear, polygon, recorded, smooth, stroke
from .palette import CARDBOARD, darker, lighter, with_alpha

__all__ = ["carton"]


@lru_cache(maxsize=256)
def carton(width: float, height: float, look: int, damaged: bool) -> skia.Picture:
    """A carton of the given front width and whole height (its visible top face included)."""
    return recorded(lambda canvas: (_damaged if damaged else _intact)(canvas, width, height, look))


def _intact(canvas: skia.Canvas, width: float, height: float, look: int) -> None:
    dice = random.Random(f"carton {look}")
    card = dice.choice(CARDBOARD)
    half, rise = width / 2, min(0.16 * width, 0.22 * height)
    top = -(height - rise)
    skew = 0.07 * width
    front = box_path(-half, top, half, 0.0)
    lid = polygon((-half, top), (-half + skew, -height), (half - skew * 0.2, -height), (half, top))
    canvas.drawPath(
        front, linear((-half, top), (half, 0.0), (lighter(card, 0.06), card, darker(card, 0.16)), (0.0, 0.5, 1.0))
    )
    canvas.drawPath(lid, fill(lighter(card, 0.28)))
    tape = fill(with_alpha(0xFFE7D3A8, 0.9))
    t = 0.065 * width
    canvas.drawPath(polygon((-t, top), (-t + skew * 0.4, -height), (t + skew * 0.4, -height), (t, top)), tape)
    canvas.drawPath(box_path(-t, top, t, top + 0.22 * -top), tape)
    x = half * dice.choice((-0.55, 0.45))
    label = box_path(x - 0.17 * width, 0.42 * top, x + 0.17 * width, 0.14 * top)
    canvas.drawPath(label, fill(0xFFF4F1EA))
    for i, reach in enumerate((0.12, 0.08, 0.11)):
        y = top * (0.37 - 0.08 * i)
        canvas.drawLine(x - 0.13 * width, y, x - 0.13 * width + reach * 2 * width, y, stroke(0xFF55524E, 0.02 * width))
    canvas.drawLine(-half, top, half, top, stroke(with_alpha(darker(card, 0.5), 0.6), 0.014 * width))
    canvas.drawPath(front, stroke(with_alpha(darker(card, 0.55), 0.5), 0.012 * width))


def _damaged(canvas: skia.Canvas, width: float, height: float, look: int) -> None:
    dice = random.Random(f"crushed {look}")
    card = darker(dice.choice(CARDBOARD), 0.06)
    if dice.random() < 0.5:
        canvas.scale(-1, 1)
    half, h = width / 2, height
    body = polygon(
        (-half * 1.02, 0.0),
        (-half * 0.92, -h * 0.36),
        (-half * 1.04, -h * 0.68),
        (-half * 0.35, -h * 0.60),
        (half * 0.1, -h * 0.70),
        (half * 0.78, -h * 0.44),
        (half * 0.96, -h * 0.30),
        (half * 0.86, -h * 0.14),
        (half * 1.04, 0.0),
    )
    hole_top = smooth(
        (-half * 0.9, -h * 0.68),
        (-half * 0.1, -h * 0.82),
        (half * 0.78, -h * 0.48),
        (half * 0.1, -h * 0.60),
        tension=0.5,
    )
    back = polygon(
        (-half * 0.95, -h * 0.66), (-half * 0.7, -h * 0.88), (half * 0.25, -h * 0.80), (half * 0.8, -h * 0.46)
    )
    canvas.drawPath(back, fill(darker(card, 0.35)))
    canvas.drawPath(hole_top, fill(0xFF231A12))
    canvas.drawPath(
        body, linear((-half, -h * 0.7), (half, 0.0), (lighter(card, 0.05), card, darker(card, 0.28)), (0.0, 0.45, 1.0))
    )
    flap = polygon((-half * 1.04, -h * 0.68), (-half * 1.32, -h * 0.92), (-half * 0.72, -h), (-half * 0.35, -h * 0.60))
    canvas.drawPath(flap, fill(lighter(card, 0.25)))
    right = polygon(
        (half * 0.30, -h * 0.62), (half * 0.78, -h * 0.44), (half * 1.22, -h * 0.50), (half * 0.80, -h * 0.74)
    )
    canvas.drawPath(right, fill(lighter(card, 0.12)))
    _tears(canvas, half, h, card)
    canvas.drawPath(body, stroke(with_alpha(darker(card, 0.6), 0.55), 0.012 * width))
    _litter(canvas, dice, half, card)


def _tears(canvas: skia.Canvas, half: float, h: float, card: int) -> None:
    """A ragged hole with its curled edge, and creases."""
    tear = polygon(
        (-half * 0.30, -h * 0.42),
        (-half * 0.02, -h * 0.50),
        (half * 0.10, -h * 0.38),
        (half * 0.34, -h * 0.42),
        (half * 0.42, -h * 0.20),
        (half * 0.20, -h * 0.22),
        (half * 0.12, -h * 0.09),
        (-half * 0.10, -h * 0.20),
        (-half * 0.36, -h * 0.22),
    )
    canvas.drawPath(tear, fill(0xFF20170F))
    curl = polygon(
        (-half * 0.30, -h * 0.42), (-half * 0.02, -h * 0.50), (-half * 0.16, -h * 0.30), (-half * 0.46, -h * 0.28)
    )
    canvas.drawPath(curl, fill(lighter(card, 0.35)))
    crease = stroke(with_alpha(darker(card, 0.6), 0.6), 0.036 * half)
    for x0, y0, x1, y1 in (
        (-0.92, 0.36, -0.45, 0.30),
        (0.86, 0.14, 0.45, 0.16),
        (-0.95, 0.5, -0.6, 0.56),
        (0.55, 0.52, 0.62, 0.28),
    ):
        canvas.drawLine(half * x0, -h * y0, half * x1, -h * y1, crease)


def _litter(canvas: skia.Canvas, dice: random.Random, half: float, card: int) -> None:
    """Scraps of card and packing on the ground before the box."""
    for i in range(5):
        x = dice.uniform(-1.25, 1.25) * half
        y = dice.uniform(-0.01, 0.035)
        size = dice.uniform(0.08, 0.17) * half
        colour = (lighter(card, 0.25), 0xFFF2EFE8, darker(card, 0.15))[i % 3]
        canvas.drawPath(
            polygon(
                (x - size, y),
                (x - size * 0.2, y - size * 0.55),
                (x + size, y - size * 0.2),
                (x + size * 0.3, y + size * 0.3),
            ),
            fill(colour),
        )
