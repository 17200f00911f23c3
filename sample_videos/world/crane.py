"""The tower crane: a lattice mast, a jib that swings a little, a trolley and a load on its hook."""

from __future__ import annotations

import math
from functools import lru_cache

import skia

from .brushes import Point, box_path, contact_shadow, fill, glow_spot, linear, polygon, recorded, rounded, stroke
from .ground import GROUNDS, feet
from .palette import darker, lighter, rgb, with_alpha
from .scene import Scene, Vehicle

__all__ = ["crane_lamps", "draw_crane"]

_MAST_X = -0.75
_JIB_Y = -4.22
_APEX: Point = (_MAST_X, -4.97)
_TIP = 2.83
_TAIL = -1.33


def _lattice(start: float, end: float, low: float, high: float, count: int) -> skia.Path:
    """Zigzag bracing between two chords that run along x."""
    path = skia.Path()
    step = (end - start) / count
    for i in range(count):
        path.moveTo(start + i * step, low)
        path.lineTo(start + (i + 0.5) * step, high)
        path.lineTo(start + (i + 1) * step, low)
    return path


@lru_cache(maxsize=64)
def _mast(colour: int, light: int) -> skia.Picture:
    def draw(canvas: skia.Canvas) -> None:
        half, top, sections = 0.21, -3.95, 9
        block = linear((0, -0.3), (0, 0), (0xFFB4B6B5, 0xFF85888A))
        canvas.drawPath(
            polygon((_MAST_X - 0.62, 0), (_MAST_X - 0.52, -0.26), (_MAST_X + 0.52, -0.26), (_MAST_X + 0.62, 0)), block
        )
        bars, back = skia.Path(), skia.Path()
        height = (top + 0.24) / sections
        for i in range(sections):
            y0, y1 = -0.24 + i * height, -0.24 + (i + 1) * height
            left, right = (_MAST_X - half, _MAST_X + half) if i % 2 else (_MAST_X + half, _MAST_X - half)
            bars.moveTo(left, y0)
            bars.lineTo(right, y1)
            bars.moveTo(_MAST_X - half, y1)
            bars.lineTo(_MAST_X + half, y1)
            back.moveTo(right, y0)
            back.lineTo(left, y1)
        canvas.drawPath(back, stroke(darker(colour, 0.42), 0.035))
        canvas.drawPath(bars, stroke(colour, 0.045))
        for side in (-1, 1):
            tone = lighter(colour, 0.15) if side == light else darker(colour, 0.18)
            canvas.drawLine(_MAST_X + side * half, -0.22, _MAST_X + side * half, top, stroke(tone, 0.085))
        canvas.drawPath(rounded(_MAST_X - 0.30, -4.10, _MAST_X + 0.30, -3.92, 0.03), fill(darker(colour, 0.35)))

    return recorded(draw)


@lru_cache(maxsize=64)
def _jib(colour: int, light: int) -> skia.Picture:
    """Jib, counter-jib, apex and cab around the mast's axis at x = 0."""

    def draw(canvas: skia.Canvas) -> None:
        top = _JIB_Y - 0.26
        apex = (0.0, _APEX[1] + 0.03)
        tie = stroke(0xFF4A4D52, 0.024)
        for x in (1.15, 2.35, _TAIL + 0.12):
            canvas.drawLine(*apex, x, top if x > 0 else _JIB_Y, tie)
        canvas.drawPath(_lattice(0.16, _TIP - 0.03, _JIB_Y, top, 11), stroke(darker(colour, 0.12), 0.034))
        canvas.drawLine(0.10, top, _TIP - 0.16, top, stroke(lighter(colour, 0.16), 0.055))
        canvas.drawLine(0.10, _JIB_Y, _TIP, _JIB_Y, stroke(darker(colour, 0.05), 0.065))
        canvas.drawLine(_TIP - 0.16, top, _TIP, _JIB_Y, stroke(colour, 0.05))
        canvas.drawPath(_lattice(_TAIL, -0.16, _JIB_Y, _JIB_Y - 0.16, 5), stroke(darker(colour, 0.12), 0.03))
        canvas.drawLine(_TAIL, _JIB_Y, 0.0, _JIB_Y, stroke(colour, 0.07))
        canvas.drawPath(
            box_path(_TAIL - 0.02, _JIB_Y - 0.10, _TAIL + 0.42, _JIB_Y + 0.36),
            linear((0, -4.3), (0, -3.85), (0xFFA9ABAA, 0xFF6E7173)),
        )
        for x in (_TAIL + 0.12, _TAIL + 0.27):
            canvas.drawLine(x, _JIB_Y - 0.08, x, _JIB_Y + 0.34, stroke(0x70303236, 0.02))
        for x in (-0.17, 0.17):
            canvas.drawLine(x, _JIB_Y + 0.12, *apex, stroke(colour if x * light > 0 else darker(colour, 0.25), 0.06))
        for t in (0.35, 0.65):
            y = _JIB_Y + (apex[1] - _JIB_Y) * t
            canvas.drawLine(-0.16 * (1 - t), y, 0.16 * (1 - t), y, stroke(colour, 0.035))
        canvas.drawPath(
            rounded(0.20, _JIB_Y + 0.06, 0.62, _JIB_Y + 0.50, 0.05),
            linear((0, -4.2), (0, -3.7), (lighter(colour, 0.2), darker(colour, 0.2))),
        )
        canvas.drawPath(
            polygon((0.34, -4.10), (0.56, -4.10), (0.59, -3.90), (0.34, -3.90)),
            linear((0, -4.1), (0, -3.9), (0xFFB9D0DC, 0xFF3A4954)),
        )

    return recorded(draw)


@lru_cache(maxsize=16)
def _load(kind: int) -> skia.Picture:
    """What hangs on the hook, from the hook at the origin downwards."""

    def draw(canvas: skia.Canvas) -> None:
        sling = stroke(0xFF2C2E32, 0.022)
        for x in (-0.42, 0.42):
            canvas.drawLine(0, 0.12, x, 0.42, sling)
        if kind == 0:
            for i, y in enumerate((0.42, 0.51, 0.60)):
                canvas.drawPath(rounded(-0.66, y, 0.66, y + 0.075, 0.02), fill((0xFFB4543A, 0xFF9B452F, 0xFF863A28)[i]))
        elif kind == 1:
            canvas.drawPath(box_path(-0.52, 0.42, 0.52, 0.72), linear((0, 0.42), (0, 0.72), (0xFFC6C8C6, 0xFF8B8E8F)))
            canvas.drawLine(-0.5, 0.57, 0.5, 0.57, stroke(0x60404346, 0.02))
        else:
            canvas.drawPath(
                polygon((-0.44, 0.42), (0.44, 0.42), (0.28, 0.82), (-0.28, 0.82)),
                linear((-0.4, 0), (0.4, 0), (0xFF8E949A, 0xFF565B61)),
            )
            canvas.drawLine(-0.44, 0.43, 0.44, 0.43, stroke(0xFFAEB4BA, 0.05))
        canvas.drawPath(rounded(-0.09, -0.10, 0.09, 0.06, 0.03), fill(0xFFE2B31C))
        hook = skia.Path()
        hook.addArc(skia.Rect.MakeLTRB(-0.06, 0.05, 0.06, 0.19), -90, 250)
        canvas.drawPath(hook, stroke(0xFF2C2E32, 0.032))

    return recorded(draw)


def _swing(look: int, seconds: float) -> float:
    """How long the jib looks, 0.9 to 1, as it swings towards the viewer and back."""
    return 0.95 + 0.05 * math.cos(0.45 * seconds + look)


def draw_crane(canvas: skia.Canvas, scene: Scene, actor: Vehicle, seconds: float) -> None:
    """Draw a tower crane whose jib, trolley and load move a little."""
    look = actor.look
    flip = look % 2 == 1
    colour = rgb(actor.colour, look)
    metre = GROUNDS[scene.place].metre(actor.depth)
    canvas.save()
    canvas.translate(*feet(scene, actor, seconds))
    canvas.scale(-metre if flip else metre, metre)
    contact_shadow(canvas, _MAST_X, 0.9, 0.10, 0.55)
    light = 1 if flip else -1
    canvas.drawPicture(_mast(colour, light))
    canvas.save()
    canvas.translate(_MAST_X, 0.0)
    canvas.scale(_swing(look, seconds), 1.0)
    trolley = 1.75 + 0.45 * math.sin(0.30 * seconds + look * 1.3)
    rope = 1.25 + 0.45 * math.sin(0.23 * seconds + look * 2.1)
    angle = 3.2 * math.sin(1.5 * seconds + look)
    canvas.drawPicture(_jib(colour, light))
    canvas.drawPath(rounded(trolley - 0.14, _JIB_Y - 0.01, trolley + 0.14, _JIB_Y + 0.09, 0.02), fill(0xFF33363B))
    canvas.translate(trolley, _JIB_Y + 0.08)
    canvas.rotate(angle)
    for x in (-0.05, 0.05):
        canvas.drawLine(x, 0.0, x * 0.8, rope, stroke(0xFF2C2E32, 0.018))
    canvas.translate(0.0, rope + 0.05)
    canvas.drawPicture(_load(look % 3))
    canvas.restore()
    canvas.restore()


def crane_lamps(canvas: skia.Canvas, scene: Scene, actor: Vehicle, seconds: float) -> None:
    """Draw the crane's lamps at night: a red one on its apex, white ones along the jib."""
    metre = GROUNDS[scene.place].metre(actor.depth)
    canvas.save()
    canvas.translate(*feet(scene, actor, seconds))
    canvas.scale(-metre if actor.look % 2 else metre, metre)
    pulse = 0.6 + 0.4 * math.sin(2.4 * seconds + actor.look)
    glow_spot(canvas, _APEX, (0.34, 0.34), 0xFFFF2A1E, pulse)
    canvas.drawCircle(*_APEX, 0.045, fill(0xFFFF6A55))
    long = _swing(actor.look, seconds)
    for x in (0.9, _TIP - 0.05):
        spot = (_MAST_X + x * long, _JIB_Y + 0.06)
        glow_spot(canvas, spot, (0.42, 0.42), 0xFFFFF1CF, 0.75)
        canvas.drawCircle(*spot, 0.045, fill(with_alpha(0xFFFFFDF4, 1.0)))
    canvas.restore()
