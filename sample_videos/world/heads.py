"""Heads and what they wear: faces, hair, hard hats, caps. The origin is the base of the neck, metres, facing right."""

from __future__ import annotations

from functools import lru_cache

import skia

from .brushes import fill, linear, overlap, polygon, recorded, side_lit, smooth, stroke
from .palette import darker, lighter, mix, with_alpha

__all__ = ["head_picture"]

_DARK = 0xFF1B1512


def _skull() -> skia.Path:
    return smooth(
        (0.062, -0.086),
        (0.015, -0.092),
        (-0.045, -0.125),
        (-0.085, -0.175),
        (-0.108, -0.245),
        (-0.085, -0.322),
        (-0.015, -0.360),
        (0.062, -0.340),
        (0.102, -0.285),
        (0.108, -0.225),
        (0.106, -0.165),
        (0.096, -0.112),
    )


def _face(canvas: skia.Canvas, skin: int, light: int, hair: int, beard: bool) -> None:
    canvas.drawPath(_skull(), side_lit(skin, 0.115, light, 0.75))
    shadow = darker(skin, 0.25)
    canvas.drawPath(
        overlap(_skull(), polygon((-0.12, -0.14), (0.12, -0.10), (0.12, -0.05), (-0.12, -0.05))), fill(shadow)
    )
    if beard:
        jaw = smooth(
            (0.100, -0.160),
            (0.104, -0.105),
            (0.058, -0.076),
            (-0.010, -0.088),
            (-0.062, -0.135),
            (-0.068, -0.195),
            (-0.030, -0.165),
            (0.020, -0.158),
            (0.060, -0.166),
        )
        canvas.drawPath(jaw, fill(darker(hair, 0.05)))
    canvas.drawPath(
        smooth((-0.040, -0.232), (-0.016, -0.222), (-0.022, -0.185), (-0.044, -0.190)), fill(darker(skin, 0.14))
    )
    canvas.drawPath(
        smooth((0.074, -0.228), (0.118, -0.186), (0.110, -0.172), (0.076, -0.172), tension=0.7),
        fill(lighter(skin, 0.08)),
    )
    canvas.drawPath(
        smooth((0.080, -0.180), (0.116, -0.180), (0.106, -0.168), (0.080, -0.168), tension=0.6), fill(darker(skin, 0.3))
    )
    for x, half in ((0.034, 0.013), (0.088, 0.010)):
        canvas.drawOval(skia.Rect.MakeLTRB(x - half, -0.229, x + half, -0.207), fill(0xFFF3EFEA))
        canvas.drawOval(skia.Rect.MakeLTRB(x - 0.004, -0.231, x + half, -0.205), fill(_DARK))
        canvas.drawLine(x - half * 1.3, -0.243, x + half * 1.2, -0.246, stroke(darker(hair, 0.1), 0.009))
    canvas.drawLine(0.052, -0.132, 0.090, -0.133, stroke(mix(darker(skin, 0.35), 0xFF8A2C2C, 0.35), 0.010))


def _hair(canvas: skia.Canvas, style: str, hair: int, light: int) -> None:
    paint = side_lit(hair, 0.12, light, 0.9)
    if style == "long":
        canvas.drawPath(
            smooth(
                (-0.030, -0.285),
                (-0.034, -0.200),
                (-0.030, -0.110),
                (-0.045, 0.010),
                (-0.115, 0.030),
                (-0.138, -0.080),
                (-0.136, -0.230),
                (-0.090, -0.345),
            ),
            paint,
        )
    if style == "bun":
        canvas.drawCircle(-0.105, -0.352, 0.052, paint)
    canvas.drawPath(
        smooth(
            (0.104, -0.270),
            (0.100, -0.335),
            (0.050, -0.378),
            (-0.025, -0.385),
            (-0.095, -0.345),
            (-0.124, -0.260),
            (-0.105, -0.170),
            (-0.070, -0.145),
            (-0.058, -0.205),
            (-0.040, -0.240),
            (-0.016, -0.262),
            (0.000, -0.305),
            (0.060, -0.312),
        ),
        paint,
    )
    shine = with_alpha(lighter(hair, 0.35), 0.5)
    canvas.drawPath(smooth((-0.050, -0.362), (0.030, -0.368), (0.040, -0.352), (-0.045, -0.342)), fill(shine))


def _nape(canvas: skia.Canvas, style: str, hair: int, light: int) -> None:
    """What shows of the hair under a hat."""
    paint = side_lit(hair, 0.12, light, 0.9)
    if style == "long":
        canvas.drawPath(
            smooth(
                (-0.020, -0.280),
                (-0.040, -0.200),
                (-0.034, -0.110),
                (-0.050, 0.010),
                (-0.115, 0.020),
                (-0.135, -0.100),
                (-0.122, -0.270),
            ),
            paint,
        )
        return
    if style == "bun":
        canvas.drawCircle(-0.122, -0.190, 0.040, paint)
    canvas.drawPath(
        smooth(
            (0.000, -0.285),
            (-0.018, -0.245),
            (-0.042, -0.235),
            (-0.058, -0.190),
            (-0.080, -0.150),
            (-0.108, -0.190),
            (-0.116, -0.270),
        ),
        paint,
    )


def _hard_hat(canvas: skia.Canvas, colour: int, light: int) -> None:
    dome = skia.Path()
    dome.moveTo(-0.142, -0.262)
    dome.cubicTo(-0.158, -0.352, -0.088, -0.418, 0.006, -0.418)
    dome.cubicTo(0.100, -0.418, 0.158, -0.352, 0.150, -0.268)
    dome.quadTo(0.004, -0.244, -0.142, -0.262)
    dome.close()
    canvas.drawPath(dome, side_lit(colour, 0.155, light, 1.15))
    under = overlap(dome, polygon((-0.2, -0.292), (0.2, -0.300), (0.2, -0.2), (-0.2, -0.2)))
    canvas.drawPath(under, fill(with_alpha(darker(colour, 0.5), 0.30)))
    ridge = smooth(
        (-0.055, -0.405),
        (0.010, -0.428),
        (0.082, -0.402),
        (0.128, -0.330),
        (0.104, -0.330),
        (0.062, -0.385),
        (0.006, -0.404),
        tension=0.8,
    )
    canvas.drawPath(ridge, fill(lighter(colour, 0.28) if light > 0 else darker(colour, 0.14)))
    shine = smooth((light * 0.085, -0.372), (light * 0.045, -0.386), (light * 0.068, -0.330), (light * 0.108, -0.312))
    canvas.drawPath(shine, fill(with_alpha(0xFFFFFFFF, 0.62)))
    brim = smooth(
        (-0.160, -0.258),
        (-0.100, -0.268),
        (0.020, -0.262),
        (0.130, -0.278),
        (0.192, -0.262),
        (0.206, -0.246),
        (0.150, -0.244),
        (0.020, -0.232),
        (-0.110, -0.240),
        (-0.158, -0.244),
        tension=0.9,
    )
    canvas.drawPath(
        brim,
        linear((0.0, -0.275), (0.0, -0.232), (lighter(colour, 0.2), colour, darker(colour, 0.3)), (0.0, 0.55, 1.0)),
    )
    canvas.drawPath(brim, stroke(with_alpha(darker(colour, 0.55), 0.5), 0.006))


def _soft_cap(canvas: skia.Canvas, colour: int, light: int, knitted: bool) -> None:
    dome = smooth(
        (0.108, -0.282),
        (0.090, -0.358),
        (0.000, -0.396),
        (-0.092, -0.362),
        (-0.122, -0.270),
        (-0.060, -0.252),
        (0.030, -0.268),
    )
    canvas.drawPath(dome, side_lit(colour, 0.12, light, 0.8))
    if knitted:
        band = smooth(
            (-0.126, -0.282),
            (-0.118, -0.228),
            (0.000, -0.244),
            (0.110, -0.262),
            (0.114, -0.306),
            (0.000, -0.296),
            tension=0.8,
        )
        canvas.drawPath(band, side_lit(lighter(colour, 0.08), 0.12, light, 0.9))
        for x in (-0.08, -0.04, 0.0, 0.04, 0.08):
            canvas.drawLine(x, -0.29, x * 1.02, -0.252, stroke(with_alpha(darker(colour, 0.4), 0.5), 0.007))
    else:
        visor = smooth(
            (0.060, -0.285), (0.118, -0.284), (0.176, -0.262), (0.172, -0.254), (0.100, -0.262), (0.060, -0.266)
        )
        canvas.drawPath(visor, fill(darker(colour, 0.3)))


def _back(canvas: skia.Canvas, skin: int, hair: int, style: str, light: int) -> None:
    """The head from behind: ears at both sides, hair over all but the bald."""
    canvas.drawPath(
        smooth((-0.105, -0.235), (-0.118, -0.215), (-0.106, -0.175), (-0.09, -0.18)), fill(darker(skin, 0.08))
    )
    canvas.drawPath(smooth((0.105, -0.235), (0.118, -0.215), (0.106, -0.175), (0.09, -0.18)), fill(darker(skin, 0.22)))
    skull = smooth(
        (0.0, -0.112),
        (-0.065, -0.130),
        (-0.098, -0.190),
        (-0.108, -0.265),
        (-0.070, -0.338),
        (0.0, -0.360),
        (0.070, -0.338),
        (0.108, -0.265),
        (0.098, -0.190),
        (0.065, -0.130),
    )
    canvas.drawPath(skull, side_lit(skin, 0.11, light, 0.8))
    if style == "bald":
        return
    low = {"long": 0.04, "bun": -0.15}.get(style, -0.16)
    canvas.drawPath(
        smooth(
            (0.0, low),
            (-0.075, low - 0.02),
            (-0.116, -0.240),
            (-0.078, -0.352),
            (0.0, -0.380),
            (0.078, -0.352),
            (0.116, -0.240),
            (0.075, low - 0.02),
        ),
        side_lit(hair, 0.12, light),
    )
    if style == "bun":
        canvas.drawCircle(0.0, -0.335, 0.055, side_lit(lighter(hair, 0.06), 0.055, light))


@lru_cache(maxsize=512)
def head_picture(
    skin: int,
    hair: int,
    style: str,
    hat: int | None,
    cap: int | None,
    light: int,
    beard: bool = False,
    behind: bool = False,
) -> skia.Picture:
    """A head with its neck.

    Args:
        skin: Colour of the skin.
        hair: Colour of the hair.
        style: One of short, bun, long, bald.
        hat: Colour of the hard hat, if one is worn.
        cap: Colour of a knitted cap, if one is worn; with a negative sign, of a cap with a visor.
        light: Side of the light, -1 left or 1 right, in the picture's own axes.
        beard: Whether the face has a beard.
        behind: Whether the head is seen from behind.
    """

    def draw(canvas: skia.Canvas) -> None:
        neck = smooth((-0.062, -0.02), (-0.050, -0.14), (0.052, -0.14), (0.064, -0.02), (0.012, 0.030), tension=0.6)
        canvas.drawPath(neck, side_lit(darker(skin, 0.12), 0.06, light))
        if behind:
            _back(canvas, skin, hair, style, light)
        else:
            _face(canvas, skin, light, hair, beard)
        if hat is not None:
            if not behind:
                _nape(canvas, "short" if style == "bald" else style, hair, light)
            _hard_hat(canvas, hat, light)
        elif cap is not None:
            if not behind:
                _nape(canvas, "short" if style == "bald" else style, hair, light)
            _soft_cap(canvas, abs(cap), light, cap > 0)
        elif style != "bald" and not behind:
            _hair(canvas, style, hair, light)

    return recorded(draw)
