"""A harbour: a quay, water with what it mirrors, a moored ship and stacks of containers."""

from __future__ import annotations

import math

import skia

from ..light import RGB, Lamp, mixed, packed, times
from .brush import Brush, ellipses, lines, polygon, rectangles
from .easel import Easel
from .floor import paint_floor, paint_joints, paint_pools, paint_sunlight, paint_wet
from .sky import LEFT, RIGHT, paint_ridge, paint_sky, paint_skyline, ridge

Rect4 = tuple[float, float, float, float]

QUAY = 226.0
CONTAINERS: tuple[RGB, ...] = (
    (164, 66, 54),
    (52, 96, 138),
    (70, 120, 92),
    (196, 128, 60),
    (132, 136, 140),
    (98, 62, 84),
    (60, 118, 126),
)
HULLS: tuple[RGB, ...] = ((60, 84, 112), (124, 52, 48), (66, 70, 76), (54, 98, 96))


def paint_harbour(easel: Easel) -> None:
    """Sky, far shore, water, ship, quay."""
    floor, mood, rng = easel.floor, easel.mood, easel.rng
    shore = floor.horizon + 6
    with easel.layer(0.1) as brush:
        paint_sky(brush, shore)
    with easel.layer(0.25, 0.85) as brush:
        if rng.random() < 0.5:
            paint_ridge(brush, ridge(brush.rng, shore + 2, 46), (86, 108, 120), (110, 126, 132), shore + 1)
        else:
            paint_skyline(brush, shore + 1, 42, (112, 116, 128))
    with easel.layer(0.45, 0.3) as brush:
        _water(brush, shore)
    with easel.layer(0.82, 0.12) as brush:
        _ship(brush, rng.uniform(20, 330))
    if mood.dark:
        easel.lamps = tuple(Lamp(-140 + 220 * i + rng.uniform(-24, 24), 276, 175, (255, 206, 134)) for i in range(5))
    with easel.layer(1.0) as brush:
        _stacks(brush)
        paint_floor(brush, floor, QUAY, (160, 156, 150), (128, 126, 124), grain_alpha=0.24)
        paint_joints(brush, floor, QUAY + 6, across=3.0, deep=2.4, colour=(74, 72, 72))
        _edge(brush)
        paint_sunlight(brush, 250)
        paint_wet(brush, QUAY + 8, easel.lamps)
        paint_pools(brush, easel.lamps)
        _masts(brush, easel.lamps)


def _water(brush: Brush, shore: float) -> None:
    """Water that takes the colours of the sky, broken by ripples."""
    mood, rng = brush.mood, brush.rng
    deep = mixed(times((52, 92, 112), mood.key), mood.sky[1], 0.3)
    colours = [packed(mixed(mood.sky[3], deep, 0.25)), packed(mixed(mood.sky[2], deep, 0.6)), packed(deep)]
    shader = skia.GradientShader.MakeLinear([(0, shore), (0, QUAY + 24)], colours, [0.0, 0.35, 1.0])
    brush.canvas.drawRect(skia.Rect(LEFT, shore, RIGHT, QUAY + 40), skia.Paint(Shader=shader))
    x = mood.sun[0]
    if mood.dusk or (mood.dark and not mood.wet):
        brush.glow(x, shore + 30, 46, 60, (255, 180, 100) if mood.dusk else (120, 140, 190), 0.5)
    bright: list[Rect4] = []
    dark: list[Rect4] = []
    for _ in range(120):
        y = shore + 2 + (QUAY + 26 - shore) * rng.random() ** 1.3
        size = 3 + (y - shore) * 0.36 * rng.random()
        middle = rng.uniform(LEFT, RIGHT) if rng.random() < 0.7 else rng.gauss(x, 30)
        (bright if rng.random() < 0.5 else dark).append((middle, y, size, 0.35 + (y - shore) * 0.011))
    brush.path(ellipses(bright), mixed(mood.sky[3], (255, 255, 255), 0.3), alpha=0.5, emit=True)
    brush.path(ellipses(dark), times(deep, (0.66, 0.68, 0.74)), alpha=0.45, emit=True)


def _ship(brush: Brush, x: float) -> None:
    """A moored coaster: hull, hold with containers, bridge and funnel."""
    rng, canvas = brush.rng, brush.canvas
    hull = rng.choice(HULLS)
    length, deck, line = rng.uniform(330, 420), QUAY - 62, QUAY + 4
    canvas.save()
    if rng.random() < 0.5:
        canvas.translate(2 * x + length, 0)
        canvas.scale(-1, 1)
    brush.polygon(
        [(x + 12, line), (x + length - 30, line), (x + length - 20, line + 16), (x + 20, line + 16)],
        times(hull, (0.4, 0.45, 0.5)),
        alpha=0.5,
    )
    for column in range(int((length - 140) / 47)):
        for row in range(rng.choice((1, 1, 2))):
            left = x + 92 + column * 47
            _container(brush, left, deck - 6 - row * 20, 45, 19, rng.choice(CONTAINERS))
    body = [
        (x, deck - 4),
        (x + 80, deck),
        (x + length - 52, deck),
        (x + length, deck - 20),
        (x + length - 26, line),
        (x + 10, line),
    ]
    brush.polygon(body, times(hull, (1.25,) * 3), times(hull, (0.8,) * 3))
    brush.polygon(
        [(x + 6, line - 14), (x + length - 21, line - 14), (x + length - 26, line), (x + 10, line)],
        (120, 50, 44),
        (84, 40, 38),
    )
    brush.stroke(
        lines([(x, deck - 3, x + length - 50, deck + 1), (x + length - 50, deck + 1, x + length, deck - 19)]),
        (236, 234, 226),
        1.6,
    )
    _bridge(brush, x, deck, hull)
    mast = x + length - 40
    brush.stroke(
        lines([(mast, deck - 14, mast, deck - 60), (x + 37, deck - 112, x + 37, deck - 140)]), (90, 92, 98), 1.8
    )
    canvas.restore()


def _bridge(brush: Brush, x: float, deck: float, hull: RGB) -> None:
    """The ship's house with its windows, and the funnel in the colour of the hull."""
    house = [(x + 10, deck - 74, x + 72, deck - 2), (x + 4, deck - 86, x + 78, deck - 72)]
    brush.path(rectangles(house), (240, 238, 230), (196, 196, 198))
    brush.rect(x + 26, deck - 112, x + 48, deck - 84, hull, times(hull, (0.7,) * 3))
    brush.rect(x + 26, deck - 106, x + 48, deck - 100, (236, 234, 226))
    panes = [(x + 9 + i * 11, deck - 83, x + 17 + i * 11, deck - 76) for i in range(6)]
    for row in range(3):
        y = deck - 62 + row * 22
        panes += [(x + 16 + i * 13, y, x + 23 + i * 13, y + 8) for i in range(4)]
    lit = brush.mood.dark or brush.mood.dusk
    brush.path(rectangles(panes), (255, 214, 140) if lit else (50, 64, 82), emit=True)


def _container(brush: Brush, left: float, bottom: float, width: float, height: float, colour: RGB) -> None:
    """A corrugated steel container."""
    top = bottom - height
    brush.rect(left, top, left + width, bottom, times(colour, (1.08,) * 3), times(colour, (0.82,) * 3))
    pitch = width / 14
    ribs = lines([(left + pitch * (i + 0.5), top + 2, left + pitch * (i + 0.5), bottom - 2) for i in range(14)])
    brush.stroke(ribs, times(colour, (0.62,) * 3), pitch * 0.34, alpha=0.7)
    brush.stroke(
        rectangles([(left + 0.5, top + 0.5, left + width - 0.5, bottom - 0.5)]), times(colour, (0.7,) * 3), 1.2
    )


def _stacks(brush: Brush) -> None:
    """Containers stacked on the quay's far side, left or right or both."""
    rng = brush.rng
    sides = rng.choice(((-210.0,), (470.0,), (-230.0, 520.0)))
    for start in sides:
        for column in range(2):
            left = start + column * 172
            for row in range(rng.choice((1, 2, 2))):
                _container(brush, left + rng.uniform(-3, 3), QUAY + 6 - row * 82, 168, 81, rng.choice(CONTAINERS))
        brush.shade(start + 172, QUAY + 8, 200, 7, 0.5)


def _edge(brush: Brush) -> None:
    """The edge of the quay with its bollards, a yellow line, and gulls over the water."""
    rng = brush.rng
    brush.rect(LEFT, QUAY, RIGHT, QUAY + 6, (190, 186, 178), (150, 146, 140), alpha=0.8)
    brush.rect(LEFT, QUAY + 13, RIGHT, QUAY + 15.5, (222, 180, 60), alpha=0.3 if brush.mood.snowy else 0.8)
    for index in range(7):
        x = -230 + index * 178 + rng.uniform(-12, 12)
        brush.shade(x + 4, QUAY + 9, 18, 4, 0.45)
        shape = polygon(
            [
                (x - 6, QUAY + 9),
                (x - 4.5, QUAY - 6),
                (x - 9, QUAY - 9),
                (x - 8, QUAY - 13),
                (x + 8, QUAY - 13),
                (x + 9, QUAY - 9),
                (x + 4.5, QUAY - 6),
                (x + 6, QUAY + 9),
            ]
        )
        brush.path(shape, (78, 80, 86), (48, 48, 54), across=True)
    gulls = skia.Path()
    for _ in range(rng.randrange(2, 6)):
        x, y, size = rng.uniform(0, 640), rng.uniform(24, 110), rng.uniform(4, 8)
        gulls.moveTo(x - size, y - size * 0.3)
        gulls.quadTo(x - size * 0.4, y - size * 0.5, x, y + math.copysign(size * 0.15, size))
        gulls.quadTo(x + size * 0.4, y - size * 0.5, x + size, y - size * 0.3)
    brush.stroke(gulls, (250, 250, 250) if not brush.mood.dusk else (90, 66, 84), 1.3)


def _masts(brush: Brush, lamps: tuple[Lamp, ...]) -> None:
    for lamp in lamps:
        brush.rect(lamp.x - 1.8, 88, lamp.x + 1.8, QUAY + 8, (66, 68, 76))
        brush.rect(lamp.x - 11, 84, lamp.x + 11, 89, (255, 240, 206), emit=True)
        brush.glow(lamp.x, 88, 70, 70, lamp.colour, 0.5)
