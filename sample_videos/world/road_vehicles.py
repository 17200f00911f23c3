"""Bodies of cars and trucks without their wheels; metres, facing right."""

from __future__ import annotations

from functools import lru_cache

import skia

from .brushes import Point, box_path, fill, linear, overlap, polygon, recorded, rounded, smooth, stroke
from .forklift import seated_driver
from .palette import darker, lighter, with_alpha

__all__ = ["CAR_WHEELS", "TRUCK_WHEELS", "car_body", "truck_body"]

CAR_WHEELS: tuple[Point, ...] = ((-1.10, 0.32), (1.13, 0.32))
TRUCK_WHEELS: tuple[Point, ...] = ((1.72, 0.45), (-0.86, 0.45), (-1.80, 0.45))

_CARS: tuple[tuple[tuple[Point, ...], tuple[Point, ...], float], ...] = (
    (
        (
            (-1.80, -0.55),
            (-1.76, -0.80),
            (-1.35, -0.90),
            (-1.02, -0.95),
            (-0.55, -1.32),
            (-0.05, -1.40),
            (0.35, -1.34),
            (0.86, -0.97),
            (1.40, -0.87),
            (1.70, -0.74),
            (1.80, -0.52),
        ),
        ((-0.88, -0.95), (-0.48, -1.25), (-0.05, -1.31), (0.30, -1.26), (0.70, -0.97)),
        -0.08,
    ),
    (
        (
            (-1.78, -0.55),
            (-1.78, -0.86),
            (-1.62, -1.06),
            (-1.30, -1.34),
            (-0.65, -1.40),
            (0.15, -1.37),
            (0.50, -1.26),
            (0.92, -0.97),
            (1.42, -0.87),
            (1.70, -0.74),
            (1.80, -0.52),
        ),
        ((-1.42, -0.98), (-1.20, -1.26), (-0.62, -1.31), (0.12, -1.28), (0.40, -1.20), (0.72, -0.97)),
        -0.25,
    ),
    (
        (
            (-1.79, -0.55),
            (-1.80, -1.00),
            (-1.74, -1.32),
            (-1.45, -1.39),
            (-0.30, -1.40),
            (0.60, -1.36),
            (0.86, -1.24),
            (1.26, -0.92),
            (1.60, -0.82),
            (1.77, -0.70),
            (1.80, -0.52),
        ),
        ((-0.10, -0.96), (-0.12, -1.29), (0.55, -1.26), (0.76, -1.17), (1.02, -0.96)),
        0.38,
    ),
)


def _glass(canvas: skia.Canvas, pane: skia.Path, top: float, bottom: float) -> None:
    """A dark window pane with the sky's reflection and a diagonal shine."""
    canvas.drawPath(pane, linear((0.0, top), (0.0, bottom), (0xC89FB6C4, 0xB05B7180, 0xC02A343D), (0.0, 0.45, 1.0)))


def _shine(canvas: skia.Canvas, pane: skia.Path, x: float) -> None:
    streak = polygon((x, -3.0), (x + 0.13, -3.0), (x - 0.55, 0.0), (x - 0.68, 0.0))
    canvas.drawPath(overlap(pane, streak), fill(0x40FFFFFF))


@lru_cache(maxsize=128)
def car_body(colour: int, look: int) -> skia.Picture:
    """A saloon, a hatchback or a van by look."""
    profile, window, pillar = _CARS[look % 3]

    def draw(canvas: skia.Canvas) -> None:
        outline = smooth(*profile, (1.79, -0.32), (1.66, -0.22), (-1.66, -0.22), (-1.79, -0.34), tension=0.72)
        shades = (lighter(colour, 0.30), colour, darker(colour, 0.10), darker(colour, 0.42))
        canvas.drawPath(outline, linear((0.0, -1.4), (0.0, -0.2), shades, (0.0, 0.40, 0.62, 1.0)))
        crease = overlap(outline, polygon((-2, -0.78), (2, -0.72), (2, -0.66), (-2, -0.70)))
        canvas.drawPath(crease, fill(with_alpha(0xFFFFFFFF, 0.22)))
        canvas.drawPath(overlap(outline, box_path(-2, -0.33, 2, 0)), fill(0xFF2A2C30))
        _car_windows(canvas, window, pillar, look)
        seam = stroke(with_alpha(darker(colour, 0.6), 0.7), 0.014)
        for x in (pillar, pillar + 0.86 if look % 3 != 2 else 1.04, -0.86):
            canvas.drawLine(x, -0.95, x - 0.03 if x > 0 else x + 0.03, -0.36, seam)
        for x in (pillar - 0.24, pillar + 0.12):
            canvas.drawLine(x, -0.79, x + 0.13, -0.79, stroke(darker(colour, 0.45), 0.026))
        canvas.drawPath(
            smooth((1.50, -0.74), (1.71, -0.69), (1.76, -0.58), (1.58, -0.60), tension=0.6), fill(0xFFF3F4EE)
        )
        canvas.drawPath(
            smooth((-1.78, -0.82), (-1.64, -0.80), (-1.66, -0.64), (-1.79, -0.62), tension=0.6), fill(0xFFBE2017)
        )
        canvas.drawPath(rounded(1.50, -0.46, 1.80, -0.30, 0.04), fill(with_alpha(0xFF101114, 0.55)))
        for x, radius in CAR_WHEELS:
            canvas.drawCircle(x, -radius - 0.01, radius + 0.06, fill(0xFF141518))

    return recorded(draw)


def _car_windows(canvas: skia.Canvas, window: tuple[Point, ...], pillar: float, look: int) -> None:
    pane = smooth(*window, tension=0.45)
    canvas.drawPath(pane, fill(0xFF1C2329))
    canvas.save()
    canvas.clipPath(pane, True)
    seated_driver(canvas, (0.10, 0.0, 0.42)[look % 3], -0.66, look, 0.70)
    canvas.restore()
    _glass(canvas, pane, -1.32, -0.94)
    _shine(canvas, pane, pillar + 0.62)
    canvas.drawPath(pane, stroke(0xFF17191C, 0.024))
    if look % 3 != 2:
        canvas.drawLine(pillar, -1.31, pillar, -0.96, stroke(0xFF17191C, 0.06))


@lru_cache(maxsize=128)
def truck_body(colour: int, look: int) -> skia.Picture:
    """A truck with a box body or a tipper by look."""

    def draw(canvas: skia.Canvas) -> None:
        canvas.drawPath(box_path(-2.42, -0.82, 1.40, -0.60), fill(0xFF2B2D31))
        canvas.drawPath(
            rounded(0.25, -0.66, 0.98, -0.30, 0.08), linear((0, -0.66), (0, -0.3), (0xFFB8BDC2, 0xFF5C6168))
        )
        canvas.drawPath(box_path(-2.48, -0.74, -2.42, -0.42), fill(0xFF3A3D42))
        if look % 2:
            _tipper(canvas, colour, look)
        else:
            _box_body(canvas, colour, look)
        _cab(canvas, colour, look)
        for x, radius in TRUCK_WHEELS:
            canvas.drawCircle(x, -radius - 0.02, radius + 0.05, fill(0xFF131417))
        canvas.drawPath(rounded(-2.49, -0.72, -2.42, -0.52, 0.02), fill(0xFFC02018))

    return recorded(draw)


def _box_body(canvas: skia.Canvas, colour: int, look: int) -> None:
    box = rounded(-2.49, -2.60, 1.02, -0.80, 0.04)
    canvas.drawPath(
        box, linear((0, -2.6), (0, -0.8), (lighter(colour, 0.2), colour, darker(colour, 0.22)), (0.0, 0.35, 1.0))
    )
    for i in range(1, 8):
        x = -2.49 + 3.51 * i / 8
        canvas.drawLine(x, -2.52, x, -0.88, stroke(with_alpha(darker(colour, 0.55), 0.28), 0.018))
        canvas.drawLine(x + 0.02, -2.52, x + 0.02, -0.88, stroke(with_alpha(0xFFFFFFFF, 0.16), 0.014))
    stripe = lighter(colour, 0.75) if look % 4 == 0 else darker(colour, 0.5)
    canvas.drawPath(
        polygon(
            (-2.49, -1.62),
            (-0.6, -1.62),
            (0.1, -2.05),
            (1.02, -2.05),
            (1.02, -1.88),
            (0.18, -1.88),
            (-0.52, -1.45),
            (-2.49, -1.45),
        ),
        fill(with_alpha(stripe, 0.75)),
    )
    trim = stroke(with_alpha(0xFFD5D9DC, 0.9), 0.04)
    canvas.drawLine(-2.47, -2.58, 1.0, -2.58, trim)
    canvas.drawLine(-2.47, -0.82, 1.0, -0.82, trim)


def _tipper(canvas: skia.Canvas, colour: int, look: int) -> None:
    heap = smooth(
        (-2.15, -1.86), (-1.5, -2.25), (-0.8, -2.45), (-0.2, -2.30), (0.45, -2.10), (0.85, -1.86), (-0.6, -1.75)
    )
    earth = (0xFF8A6B48, 0xFF9C9184, 0xFFB99A66)[look % 3]
    canvas.drawPath(heap, linear((0, -2.5), (0, -1.8), (lighter(earth, 0.2), darker(earth, 0.25))))
    skip = polygon(
        (-2.49, -1.98), (0.98, -1.98), (1.06, -2.42), (1.20, -2.42), (1.06, -1.2), (0.92, -0.84), (-2.20, -0.84)
    )
    canvas.drawPath(
        skip, linear((0, -2.0), (0, -0.84), (lighter(colour, 0.14), colour, darker(colour, 0.3)), (0.0, 0.4, 1.0))
    )
    for i in range(7):
        x = -2.28 + 0.5 * i
        canvas.drawLine(x, -1.92, x + 0.09 * (1 - i / 3), -0.90, stroke(with_alpha(darker(colour, 0.55), 0.5), 0.05))
        canvas.drawLine(
            x - 0.03, -1.92, x - 0.03 + 0.09 * (1 - i / 3), -0.90, stroke(with_alpha(0xFFFFFFFF, 0.18), 0.02)
        )
    canvas.drawLine(-2.48, -1.97, 0.98, -1.97, stroke(lighter(colour, 0.25), 0.06))


def _cab(canvas: skia.Canvas, colour: int, look: int) -> None:
    cab = smooth(
        (1.16, -0.50),
        (1.14, -2.10),
        (1.24, -2.34),
        (1.60, -2.40),
        (2.02, -2.36),
        (2.20, -2.20),
        (2.40, -1.42),
        (2.47, -1.20),
        (2.49, -0.50),
        (2.40, -0.34),
        (1.20, -0.36),
        tension=0.5,
    )
    canvas.drawPath(
        cab, linear((0, -2.4), (0, -0.35), (lighter(colour, 0.25), colour, darker(colour, 0.28)), (0.0, 0.42, 1.0))
    )
    pane = smooth(
        (1.42, -1.42), (1.42, -2.12), (1.50, -2.18), (1.98, -2.16), (2.10, -2.04), (2.26, -1.44), tension=0.35
    )
    canvas.drawPath(pane, fill(0xFF1C2329))
    canvas.save()
    canvas.clipPath(pane, True)
    seated_driver(canvas, 1.72, -1.22, look, 0.92)
    canvas.restore()
    _glass(canvas, pane, -2.18, -1.4)
    _shine(canvas, pane, 2.28)
    canvas.drawPath(pane, stroke(0xFF17191C, 0.03))
    seam = stroke(with_alpha(darker(colour, 0.6), 0.7), 0.018)
    canvas.drawLine(1.34, -2.1, 1.34, -0.9, seam)
    canvas.drawLine(2.28, -1.36, 2.28, -0.95, seam)
    canvas.drawLine(1.40, -1.18, 1.56, -1.18, stroke(0xFF1D1F23, 0.04))
    canvas.drawPath(rounded(2.24, -1.98, 2.34, -1.58, 0.03), fill(0xFF1D1F23))
    canvas.drawPath(rounded(2.05, -0.60, 2.50, -0.32, 0.05), fill(0xFF2A2D32))
    canvas.drawPath(rounded(2.34, -0.74, 2.49, -0.52, 0.03), fill(0xFFF2F2EA))
    canvas.drawLine(1.70, -2.395, 1.98, -2.375, stroke(lighter(colour, 0.6), 0.03))
