"""Skies: gradients, sun, moon, stars and clouds, and the skylines that stand against them."""

from __future__ import annotations

import math
import random

import skia

from ..light import RGB, mixed, packed
from .brush import Brush, ellipses, rectangles
from .texture import CLOUD_KINDS, LINEAR, band_cloud, heap_cloud

LEFT, TOP, RIGHT, BOTTOM = -290.0, -60.0, 930.0, 420.0
"""What a layer has to fill, in stage units."""

CENTRE = 320.0
"""Stage x of the middle, where floors vanish."""


def paint_sky(brush: Brush, horizon: float) -> None:
    """The whole sky down to `horizon`, and its lowest colour below."""
    mood = brush.mood
    colours = [packed(colour) for colour in mood.sky]
    shader = skia.GradientShader.MakeLinear([(0, -30), (0, horizon)], colours, [0.0, 0.4, 0.74, 1.0])
    brush.canvas.drawRect(skia.Rect(LEFT, TOP, RIGHT, max(horizon + 50, 214)), skia.Paint(Shader=shader))
    if mood.dark:
        _stars(brush, horizon)
    if mood.weather.value == "clear":
        _sun(brush, horizon)
    _clouds(brush, horizon)


def _stars(brush: Brush, horizon: float) -> None:
    rng, share = brush.rng, 1.0 - brush.mood.cover
    for size, count in ((0.45, 70), (0.8, 22)):
        spots = [(rng.uniform(LEFT, RIGHT), horizon * rng.random() ** 1.4, size, size) for _ in range(count)]
        brush.path(ellipses(spots), (214, 224, 255), alpha=0.8 * share, emit=True)


def _sun(brush: Brush, horizon: float) -> None:
    mood = brush.mood
    x, y = mood.sun
    if mood.dusk:
        y *= min(1.0, horizon / 165)
    if mood.dark:
        brush.glow(x, y, 110, 110, (110, 130, 180), 0.6)
        brush.path(ellipses([(x, y, 11, 11)]), (236, 238, 226), emit=True)
        dents = ellipses([(x - 3, y - 2, 3, 3), (x + 4, y + 3, 2, 2), (x + 2, y - 5, 1.5, 1.5)])
        brush.path(dents, (206, 210, 206), emit=True)
    elif mood.dusk:
        brush.glow(x, y, 420, 190, (255, 150, 70), 0.75)
        brush.glow(x, y, 110, 100, (255, 214, 140), 0.85)
        brush.path(ellipses([(x, y, 17, 17)]), (255, 246, 214), emit=True)
    elif mood.cover < 0.9:
        brush.glow(x, y, 240, 200, (255, 250, 225), 0.45)


def _cloud(brush: Brush, kind: int, x: float, y: float, width: float, *, heap: bool, alpha: float) -> None:
    body, lit = heap_cloud(kind) if heap else band_cloud(kind)
    height = width * body.height() / body.width() * (1.0 if heap else 0.75)
    canvas, (bright, dim) = brush.canvas, brush.mood.cloud
    canvas.save()
    canvas.translate(x, y)
    if brush.rng.random() < 0.5:
        canvas.scale(-1, 1)
    area = skia.Rect(-width / 2, -height / 2, width / 2, height / 2)
    canvas.drawImageRect(body, area, LINEAR, skia.Paint(Color=packed(dim, alpha)))
    canvas.drawImageRect(lit, area, LINEAR, skia.Paint(Color=packed(bright, alpha)))
    canvas.restore()


def _clouds(brush: Brush, horizon: float) -> None:
    rng, mood = brush.rng, brush.mood
    thick = mood.cover > 0.9
    count = 5 if thick else 1 + int(mood.cover * 8)
    for index in range(count):
        near = (index + rng.random()) / count
        heap = not thick and not mood.dark and rng.random() < (0.25 if mood.dusk else 0.7)
        width = (300 + 260 * rng.random() if thick else 90 + 210 * rng.random()) * (0.6 + 0.6 * (1 - near))
        y = (8 + near * 0.72 * (horizon - 24)) if not thick else near * horizon * 0.8
        alpha = (0.75 if thick else 0.9) * (0.55 if mood.dark else 1.0)
        _cloud(brush, rng.randrange(CLOUD_KINDS), rng.uniform(-120, 760), y, width, heap=heap, alpha=alpha)


def ridge(rng: random.Random, base: float, height: float, *, rough: float = 1.0) -> list[tuple[float, float]]:
    """Points of a hilly line about `height` over `base`, across the whole layer."""
    phases = [rng.uniform(0, 6.3) for _ in range(4)]
    waves = (0.0062, 0.0137, 0.031, 0.071)
    weights = (0.42, 0.3, 0.17 * rough, 0.09 * rough)
    points = []
    for step in range(62):
        x = LEFT + step * 20
        rise = sum(w * math.sin(k * x + p) for k, w, p in zip(waves, weights, phases, strict=True))
        points.append((x, base - height * (0.62 + rise * 0.7)))
    return points


def paint_ridge(brush: Brush, points: list[tuple[float, float]], colour: RGB, low: RGB, bottom: float) -> None:
    """Hills under the line `points`, shaded down to `low` at `bottom`."""
    brush.polygon([*points, (RIGHT, bottom), (LEFT, bottom)], colour, low)


def paint_skyline(brush: Brush, base: float, height: float, colour: RGB) -> None:
    """A row of far house blocks on `base`, up to `height` tall, with some windows lit in the dark."""
    rng = brush.rng
    blocks, windows = [], []
    x = LEFT
    while x < RIGHT:
        width = rng.uniform(22, 62)
        top = base - height * (0.3 + 0.7 * rng.random() ** 1.6)
        blocks.append((x, top, x + width, base))
        if rng.random() < 0.35:
            blocks.append((x + width * 0.3, top - rng.uniform(4, 14), x + width * 0.55, top))
        windows.append((x, top, width))
        x += width + rng.choice((0.0, 0.0, rng.uniform(4, 18)))
    path = rectangles(blocks)
    brush.path(path, colour, mixed(colour, (255, 255, 255), 0.2))
    if brush.mood.dark or brush.mood.dusk:
        lit = []
        for left, top, width in windows:
            columns = max(1, int(width / 6))
            for _ in range(5):
                x, y = left + 3 + int(rng.random() * columns) * 6, top + 5 + int(rng.random() * 9) * 7
                if y < base - 5:
                    lit.append((x, y, x + 2.6, y + 3.2))
        brush.path(rectangles(lit), (255, 206, 130), alpha=0.85 if brush.mood.dark else 0.5, emit=True)


def paint_evening(brush: Brush) -> None:
    """The air of a sunset over a whole place: warm towards the sun, violet away from it."""
    x = brush.mood.sun[0]
    side = 1 if x < CENTRE else -1
    colours = [packed((66, 48, 120), 0.26), packed((150, 76, 116), 0.12), packed((255, 176, 96), 0.1)]
    shader = skia.GradientShader.MakeLinear([(x + side * 640, 0), (x, 0)], colours)
    brush.canvas.drawRect(skia.Rect(LEFT, TOP, RIGHT, BOTTOM), skia.Paint(Shader=shader))
