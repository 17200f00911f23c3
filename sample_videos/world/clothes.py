"""The clothed parts of a person's body: trunk, vest, sleeves, trousers, shoes; each in its own axes, in metres."""

from __future__ import annotations

from functools import lru_cache

import skia

from .brushes import box_path, fill, linear, overlap, polygon, recorded, side_lit, smooth, stroke, taper
from .palette import REFLECTIVE, darker, lighter, with_alpha
from .poses import FOREARM, SHIN, THIGH, UPPER_ARM

__all__ = ["forearm_picture", "shin_picture", "shoe_picture", "thigh_picture", "trunk_picture", "upper_arm_picture"]


def _trunk_outline(width: float, grow: float = 0.0) -> skia.Path:
    w = width
    return smooth(
        (-0.070 * w, -0.530),
        (-0.155 * w - grow, -0.508 - grow),
        (-0.218 * w - grow, -0.440),
        (-0.192 * w - grow, -0.290),
        (-0.165 * w - grow, -0.130),
        (-0.176 * w - grow, 0.030),
        (-0.150 * w, 0.062 + grow),
        (0.150 * w, 0.062 + grow),
        (0.176 * w + grow, 0.030),
        (0.170 * w + grow, -0.130),
        (0.196 * w + grow, -0.290),
        (0.218 * w + grow, -0.440),
        (0.155 * w + grow, -0.508 - grow),
        (0.070 * w, -0.530),
    )


def _front(canvas: skia.Canvas, top: int, width: float, style: int) -> None:
    middle = 0.035 * width
    dark = with_alpha(darker(top, 0.5), 0.75)
    if style == 0:
        canvas.drawLine(middle, -0.50, middle * 0.8, 0.05, stroke(dark, 0.012))
        for x in (-0.115, 0.09):
            canvas.drawLine(x * width, -0.11, (x + 0.035) * width, -0.02, stroke(dark, 0.012))
        collar = smooth(
            (-0.08, -0.555), (-0.045, -0.50), (middle, -0.47), (0.085, -0.51), (0.09, -0.555), (0.0, -0.525)
        )
        canvas.drawPath(collar, fill(darker(top, 0.2)))
    elif style == 1:
        hood = smooth((-0.10, -0.555), (-0.09, -0.505), (0.02, -0.465), (0.11, -0.505), (0.10, -0.555), (0.01, -0.525))
        canvas.drawPath(hood, fill(darker(top, 0.16)))
        pouch = polygon((-0.10 * width, 0.00), (-0.06 * width, -0.12), (0.12 * width, -0.12), (0.15 * width, 0.00))
        canvas.drawPath(pouch, stroke(dark, 0.010))
        for x in (0.0, 0.055):
            canvas.drawLine(x, -0.475, x, -0.39, stroke(with_alpha(lighter(top, 0.5), 0.9), 0.009))
    else:
        canvas.drawPath(
            smooth((-0.075, -0.55), (0.01, -0.485), (0.085, -0.55), (0.01, -0.525)), fill(darker(top, 0.22))
        )
        canvas.drawPath(box_path(-0.165 * width, 0.025, 0.165 * width, 0.058), fill(with_alpha(darker(top, 0.4), 0.5)))


def _vest(canvas: skia.Canvas, colour: int, width: float, light: int, behind: bool) -> None:
    w = width
    outline = overlap(
        _trunk_outline(w, 0.012),
        polygon(
            (-0.155 * w, -0.56),
            (-0.165 * w, -0.40),
            (-0.30, -0.33),
            (-0.30, 0.10),
            (0.30, 0.10),
            (0.30, -0.33),
            (0.165 * w, -0.40),
            (0.155 * w, -0.56),
        ),
    )
    notch = polygon((-0.055 * w, -0.62), (0.035 * w, -0.34), (0.110 * w, -0.62))
    if not behind:
        outline = skia.Op(outline, notch, skia.PathOp.kDifference_PathOp) or outline
    canvas.drawPath(outline, side_lit(colour, 0.2 * w, light, 0.75))
    band = side_lit(REFLECTIVE, 0.2 * w, light, 0.75)
    edge = fill(with_alpha(darker(colour, 0.4), 0.55))
    for low in (-0.030, -0.170):
        strip = polygon(
            (-0.4, low - 0.062), (0.0, low - 0.052), (0.4, low - 0.062), (0.4, low), (0.0, low + 0.010), (-0.4, low)
        )
        rim = polygon(
            (-0.4, low - 0.072),
            (0.0, low - 0.062),
            (0.4, low - 0.072),
            (0.4, low + 0.01),
            (0.0, low + 0.02),
            (-0.4, low + 0.01),
        )
        canvas.drawPath(overlap(outline, rim), edge)
        canvas.drawPath(overlap(outline, strip), band)
    for x in (-0.118, 0.118):
        strap = polygon(
            ((x - 0.024) * w, -0.60), ((x + 0.024) * w, -0.60), ((x + 0.024) * w, -0.225), ((x - 0.024) * w, -0.225)
        )
        canvas.drawPath(overlap(outline, strap), band)
    if not behind:
        canvas.drawLine(0.035 * w, -0.34, 0.03 * w, 0.06, stroke(with_alpha(darker(colour, 0.5), 0.8), 0.010))


@lru_cache(maxsize=512)
def trunk_picture(
    top: int, vest: int | None, trousers: int, width: float, girth: float, light: int, style: int, behind: bool = False
) -> skia.Picture:
    """The trunk from the hips (origin) to the neck base at (0, -0.505), with pelvis, garment and vest."""
    w = width * girth

    def draw(canvas: skia.Canvas) -> None:
        pelvis = smooth(
            (-0.150 * w, -0.03),
            (-0.160 * w, 0.08),
            (-0.06 * w, 0.135),
            (0.06 * w, 0.135),
            (0.160 * w, 0.08),
            (0.150 * w, -0.03),
        )
        canvas.drawPath(pelvis, side_lit(trousers, 0.17 * w, light, 0.8))
        outline = _trunk_outline(w)
        canvas.drawPath(outline, side_lit(top, 0.21 * w, light, 1.0))
        canvas.drawPath(
            overlap(outline, box_path(-0.4, 0.0, 0.4, 0.1)),
            linear((0.0, 0.0), (0.0, 0.07), (with_alpha(darker(top, 0.6), 0.0), with_alpha(darker(top, 0.6), 0.45))),
        )
        if not behind:
            _front(canvas, top, w, style)
        if vest is not None:
            _vest(canvas, vest, w, light, behind)

    return recorded(draw)


@lru_cache(maxsize=512)
def thigh_picture(colour: int, girth: float, light: int) -> skia.Picture:
    """A thigh from the hip down its y axis."""
    limb = taper(THIGH, 0.088 * girth, 0.062 * girth, 0.008)
    return recorded(lambda canvas: canvas.drawPath(limb, side_lit(colour, 0.085 * girth, light)))


@lru_cache(maxsize=512)
def shin_picture(colour: int, girth: float, light: int) -> skia.Picture:
    """A lower leg from the knee down its y axis, with the trousers' hem."""
    r = 0.062 * girth
    limb = smooth(
        (0.0, -r),
        (r * 0.85, -r * 0.5),
        (r, 0.05),
        (0.058 * girth, SHIN * 0.5),
        (0.054, SHIN * 0.9),
        (0.056, SHIN + 0.025),
        (0.0, SHIN + 0.035),
        (-0.056, SHIN + 0.020),
        (-0.056, SHIN * 0.9),
        (-0.068 * girth, SHIN * 0.4),
        (-r, 0.05),
        (-r * 0.85, -r * 0.5),
    )

    def draw(canvas: skia.Canvas) -> None:
        canvas.drawPath(limb, side_lit(colour, 0.065 * girth, light))
        canvas.drawLine(-0.048, SHIN + 0.002, 0.048, SHIN + 0.004, stroke(with_alpha(darker(colour, 0.5), 0.5), 0.01))

    return recorded(draw)


@lru_cache(maxsize=64)
def shoe_picture(colour: int, sole: int) -> skia.Picture:
    """A shoe around the ankle at the origin, its sole at y = 0.075, its toe to the right."""

    def draw(canvas: skia.Canvas) -> None:
        upper = smooth(
            (-0.055, -0.035),
            (0.050, -0.035),
            (0.085, 0.005),
            (0.155, 0.022),
            (0.185, 0.050),
            (0.180, 0.066),
            (-0.070, 0.066),
            (-0.074, 0.020),
            tension=0.8,
        )
        canvas.drawPath(upper, linear((0, -0.04), (0, 0.07), (lighter(colour, 0.15), darker(colour, 0.2))))
        canvas.drawPath(
            smooth((-0.076, 0.056), (0.188, 0.052), (0.190, 0.075), (-0.076, 0.075), tension=0.3), fill(sole)
        )

    return recorded(draw)


@lru_cache(maxsize=512)
def upper_arm_picture(colour: int, girth: float, light: int) -> skia.Picture:
    """An upper arm from the shoulder down its y axis."""
    limb = taper(UPPER_ARM, 0.064 * girth, 0.050 * girth, 0.004)
    return recorded(lambda canvas: canvas.drawPath(limb, side_lit(colour, 0.062 * girth, light)))


@lru_cache(maxsize=512)
def forearm_picture(colour: int, skin: int, girth: float, light: int) -> skia.Picture:
    """A forearm from the elbow down its y axis, with cuff and hand."""
    limb = taper(FOREARM - 0.02, 0.050 * girth, 0.040, 0.003)
    hand = smooth(
        (-0.026, FOREARM - 0.01),
        (0.026, FOREARM - 0.01),
        (0.044, FOREARM + 0.035),
        (0.034, FOREARM + 0.075),
        (0.004, FOREARM + 0.095),
        (-0.028, FOREARM + 0.070),
        (-0.034, FOREARM + 0.030),
    )

    def draw(canvas: skia.Canvas) -> None:
        canvas.drawPath(hand, side_lit(skin, 0.042, light, 0.9))
        canvas.drawPath(limb, side_lit(colour, 0.05 * girth, light))
        canvas.drawLine(
            -0.036, FOREARM - 0.005, 0.036, FOREARM - 0.005, stroke(with_alpha(darker(colour, 0.5), 0.55), 0.012)
        )

    return recorded(draw)
