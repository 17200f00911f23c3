"""A brutalist concrete building that fills much of the picture, on a plaza of slabs."""

from __future__ import annotations

from dataclasses import dataclass

import skia

from ..light import RGB, Lamp, mixed, times
from .brush import Brush, lines, rectangles
from .easel import Easel
from .floor import paint_floor, paint_joints, paint_pools, paint_sunlight, paint_wet
from .nature import LEAVES, paint_tree
from .sky import LEFT, paint_ridge, paint_sky, paint_skyline, ridge
from .texture import streaks, texture_paint

Rect4 = tuple[float, float, float, float]

BASE = 200.0
GLASS: RGB = (44, 52, 64)


def paint_concrete_building(easel: Easel) -> None:
    """Sky, distant town, the building, and the plaza before it."""
    floor, mood, rng = easel.floor, easel.mood, easel.rng
    with easel.layer(0.1) as brush:
        paint_sky(brush, 116)
    with easel.layer(0.35, 0.8) as brush:
        if rng.random() < 0.5:
            paint_skyline(brush, 206, 100, (122, 120, 130))
        else:
            paint_ridge(brush, ridge(brush.rng, 204, 74), (104, 122, 110), (130, 140, 130), 206)
    with easel.layer(0.84, 0.1) as brush:
        _building(brush, floor.metre(BASE))
    if mood.dark:
        easel.lamps = tuple(Lamp(-120 + 230 * i + rng.uniform(-30, 30), 268, 185, (255, 226, 176)) for i in range(5))
    with easel.layer(1.0) as brush:
        paint_floor(brush, floor, BASE, (176, 172, 166), (150, 147, 144), grain_alpha=0.2)
        paint_joints(brush, floor, BASE, across=1.6, deep=1.6, colour=(84, 82, 82))
        brush.rect(LEFT, BASE - 1, 930, BASE + 9, (16, 16, 24), (16, 16, 24), alpha=0.28)
        paint_sunlight(brush, 244)
    easel.mirror(BASE + 2)
    with easel.layer(1.0) as brush:
        paint_wet(brush, BASE + 6, easel.lamps)
        paint_pools(brush, easel.lamps)
        _plaza(brush, easel.lamps)


def _concrete(brush: Brush, left: float, top: float, right: float, bottom: float, colour: RGB) -> None:
    """A board-marked slab of concrete with the stains of its age."""
    brush.rect(left, top, right, bottom, colour, times(colour, (0.86, 0.86, 0.88)))
    matrix = skia.Matrix()
    matrix.setScaleTranslate(0.7, 0.9, left, top)
    stain = brush.tone(times(colour, (0.5, 0.48, 0.48)), 0.34)
    brush.canvas.drawRect(skia.Rect(left, top, right, bottom), texture_paint(streaks(), stain, matrix))


@dataclass(frozen=True)
class _Facade:
    """How a storey is divided: share of parapet, width of a cell, thickness of its fins."""

    parapet: float
    pitch: float
    fin: float


FACADES = (
    _Facade(0.46, 30.0, 4.0),
    _Facade(0.16, 46.0, 11.0),
    _Facade(0.1, 17.0, 5.5),
    _Facade(0.36, 62.0, 9.0),
)


def _building(brush: Brush, metre: float) -> None:
    """Stepped masses over columns, with a stair tower through them."""
    rng = brush.rng
    concrete = mixed((182, 174, 164), (156, 162, 168), rng.random())
    facade = rng.choice(FACADES)
    left, right = rng.uniform(10, 90), rng.uniform(520, 610)
    storeys = rng.choice((2, 2, 3))
    storey = (2.5 if storeys == 2 else 1.95) * metre
    foot = BASE - 2.35 * metre
    _pilotis(brush, left + 24, right - 24, foot, concrete)
    tower = rng.choice((left + rng.uniform(30, 110), right - rng.uniform(120, 190)))
    top = foot - storeys * storey
    cut = rng.choice((0.0, 0.0, rng.uniform(90, 210)))
    for row in range(storeys):
        y = foot - (row + 1) * storey
        out = rng.choice((0.0, 12.0, -14.0))
        ends = (
            left - out + (cut if row == storeys - 1 and tower > 320 else 0),
            right + out - (cut if row == storeys - 1 and tower <= 320 else 0),
        )
        _storey(brush, (ends[0], y, ends[1], y + storey), concrete, facade)
        if brush.mood.snowy:
            brush.rect(ends[0], y - 4, ends[1], y + 1, (240, 244, 250))
    _tower(brush, tower, top - rng.uniform(14, 30), rng.uniform(50, 74), concrete)
    if brush.mood.dusk:
        x = brush.mood.sun[0]
        brush.glow(x, top, 280, 90, (255, 140, 70), 0.6)


def _storey(brush: Brush, box: Rect4, concrete: RGB, facade: _Facade) -> None:
    """A parapet over a deep band of windows between fins."""
    rng, mood = brush.rng, brush.mood
    left, top, right, bottom = box
    height = bottom - top
    sill = top + height * facade.parapet
    deep = times(concrete, (0.36, 0.36, 0.42))
    brush.rect(left, sill, right, bottom, deep, times(deep, (1.4, 1.4, 1.4)))
    count = max(3, int((right - left) / facade.pitch))
    pitch = (right - left - facade.fin) / count
    glass: list[Rect4] = []
    lit: list[Rect4] = []
    fins: list[Rect4] = []
    edges: list[Rect4] = []
    chance = 0.42 if mood.dark else 0.1 if mood.dusk else 0.0
    for index in range(count + 1):
        x = left + index * pitch
        pane = (x + facade.fin, sill + height * 0.12, x + pitch, bottom - height * 0.06)
        if index < count:
            (lit if rng.random() < chance else glass).append(pane)
        fins.append((x, sill - 1, x + facade.fin, bottom))
        edges.append((x + facade.fin, sill, x + facade.fin + min(5.0, pitch * 0.16), bottom))
    sky = mixed(GLASS, mood.sky[2], 0.7 if mood.dusk else 0.36) if not mood.dark else (20, 26, 42)
    brush.path(rectangles(glass), mixed(sky, mood.sky[3], 0.4), mixed(sky, (20, 24, 34), 0.55), emit=True)
    brush.path(rectangles(lit), (255, 218, 150), (240, 176, 100), emit=True)
    brush.rect(left, sill, right, sill + height * 0.13, (8, 8, 16), (8, 8, 16), alpha=0.5)
    brush.path(rectangles(edges), (10, 10, 18), alpha=0.5)
    brush.path(rectangles(fins), mixed(concrete, (255, 255, 255), 0.1), times(concrete, (0.86,) * 3))
    _concrete(brush, left, top, right, sill, concrete)
    brush.rect(left, top, right, top + 2, mixed(concrete, (255, 255, 255), 0.45))
    brush.rect(left, bottom - 2.5, right, bottom, times(concrete, (0.62,) * 3))


def _pilotis(brush: Brush, left: float, right: float, top: float, concrete: RGB) -> None:
    """The set-back ground floor: dark glass behind square columns."""
    rng, mood = brush.rng, brush.mood
    inside = mixed(GLASS, (255, 196, 120), 0.55) if mood.dark else mixed(GLASS, mood.sky[3], 0.22)
    brush.rect(left, top, right, BASE, times(inside, (0.75,) * 3), inside, emit=True)
    panes = lines([(x, top, x, BASE) for x in range(int(left) + 16, int(right), 22)])
    brush.stroke(panes, (30, 32, 38), 1.4)
    brush.rect(left, top, right, top + 14, (6, 6, 12), (6, 6, 12), alpha=0.45)
    door = left + (right - left) * rng.uniform(0.3, 0.7)
    brush.path(
        rectangles([(door - 19, BASE - 49, door - 1, BASE), (door + 1, BASE - 49, door + 19, BASE)]),
        (84, 90, 98),
        (60, 64, 72),
    )
    count = rng.randrange(5, 8)
    width = (right - left) / count
    columns = [(left + i * width - 8, top, left + i * width + 8, BASE) for i in range(count + 1)]
    brush.path(rectangles(columns), concrete, times(concrete, (0.8,) * 3))
    brush.path(rectangles([(r - 5, t, r, b) for _, t, r, b in columns]), (10, 10, 18), alpha=0.28)


def _tower(brush: Brush, x: float, top: float, width: float, concrete: RGB) -> None:
    """The stair tower, with a slit of windows."""
    brush.rect(x + width, top + 30, x + width + 16, BASE, (10, 10, 18), (10, 10, 18), alpha=0.26)
    _concrete(brush, x, top, x + width, BASE, mixed(concrete, (255, 255, 255), 0.1))
    brush.rect(x + width * 0.82, top, x + width, BASE, (10, 10, 18), alpha=0.16)
    slit = x + width * 0.4
    bright = brush.mood.dark or brush.mood.dusk
    colour: RGB = (255, 212, 140) if bright else GLASS
    steps = [(slit, y, slit + 9, y + 9) for y in range(int(top) + 14, int(BASE) - 62, 15)]
    brush.path(rectangles(steps), colour, emit=True, alpha=0.9)
    brush.rect(x, top, x + width, top + 2.4, mixed(concrete, (255, 255, 255), 0.45))
    if brush.mood.snowy:
        brush.rect(x - 1, top - 4, x + width + 1, top + 1, (240, 244, 250))


def _plaza(brush: Brush, lamps: tuple[Lamp, ...]) -> None:
    """Planters with trees, and the lamps' masts."""
    rng = brush.rng
    for index in range(4):
        x = -150 + 250 * index + rng.uniform(-60, 60)
        if rng.random() < 0.6:
            paint_tree(brush, x, BASE + 14, rng.uniform(80, 120), rng.choice(LEAVES))
            brush.polygon(
                [(x - 40, BASE + 12), (x + 40, BASE + 12), (x + 37, BASE + 29), (x - 37, BASE + 29)],
                (164, 160, 154),
                (128, 124, 122),
            )
            brush.rect(x - 40, BASE + 11, x + 40, BASE + 14, (196, 192, 186))
            brush.shade(x, BASE + 30, 50, 4, 0.4)
    for lamp in lamps:
        brush.rect(lamp.x - 1.5, BASE - 70, lamp.x + 1.5, BASE + 16, (60, 62, 68))
        brush.rect(lamp.x - 7, BASE - 74, lamp.x + 7, BASE - 70, (255, 240, 206), emit=True)
        brush.glow(lamp.x, BASE - 71, 52, 52, (255, 214, 150), 0.45)
