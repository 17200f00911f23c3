"""The forklift: body with driver, mast and forks; metres, facing right."""

from __future__ import annotations

from functools import lru_cache

import skia

from .brushes import Point, box_path, fill, linear, placed, polygon, recorded, rounded, smooth, stroke
from .cardboard import carton
from .palette import darker, lighter, with_alpha

__all__ = ["BEACON", "forklift_body", "forklift_front", "seated_driver"]

BEACON: Point = (-0.62, -2.13)
_SKINS = (0xFFE3AE86, 0xFF8F5A38, 0xFFF0C6A4, 0xFF5F3B25)
_JACKETS = (0xFF39424F, 0xFF4A4742, 0xFF2F3B46, 0xFF544B52)
_HULL: tuple[Point, ...] = (
    (-1.28, -0.40), (-1.29, -0.78), (-1.20, -1.00), (-0.95, -1.06), (-0.72, -1.00), (-0.62, -0.80),
    (-0.30, -0.76), (-0.12, -0.72), (-0.04, -0.52), (0.12, -0.52), (0.20, -0.84), (0.36, -0.90),
    (0.43, -0.80), (0.43, -0.32), (0.30, -0.22), (-1.15, -0.22),
)  # fmt: skip
_WEIGHT: tuple[Point, ...] = (
    (-1.28, -0.40), (-1.29, -0.78), (-1.20, -1.00), (-1.02, -1.05), (-0.96, -0.80), (-1.05, -0.55),
    (-1.18, -0.34),
)  # fmt: skip


def seated_driver(canvas: skia.Canvas, x: float, y: float, look: int, size: float = 1.0) -> None:
    """Head, shoulders and reaching arm of a driver in dark clothes; (x, y) is the seat, facing right."""
    skin, jacket = _SKINS[look % 4], _JACKETS[(look // 2) % 4]
    canvas.save()
    canvas.translate(x, y)
    canvas.scale(size, size)
    trunk = smooth(
        (-0.16, 0.05), (-0.20, -0.22), (-0.15, -0.46), (0.0, -0.53), (0.13, -0.46), (0.17, -0.20), (0.16, 0.05)
    )
    canvas.drawPath(trunk, linear((-0.2, 0.0), (0.2, 0.0), (lighter(jacket, 0.12), jacket, darker(jacket, 0.3))))
    canvas.drawPath(smooth((-0.05, -0.48), (-0.04, -0.62), (0.06, -0.62), (0.06, -0.48)), fill(darker(skin, 0.2)))
    head = smooth(
        (0.06, -0.56),
        (-0.05, -0.60),
        (-0.10, -0.70),
        (-0.06, -0.81),
        (0.04, -0.83),
        (0.11, -0.76),
        (0.135, -0.68),
        (0.11, -0.58),
    )
    canvas.drawPath(head, fill(skin))
    hair = smooth(
        (0.10, -0.78), (0.04, -0.86), (-0.07, -0.84), (-0.125, -0.72), (-0.07, -0.63), (-0.02, -0.73), (0.03, -0.77)
    )
    canvas.drawPath(hair, fill((0xFF2A211B, 0xFF1B1715, 0xFF5A3B25)[look % 3]))
    canvas.drawCircle(0.075, -0.705, 0.013, fill(0xFF1B1512))
    arm = skia.Path()
    arm.moveTo(-0.03, -0.38)
    arm.quadTo(0.05, -0.10, 0.34, -0.24)
    canvas.drawPath(arm, stroke(darker(jacket, 0.15), 0.10))
    canvas.drawCircle(0.37, -0.25, 0.052, fill(skin))
    canvas.restore()


@lru_cache(maxsize=64)
def forklift_front(look: int) -> skia.Picture:
    """Forks with what lies on them, lowered to the ground."""

    def draw(canvas: skia.Canvas) -> None:
        load = look % 3
        if load:
            wood, dark = 0xFFB58B57, 0xFF7D5C36
            for y in (-0.045, -0.16):
                canvas.drawPath(box_path(0.66, y, 1.29, y + 0.045), fill(wood))
            for x in (0.66, 0.93, 1.20):
                canvas.drawPath(box_path(x, -0.12, x + 0.09, -0.04), fill(dark))
        if load == 1:
            placed(canvas, carton(0.58, 0.52, look, False), (0.975, -0.16))
            placed(canvas, carton(0.46, 0.40, look + 5, False), (0.985, -0.62))
        elif load == 2:
            placed(canvas, carton(0.60, 0.66, look + 3, False), (0.975, -0.16))
        canvas.drawPath(polygon((0.56, -0.10), (1.30, -0.075), (1.30, -0.045), (0.56, -0.035)), fill(0xFF3A3D42))
        canvas.drawPath(box_path(0.53, -0.75, 0.60, -0.035), fill(0xFF2C2E32))
        for y in (-0.70, -0.42):
            canvas.drawLine(0.55, y, 0.63, y, stroke(0xFF4A4E54, 0.05))

    return recorded(draw)


def _guard(canvas: skia.Canvas, colour: int) -> None:
    """The overhead guard: two posts and a slatted roof, with the beacon on top."""
    dark = 0xFF26282C
    canvas.drawLine(-0.86, -1.02, -0.78, -2.02, stroke(dark, 0.075))
    canvas.drawLine(0.36, -0.86, 0.14, -2.02, stroke(dark, 0.075))
    canvas.drawPath(rounded(-0.92, -2.08, 0.30, -1.985, 0.03), fill(dark))
    canvas.drawLine(-0.88, -2.065, 0.26, -2.065, stroke(with_alpha(0xFFFFFFFF, 0.35), 0.014))
    canvas.drawPath(rounded(-0.66, -2.12, -0.58, -2.06, 0.02), fill(0xFFE8871A))
    canvas.drawCircle(0.36, -1.02, 0.045, fill(lighter(colour, 0.5)))


def _mast(canvas: skia.Canvas) -> None:
    steel = linear((0.42, 0.0), (0.56, 0.0), (0xFF5A5F66, 0xFF3A3E44, 0xFF24272B))
    canvas.drawPath(box_path(0.42, -2.08, 0.56, -0.08), steel)
    canvas.drawLine(0.49, -2.02, 0.49, -0.2, stroke(0xFF15171A, 0.022))
    for y in (-2.05, -1.25, -0.55):
        canvas.drawPath(rounded(0.40, y, 0.58, y + 0.07, 0.015), fill(0xFF2A2D31))
    canvas.drawPath(rounded(0.44, -1.97, 0.55, -1.83, 0.03), fill(0xFFD6DADD))
    canvas.drawLine(0.16, -0.58, 0.45, -1.0, stroke(0xFF9BA0A6, 0.045))


def _seat(canvas: skia.Canvas, look: int) -> None:
    """Backrest, steering wheel and the driver between them."""
    canvas.drawPath(rounded(-0.80, -1.28, -0.68, -0.78, 0.05), fill(0xFF222428))
    canvas.drawLine(0.20, -0.78, 0.08, -1.16, stroke(0xFF2E3136, 0.05))
    canvas.drawLine(-0.02, -1.13, 0.17, -1.20, stroke(0xFF1D1F22, 0.045))
    seated_driver(canvas, -0.44, -0.86, look, 1.0)
    leg = skia.Path()
    leg.moveTo(-0.42, -0.86)
    leg.lineTo(-0.06, -0.88)
    leg.lineTo(0.02, -0.55)
    canvas.drawPath(leg, stroke(0xFF2C3442, 0.14))


@lru_cache(maxsize=128)
def forklift_body(colour: int, look: int) -> skia.Picture:
    """The truck with mast, guard and driver, without wheels and forks."""

    def draw(canvas: skia.Canvas) -> None:
        _mast(canvas)
        _seat(canvas, look)
        shades = (lighter(colour, 0.22), colour, darker(colour, 0.28))
        body = smooth(*_HULL, tension=0.55)
        canvas.drawPath(body, linear((0.0, -1.05), (0.0, -0.22), shades, (0.0, 0.45, 1.0)))
        weight = smooth(*_WEIGHT, tension=0.6)
        canvas.drawPath(weight, fill(with_alpha(darker(colour, 0.5), 0.45)))
        canvas.drawPath(
            polygon((-1.02, -1.05), (-0.74, -1.01), (-0.66, -0.86), (-0.94, -0.90)), fill(with_alpha(0xFFFFFFFF, 0.20))
        )
        canvas.drawPath(rounded(-0.72, -0.66, -0.10, -0.42, 0.04), fill(with_alpha(darker(colour, 0.6), 0.35)))
        for x in (-0.64, -0.52, -0.40, -0.28):
            canvas.drawLine(x, -0.60, x + 0.05, -0.48, stroke(with_alpha(0xFF101114, 0.6), 0.025))
        canvas.drawPath(rounded(-0.66, -0.36, 0.02, -0.22, 0.03), fill(0xFF25272B))
        for x, radius in ((0.28, 0.39), (-0.88, 0.33)):
            canvas.drawCircle(x, -radius + 0.05, radius, fill(0xFF15161A))
        canvas.drawPath(rounded(-1.295, -1.0, -1.24, -0.88, 0.015), fill(0xFFC2281E))
        _guard(canvas, colour)

    return recorded(draw)
