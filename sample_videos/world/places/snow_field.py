"""A snow field: hills, firs, a fence and now and then a cabin."""

from __future__ import annotations

import skia

from ..light import RGB, Lamp, mixed, packed
from .brush import Brush, ellipses, lines, rectangles
from .easel import Easel
from .floor import paint_pools
from .nature import paint_fir, paint_wood
from .sky import BOTTOM, LEFT, RIGHT, paint_ridge, paint_sky, ridge
from .texture import grain, texture_paint

SNOW: RGB = (242, 246, 252)
SHADOW: RGB = (176, 194, 226)


def paint_snow_field(easel: Easel) -> None:
    """Sky, mountains, wooded hills and the open snow."""
    mood, rng = easel.mood, easel.rng
    with easel.layer(0.08) as brush:
        paint_sky(brush, 176)
    with easel.layer(0.16, 0.75) as brush:
        _mountains(brush, rng.uniform(70, 110))
    with easel.layer(0.35, 0.55) as brush:
        line = ridge(brush.rng, 200, 62)
        paint_ridge(brush, line, SNOW, mixed(SNOW, SHADOW, 0.4), 236)
        _wood(brush, line, count=46, height=20)
    with easel.layer(0.7, 0.22) as brush:
        line = ridge(brush.rng, 216, 30, rough=0.5)
        paint_ridge(brush, line, SNOW, mixed(SNOW, SHADOW, 0.55), 240)
        _wood(brush, line, count=16, height=62)
        if rng.random() < 0.6:
            _cabin(brush, rng.uniform(90, 520), 212)
    if mood.dark:
        easel.lamps = tuple(Lamp(-60 + 330 * i + rng.uniform(-60, 60), 262, 240, (255, 222, 170)) for i in range(3))
    with easel.layer(1.0) as brush:
        _snow(brush)
        paint_pools(brush, easel.lamps)
        _props(brush)
        for lamp in easel.lamps:
            brush.shade(lamp.x, 236, 16, 3, 0.3)
            brush.rect(lamp.x - 2, 122, lamp.x + 2, 236, (70, 58, 50))
            brush.rect(lamp.x - 5, 114, lamp.x + 5, 124, (255, 236, 190), emit=True)
            brush.glow(lamp.x, 119, 60, 60, lamp.colour, 0.5)


def _mountains(brush: Brush, height: float) -> None:
    """Far peaks with lit and shaded flanks."""
    rng = brush.rng
    x = LEFT
    while x < RIGHT:
        width = rng.uniform(150, 280)
        top = 176 - height * rng.uniform(0.55, 1.1)
        peak = x + width * rng.uniform(0.4, 0.6)
        left, right = (x - 40, 190.0), (x + width + 40, 190.0)
        brush.polygon([left, (peak, top), right], (226, 234, 246), (200, 212, 232))
        bend = [(peak, top), (peak + 8, top + 26), (peak - 6, top + 48), (peak + 16, 190.0)]
        side = right if brush.mood.sun[0] < peak else left
        brush.polygon([*bend, side], (150, 170, 206), (182, 198, 224))
        rocks = [(peak + rng.uniform(-0.2, 0.2) * width, top + rng.uniform(28, 60)) for _ in range(5)]
        for rock_x, rock_y in rocks[:3]:
            brush.polygon(
                [(rock_x, rock_y), (rock_x + 9, rock_y + 15), (rock_x + 2, rock_y + 11), (rock_x - 6, rock_y + 17)],
                (120, 132, 152),
                alpha=0.6,
            )
        x += width * 0.72


def _wood(brush: Brush, line: list[tuple[float, float]], *, count: int, height: float) -> None:
    """Firs along a ridge, in clumps."""
    rng = brush.rng
    clumps = [rng.uniform(LEFT, RIGHT) for _ in range(5)]
    trees = []
    for _ in range(count):
        x = rng.gauss(rng.choice(clumps), 60)
        index = int((x - LEFT) / 20)
        if 0 <= index < len(line):
            trees.append((x, line[index][1] + 3 + rng.random() * height * 0.1, height * rng.uniform(0.6, 1.2)))
    paint_wood(brush, sorted(trees, key=lambda tree: tree[1]))


def _cabin(brush: Brush, x: float, base: float) -> None:
    """A log cabin with snow on its roof; its windows glow in the dark."""
    metre = 32.0
    wide, tall = 3.2 * metre, 2.2 * metre
    brush.shade(x + wide / 2, base + 1, wide * 0.7, 6, 0.35, (60, 80, 130))
    brush.rect(x, base - tall, x + wide, base, (134, 92, 62), (98, 66, 48))
    logs = lines([(x, base - i * 7.2, x + wide, base - i * 7.2) for i in range(1, 10)])
    brush.stroke(logs, (66, 44, 34), 1.1, alpha=0.7)
    peak = base - tall - 38
    brush.polygon(
        [(x - 14, base - tall + 4), (x + 20, peak), (x + wide - 20, peak), (x + wide + 14, base - tall + 4)],
        (250, 252, 255),
        (206, 218, 238),
    )
    brush.rect(x + wide * 0.7, peak - 15, x + wide * 0.7 + 13, peak + 6, (120, 96, 88), (92, 74, 70))
    bright = brush.mood.dark or brush.mood.dusk
    colour: RGB = (255, 208, 120) if bright else (62, 74, 92)
    brush.path(
        rectangles([(x + 12, base - 48, x + 33, base - 26), (x + wide - 32, base - 48, x + wide - 11, base - 26)]),
        colour,
        emit=True,
    )
    brush.rect(x + wide / 2 - 12, base - 2.0 * metre, x + wide / 2 + 12, base, (82, 52, 38), (66, 42, 32))
    if brush.mood.dark:
        brush.glow(x + wide / 2, base - 30, 90, 60, (255, 180, 90), 0.35)


def _snow(brush: Brush) -> None:
    """The open snow: soft drifts, blue hollows, a little sparkle."""
    mood, rng = brush.mood, brush.rng
    drift = ridge(rng, 226, 12, rough=0.3)
    brush.polygon([*drift, (RIGHT, BOTTOM), (LEFT, BOTTOM)], mixed(SNOW, SHADOW, 0.22), SNOW)
    for _ in range(7):
        y = 232 + 120 * rng.random()
        wide = (60 + (y - 210) * 1.7) * rng.uniform(0.6, 1.4)
        x = rng.uniform(LEFT, RIGHT)
        brush.shade(x, y, wide, wide * 0.09, 0.42, mood.shaded(mixed(SHADOW, (120, 150, 224), 0.6)))
        brush.shade(x - 10, y - wide * 0.07, wide, wide * 0.06, 0.5, mood.shaded((255, 255, 255)))
    matrix = skia.Matrix()
    matrix.setScaleTranslate(1.9, 0.55, rng.uniform(0, 300), 0)
    soft = packed(mood.shaded((120, 150, 205)), 0.14)
    brush.canvas.drawRect(skia.Rect(LEFT, 228, RIGHT, BOTTOM), texture_paint(grain(), soft, matrix))
    sparkle = [(rng.uniform(LEFT, RIGHT), 236 + 120 * rng.random(), 0.8, 0.5) for _ in range(60)]
    brush.path(ellipses(sparkle), (255, 255, 255), alpha=0.9)
    if mood.dusk:
        brush.glow(mood.sun[0], 226, 340, 90, (255, 130, 80), 0.3)


def _props(brush: Brush) -> None:
    """Near firs, a fence and tracks."""
    rng = brush.rng
    if rng.random() < 0.7:
        posts = [(x, 208 + 3 * ((x // 46) % 2), x + 4, 234) for x in range(int(LEFT), int(RIGHT), 46)]
        brush.stroke(lines([(LEFT, 214, RIGHT, 214), (LEFT, 223, RIGHT, 223)]), (104, 84, 70), 2.2)
        brush.path(rectangles(posts), (112, 92, 76), (82, 66, 58))
        brush.path(rectangles([(x - 1, top - 3, x + 5, top) for x, top, _, _ in posts]), (250, 252, 255))
    for side in (-1, 1):
        for _ in range(rng.randrange(1, 4)):
            x = 320 + side * rng.uniform(170, 560)
            height = rng.uniform(110, 190)
            brush.shade(
                x + (26 if brush.mood.sun[0] < x else -26),
                233,
                height * 0.36,
                7,
                0.4,
                brush.mood.shaded((110, 138, 196)),
            )
            paint_fir(brush, x, 234, height, snow=0.9)
