"""Paints, outlines and recorded pictures that the figures share; all cached, as most never change with time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import skia

from .palette import darker, lighter, with_alpha

__all__ = [
    "Point",
    "box_path",
    "contact_shadow",
    "fill",
    "glow_spot",
    "linear",
    "overlap",
    "placed",
    "polygon",
    "radial",
    "recorded",
    "rounded",
    "side_lit",
    "smooth",
    "stroke",
    "taper",
]

Point = tuple[float, float]


@lru_cache(maxsize=2048)
def fill(colour: int) -> skia.Paint:
    """An anti-aliased fill of one colour."""
    return skia.Paint(AntiAlias=True, Color=colour)


@lru_cache(maxsize=2048)
def stroke(colour: int, width: float) -> skia.Paint:
    """An anti-aliased line with round caps and joins."""
    paint = skia.Paint(AntiAlias=True, Color=colour, Style=skia.Paint.kStroke_Style, StrokeWidth=width)
    paint.setStrokeCap(skia.Paint.kRound_Cap)
    paint.setStrokeJoin(skia.Paint.kRound_Join)
    return paint


@lru_cache(maxsize=2048)
def linear(start: Point, end: Point, colours: tuple[int, ...], stops: tuple[float, ...] | None = None) -> skia.Paint:
    """A fill whose colours run from one point to another."""
    points = [skia.Point(*start), skia.Point(*end)]
    shader = skia.GradientShader.MakeLinear(points, list(colours), list(stops) if stops else None)
    return skia.Paint(AntiAlias=True, Shader=shader)


@lru_cache(maxsize=2048)
def radial(
    centre: Point, radius: float, colours: tuple[int, ...], stops: tuple[float, ...] | None = None
) -> skia.Paint:
    """A fill whose colours run from a centre outwards."""
    shader = skia.GradientShader.MakeRadial(skia.Point(*centre), radius, list(colours), list(stops) if stops else None)
    return skia.Paint(AntiAlias=True, Shader=shader)


@lru_cache(maxsize=2048)
def side_lit(colour: int, half_width: float, light: int, depth: float = 1.0) -> skia.Paint:
    """A fill for a rounded body about x = 0, lit from `light` (-1 left, 1 right); `depth` scales the contrast."""
    colours = (lighter(colour, 0.13 * depth), colour, darker(colour, 0.2 * depth), darker(colour, 0.3 * depth))
    return linear((light * half_width, 0.0), (-light * half_width, 0.0), colours, (0.0, 0.45, 0.68, 1.0))


def polygon(*points: Point) -> skia.Path:
    """A closed outline with straight sides."""
    path = skia.Path()
    path.moveTo(*points[0])
    for point in points[1:]:
        path.lineTo(*point)
    path.close()
    return path


def smooth(*points: Point, tension: float = 1.0) -> skia.Path:
    """A closed Catmull-Rom curve through the points."""
    path = skia.Path()
    path.moveTo(*points[0])
    count = len(points)
    reach = tension / 6.0
    for i in range(count):
        x0, y0 = points[i - 1]
        x1, y1 = points[i]
        x2, y2 = points[(i + 1) % count]
        x3, y3 = points[(i + 2) % count]
        path.cubicTo(
            x1 + (x2 - x0) * reach, y1 + (y2 - y0) * reach, x2 - (x3 - x1) * reach, y2 - (y3 - y1) * reach, x2, y2
        )
    path.close()
    return path


def rounded(left: float, top: float, right: float, bottom: float, radius: float = 0.03) -> skia.Path:
    """A rectangle with round corners."""
    path = skia.Path()
    path.addRoundRect(skia.Rect.MakeLTRB(left, top, right, bottom), radius, radius)
    return path


def box_path(left: float, top: float, right: float, bottom: float) -> skia.Path:
    """A rectangle."""
    path = skia.Path()
    path.addRect(skia.Rect.MakeLTRB(left, top, right, bottom))
    return path


def taper(length: float, top: float, bottom: float, bulge: float = 0.0) -> skia.Path:
    """A limb from (0, 0) down to (0, length) with round ends of two radii and a bulge at a third of its length."""
    middle = top + (bottom - top) * 0.35 + bulge
    return smooth(
        (0.0, -top),
        (top * 0.8, -top * 0.6),
        (top, 0.0),
        (middle, length * 0.35),
        (bottom, length * 0.95),
        (bottom * 0.75, length + bottom * 0.65),
        (0.0, length + bottom),
        (-bottom * 0.75, length + bottom * 0.65),
        (-bottom, length * 0.95),
        (-middle, length * 0.35),
        (-top, 0.0),
        (-top * 0.8, -top * 0.6),
    )


def overlap(first: skia.Path, second: skia.Path) -> skia.Path:
    """The outline of what two shapes share."""
    return skia.Op(first, second, skia.PathOp.kIntersect_PathOp) or skia.Path()


def recorded(draw: Callable[[skia.Canvas], None], reach: float = 8.0) -> skia.Picture:
    """A picture of what `draw` draws within `reach` metres of the origin, to be played back at any scale."""
    recorder = skia.PictureRecorder()
    draw(recorder.beginRecording(skia.Rect.MakeLTRB(-reach, -reach, reach, reach)))
    return recorder.finishRecordingAsPicture()


def placed(canvas: skia.Canvas, picture: skia.Picture, start: Point, end: Point | None = None) -> None:
    """Play a picture with its origin at `start` and, if an end is given, its y axis pointing there."""
    canvas.save()
    canvas.translate(*start)
    if end is not None:
        canvas.rotate(math.degrees(math.atan2(start[0] - end[0], end[1] - start[1])))
    canvas.drawPicture(picture)
    canvas.restore()


@lru_cache(maxsize=64)
def _spot(colour: int, alphas: tuple[float, ...], stops: tuple[float, ...], add: bool) -> skia.Paint:
    paint = skia.Paint(radial((0.0, 0.0), 1.0, tuple(with_alpha(colour, a) for a in alphas), stops))
    if add:
        paint.setBlendMode(skia.BlendMode.kPlus)
    return paint


def _oval(canvas: skia.Canvas, paint: skia.Paint, x: float, y: float, half_width: float, half_height: float) -> None:
    canvas.save()
    canvas.translate(x, y)
    canvas.scale(half_width, half_height)
    canvas.drawCircle(0.0, 0.0, 1.0, paint)
    canvas.restore()


def contact_shadow(
    canvas: skia.Canvas, x: float, half_width: float, half_height: float = 0.07, strength: float = 0.5
) -> None:
    """A soft dark oval on the ground around `x`."""
    paint = _spot(0x0C1018, (strength, strength * 0.7, 0.0), (0.0, 0.55, 1.0), False)
    _oval(canvas, paint, x, 0.0, half_width, half_height)


def glow_spot(
    canvas: skia.Canvas, centre: Point, half_size: Sequence[float], colour: int, strength: float = 0.6
) -> None:
    """A soft light added to the picture around `centre`."""
    level = round(strength * 32) / 32
    paint = _spot(colour & 0xFFFFFF, (level, level * 0.35, 0.0), (0.0, 0.4, 1.0), True)
    _oval(canvas, paint, centre[0], centre[1], half_size[0], half_size[1])
