"""A street: house fronts, pavements, trees and lamp posts."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..light import RGB, Lamp, mixed, times
from .brush import Brush, ellipses, lines, rectangles
from .easel import Easel
from .floor import paint_floor, paint_pools, paint_sunlight, paint_wet
from .nature import LEAVES, paint_tree
from .sky import LEFT, RIGHT, paint_sky, paint_skyline

Rect4 = tuple[float, float, float, float]

WALLS: tuple[RGB, ...] = (
    (176, 104, 84),
    (214, 190, 150),
    (150, 160, 172),
    (196, 168, 128),
    (166, 172, 146),
    (206, 148, 118),
    (128, 138, 154),
    (222, 210, 188),
)
ROOFS: tuple[RGB, ...] = ((120, 70, 58), (84, 86, 98), (104, 92, 84))
SHOPS: tuple[RGB, ...] = ((44, 78, 82), (110, 46, 46), (52, 62, 92), (70, 84, 56))
BASE = 204.0


@dataclass
class _Openings:
    """Windows and doors of a whole row, collected so that each part costs one draw."""

    frames: list[Rect4] = field(default_factory=list)
    glass: list[Rect4] = field(default_factory=list)
    lit: list[Rect4] = field(default_factory=list)
    sills: list[Rect4] = field(default_factory=list)
    shutters: list[Rect4] = field(default_factory=list)
    goods: list[Rect4] = field(default_factory=list)
    bars: list[Rect4] = field(default_factory=list)


def paint_street(easel: Easel) -> None:
    """Sky, skyline, a row of houses, and the road in front of them."""
    floor, mood = easel.floor, easel.mood
    with easel.layer(0.1) as brush:
        paint_sky(brush, floor.horizon + 40)
    with easel.layer(0.4, 0.72) as brush:
        paint_skyline(brush, 214, 130, (120, 118, 128))
    with easel.layer(0.86, 0.14) as brush:
        _row(brush, floor.metre(BASE))
    spots = [-170 + 205 * i + easel.rng.uniform(-24, 24) for i in range(6)]
    if mood.dark:
        easel.lamps = tuple(Lamp(x + 26, 262, 175) for x in spots)
    with easel.layer(1.0) as brush:
        paint_floor(brush, floor, BASE, (150, 147, 144), (112, 113, 118))
        _road(brush)
        paint_sunlight(brush, 238)
    easel.mirror(BASE + 21)
    with easel.layer(1.0) as brush:
        paint_wet(brush, BASE + 8, easel.lamps)
        paint_pools(brush, easel.lamps)
        for x in spots:
            _lamp_post(brush, x)
            if brush.rng.random() < 0.75:
                paint_tree(
                    brush,
                    x + brush.rng.uniform(70, 130),
                    BASE + 9,
                    brush.rng.uniform(118, 165),
                    brush.rng.choice(LEAVES),
                )


def _row(brush: Brush, metre: float) -> None:
    """House fronts side by side, now and then with a gap of sky."""
    rng = brush.rng
    openings = _Openings()
    brush.rect(LEFT, BASE - 42, RIGHT, BASE + 4, (126, 120, 116), (108, 104, 104))
    x = LEFT + rng.uniform(-60, 0)
    while x < RIGHT:
        width = rng.uniform(3.6, 6.4) * metre
        _house(brush, openings, x, width, metre)
        x += width + (rng.uniform(20, 46) if rng.random() < 0.28 else 0.0)
    mood = brush.mood
    brush.path(rectangles(openings.frames), (236, 232, 222))
    glass = mixed(mood.sky[1], (44, 58, 78), 0.62) if not mood.dark else (26, 32, 50)
    brush.path(rectangles(openings.glass), glass, mixed(glass, mood.sky[3], 0.3), emit=True)
    brush.path(rectangles(openings.lit), (255, 216, 146), (246, 178, 96), emit=True, alpha=0.95 if mood.dark else 0.8)
    brush.path(rectangles(openings.goods), (60, 40, 34), alpha=0.5, emit=True)
    brush.path(rectangles(openings.shutters), rng.choice(((70, 96, 88), (92, 74, 66), (70, 86, 118), (150, 70, 58))))
    brush.path(rectangles(openings.bars), (232, 228, 220))
    brush.path(rectangles(openings.sills), (90, 82, 80), alpha=0.5)


def _house(brush: Brush, openings: _Openings, x: float, width: float, metre: float) -> None:
    rng = brush.rng
    wall = times(rng.choice(WALLS), (rng.uniform(0.92, 1.06),) * 3)
    storeys = rng.choice((1, 2, 2, 3))
    storey = 2.9 * metre * rng.uniform(0.9, 1.0)
    top = BASE - storeys * storey - 8
    brush.rect(x, top, x + width, BASE, wall, times(wall, (0.84, 0.83, 0.85)))
    brush.rect(x, top, x + 3, BASE, (0, 0, 0), alpha=0.12)
    roof = rng.choice(ROOFS)
    if rng.random() < 0.55:
        rise = rng.uniform(22, 46)
        brush.polygon(
            [(x - 4, top), (x + width * 0.14, top - rise), (x + width * 0.86, top - rise), (x + width + 4, top)],
            times(roof, (1.15,) * 3),
            roof,
        )
        chimney = x + width * rng.uniform(0.25, 0.7)
        brush.rect(chimney, top - rise - 13, chimney + 10, top - rise + 6, times(wall, (0.7, 0.66, 0.66)))
    brush.rect(x - 2, top - 4, x + width + 2, top + 3, mixed(wall, (255, 255, 255), 0.35), times(wall, (0.8,) * 3))
    if brush.mood.snowy:
        brush.rect(x - 3, top - 7, x + width + 3, top - 2, (240, 243, 250))
    shop = rng.random() < 0.42
    shutters = rng.random() < 0.4
    brush.rect(x, BASE - 9, x + width, BASE, times(wall, (0.62,) * 3))
    columns = max(2, int(width / (1.5 * metre)))
    pitch = width / columns
    for row in range(1 if shop else 0, storeys):
        y = BASE - row * storey - 0.92 * metre
        for column in range(columns):
            middle = x + (column + 0.5) * pitch
            if row == 0 and column == columns // 2:
                _door(brush, openings, middle, metre)
            else:
                _window(brush, openings, middle, y, 0.42 * metre, 1.35 * metre)
                if shutters:
                    reach = 0.42 * metre + 2
                    openings.shutters += [
                        (middle + s * reach + min(0, s * 8), y - 1.35 * metre, middle + s * reach + max(0, s * 8), y)
                        for s in (-1, 1)
                    ]
    if shop:
        _shop(brush, openings, x, width, metre)


def _window(brush: Brush, openings: _Openings, x: float, bottom: float, half: float, height: float) -> None:
    top = bottom - height
    openings.frames.append((x - half - 2, top - 2, x + half + 2, bottom + 1))
    chance = 0.46 if brush.mood.dark else 0.2 if brush.mood.dusk else 0.0
    (openings.lit if brush.rng.random() < chance else openings.glass).append((x - half, top, x + half, bottom))
    openings.bars += [
        (x - 0.7, top, x + 0.7, bottom),
        (x - half, top + height * 0.36, x + half, top + height * 0.36 + 1.2),
    ]
    openings.sills.append((x - half - 3.5, bottom + 1, x + half + 3.5, bottom + 3.5))


def _door(brush: Brush, openings: _Openings, x: float, metre: float) -> None:
    half, height = 0.5 * metre, 2.15 * metre
    brush.rect(x - half - 3, BASE - height - 14, x + half + 3, BASE, (226, 220, 208), (190, 184, 174))
    colour = brush.rng.choice(((96, 52, 46), (46, 70, 64), (56, 62, 84), (104, 80, 54)))
    brush.rect(x - half, BASE - height, x + half, BASE, colour, times(colour, (0.75,) * 3))
    openings.glass.append((x - half, BASE - height - 10, x + half, BASE - height - 2))
    brush.rect(x - half * 0.6, BASE - height + 8, x + half * 0.6, BASE - height * 0.55, times(colour, (0.8,) * 3))


def _shop(brush: Brush, openings: _Openings, x: float, width: float, metre: float) -> None:
    rng = brush.rng
    colour = rng.choice(SHOPS)
    head = BASE - 2.75 * metre
    brush.rect(x + 3, head, x + width - 3, BASE, colour, times(colour, (0.7,) * 3))
    door = x + width * rng.choice((0.2, 0.8))
    half = 0.5 * metre
    panes = [(x + 10, door - half - 6), (door + half + 6, x + width - 10)]
    bright = brush.mood.dark or (brush.mood.dusk and rng.random() < 0.6)
    kind = openings.lit if bright else openings.glass
    kind += [(left, BASE - 2.1 * metre, right, BASE - 0.5 * metre) for left, right in panes if right - left > 12]
    _display(brush, openings, [pane for pane in panes if pane[1] - pane[0] > 30], metre)
    kind.append((door - half + 3, BASE - 2.05 * metre, door + half - 3, BASE - 0.4 * metre))
    brush.rect(x + 12, head + 4, x + width - 12, head + 12, mixed(colour, (255, 240, 210), 0.5))
    if rng.random() < 0.6:
        cloth = rng.choice(((188, 70, 58), (58, 110, 100), (206, 160, 80), (70, 92, 140)))
        y = head + 12
        brush.polygon(
            [(x + 6, y), (x + width - 6, y), (x + width + 2, y + 20), (x - 2, y + 20)], cloth, times(cloth, (0.8,) * 3)
        )
        count = 6
        pitch = (width - 8) / count
        stripes = [(x + 4 + i * pitch, y, x + 4 + (i + 0.5) * pitch, y + 20) for i in range(count)]
        brush.path(rectangles(stripes), (244, 238, 226), alpha=0.85)


def _display(brush: Brush, openings: _Openings, panes: list[tuple[float, float]], metre: float) -> None:
    """Shelves and wares behind shop windows."""
    rng = brush.rng
    for left, right in panes:
        openings.bars += [
            (left - 2, BASE - 2.1 * metre - 2, right + 2, BASE - 2.1 * metre),
            (left - 2, BASE - 0.5 * metre, right + 2, BASE - 0.5 * metre + 3),
        ]
        for shelf in (0.56, 1.1):
            y = BASE - shelf * metre
            openings.goods.append((left + 4, y, right - 4, y + 1.6))
            x = left + 8
            while x < right - 14:
                wide = rng.uniform(3, 9)
                openings.goods.append((x, y - rng.uniform(4, 13), x + wide, y))
                x += wide + rng.uniform(3, 12)


def _road(brush: Brush) -> None:
    """Pavement, kerb, asphalt and lane marks under the actors."""
    rng = brush.rng
    snowy = brush.mood.snowy
    brush.rect(LEFT, BASE, RIGHT, BASE + 20, (188, 182, 174), (168, 163, 158), alpha=0.25 if snowy else 0.85)
    slabs = [(x, BASE, x + (x - 320) * 0.12, BASE + 20) for x in range(int(LEFT), int(RIGHT), 26)]
    brush.stroke(lines([*slabs, (LEFT, BASE + 8, RIGHT, BASE + 8)]), (90, 86, 84), 0.6, alpha=0.4)
    brush.rect(LEFT, BASE - 1, RIGHT, BASE + 5, (20, 18, 24), (20, 18, 24), alpha=0.22)
    brush.rect(LEFT, BASE + 20, RIGHT, BASE + 22.5, (214, 210, 202))
    brush.rect(LEFT, BASE + 22.5, RIGHT, BASE + 26, (84, 82, 84), (70, 70, 74))
    marks = []
    offset = rng.uniform(0, 150)
    for index in range(-3, 8):
        x = index * 150 + offset
        lean = (x - 320) * 0.035
        marks.append([(x, 287), (x + 84, 287), (x + 88 + lean, 293.5), (x + lean, 293.5)])
    for mark in marks:
        brush.polygon(mark, (230, 228, 220), alpha=0.25 if snowy else 0.8)
    if not snowy:
        x, y = rng.uniform(60, 580), rng.uniform(262, 340)
        brush.path(ellipses([(x, y, 18, 4)]), (78, 78, 82), (96, 95, 98))
        brush.stroke(ellipses([(x, y, 18, 4), (x, y, 12, 2.6)]), (54, 54, 58), 0.8, alpha=0.8)
    for _ in range(3):
        brush.shade(rng.uniform(-100, 740), rng.uniform(250, 340), rng.uniform(50, 130), rng.uniform(5, 12), 0.22)


def _lamp_post(brush: Brush, x: float) -> None:
    foot, head = BASE + 13, BASE - 158
    dark = (66, 70, 76)
    brush.shade(x, foot, 14, 3, 0.4)
    brush.path(
        rectangles([(x - 1.8, head, x + 1.8, foot), (x - 4, foot - 14, x + 4, foot), (x, head, x + 25, head + 2.4)]),
        dark,
    )
    brush.rect(x + 14, head + 1, x + 32, head + 5, (96, 98, 100))
    if brush.mood.dark or brush.mood.dusk:
        brush.rect(x + 16, head + 4, x + 30, head + 7, (255, 240, 206), emit=True)
        brush.glow(x + 23, head + 7, 64, 64, (255, 206, 130), 0.42 if brush.mood.dark else 0.2)
