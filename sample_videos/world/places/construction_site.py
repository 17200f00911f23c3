"""A construction site: the skeleton of a building, scaffolding, bare earth and a fence."""

from __future__ import annotations

import math

from ..light import RGB, Lamp, mixed, times
from .brush import Brush, ellipses, lines, rectangles
from .easel import Easel
from .floor import paint_floor, paint_pools, paint_sunlight, paint_wet
from .nature import LEAVES
from .sky import LEFT, RIGHT, paint_ridge, paint_sky, paint_skyline, ridge

BASE = 196.0
CONCRETE: RGB = (178, 174, 166)
EARTH: RGB = (158, 124, 92)
CABINS: tuple[RGB, ...] = ((84, 118, 148), (206, 204, 196), (120, 140, 112), (196, 170, 110))


def paint_construction_site(easel: Easel) -> None:
    """Sky, town, the skeleton in its scaffolding, and the earth in front."""
    mood, rng = easel.mood, easel.rng
    with easel.layer(0.1) as brush:
        paint_sky(brush, easel.floor.horizon + 40)
    with easel.layer(0.35, 0.8) as brush:
        if rng.random() < 0.6:
            paint_skyline(brush, 206, 74, (122, 122, 130))
        else:
            paint_ridge(brush, ridge(brush.rng, 206, 60), LEAVES[2], LEAVES[0], 208)
    with easel.layer(0.8, 0.16) as brush:
        _skeleton(brush, rng.uniform(-60, 90), rng.randrange(4, 7))
    if mood.dark:
        easel.lamps = tuple(Lamp(-90 + 270 * i + rng.uniform(-40, 40), 270, 215, (255, 232, 190)) for i in range(4))
    with easel.layer(1.0) as brush:
        paint_floor(brush, easel.floor, BASE, mixed(EARTH, (190, 166, 132), 0.4), EARTH, grain_alpha=0.42)
        _earth(brush)
        paint_sunlight(brush, 230)
    easel.mirror(BASE + 14, alpha=0.25)
    with easel.layer(1.0) as brush:
        paint_wet(brush, BASE + 10, easel.lamps)
        paint_pools(brush, easel.lamps)
        _props(brush)
        _floodlights(brush, easel.lamps)


def _skeleton(brush: Brush, left: float, bays: int) -> None:
    """Concrete floors on columns, open to the air, with rebar growing from the top."""
    rng = brush.rng
    bay, storey = rng.uniform(74, 96), rng.uniform(56, 66)
    storeys = rng.choice((2, 3, 3))
    right = left + bays * bay
    top = BASE - storeys * storey
    inner = times(CONCRETE, (0.42, 0.42, 0.46))
    for row in range(storeys):
        floor_y = BASE - row * storey
        cut = right - (bay if row == storeys - 1 and rng.random() < 0.6 else 0)
        brush.rect(left, floor_y - storey, cut, floor_y, inner, times(inner, (1.5, 1.45, 1.4)))
        _bays(brush, left, cut, floor_y, (bay, storey))
        columns = [(x - 5, floor_y - storey, x + 5, floor_y) for x in _stops(left + 6, cut - 4, bay)]
        brush.path(rectangles(columns), CONCRETE, times(CONCRETE, (0.78,) * 3))
        brush.path(rectangles([(r - 3.5, t, r, b) for _, t, r, b in columns]), (10, 10, 20), alpha=0.3)
        slab = floor_y - storey
        brush.rect(left - 8, slab - 5, cut + 8, slab + 4, mixed(CONCRETE, (255, 255, 255), 0.25), CONCRETE)
        brush.rect(left, slab + 4, cut, slab + 13, (8, 8, 16), (8, 8, 16), alpha=0.4)
        if row == storeys - 1:
            _rebar(brush, left, cut, slab - 5, bay)
    if rng.random() < 0.85:
        _scaffold(brush, rng.choice((left - 6, right - 2 * bay)), 2 * bay + 8, top)


def _stops(first: float, last: float, step: float) -> list[float]:
    return [first + step * i for i in range(int((last - first) / step) + 1)] + [last]


def _bays(brush: Brush, left: float, right: float, floor_y: float, size: tuple[float, float]) -> None:
    """Some bays walled up with blocks, some propped, the rest open to the sky behind."""
    rng = brush.rng
    bay, storey = size
    props = []
    for index in range(int((right - left) / bay)):
        x = left + index * bay
        pick = rng.random()
        if pick < 0.3:
            height = storey * rng.choice((0.45, 0.7, 1.0))
            wall = mixed((168, 112, 88), (176, 172, 164), rng.choice((0.0, 1.0)))
            brush.rect(x, floor_y - height, x + bay, floor_y, wall, times(wall, (0.85,) * 3))
            rows = [(x, floor_y - i * 6, x + bay, floor_y - i * 6) for i in range(1, int(height / 6))]
            brush.stroke(lines(rows), times(wall, (0.7,) * 3), 0.6, alpha=0.8)
        elif pick < 0.62:
            sky = brush.mood.sky[3]
            brush.rect(
                x,
                floor_y - storey + 10,
                x + bay,
                floor_y - 6,
                mixed(sky, brush.mood.sky[2], 0.6),
                sky,
                emit=True,
                alpha=0.8,
            )
            dim = times(CONCRETE, (0.5, 0.5, 0.54))
            brush.path(
                rectangles(
                    [
                        (x + bay * 0.28, floor_y - storey, x + bay * 0.28 + 7, floor_y),
                        (x + bay * 0.74, floor_y - storey, x + bay * 0.74 + 7, floor_y),
                    ]
                ),
                dim,
            )
            props += [(x + bay * k, floor_y - storey, x + bay * k, floor_y) for k in (0.18, 0.5, 0.62)]
    brush.stroke(lines(props), (196, 150, 70), 1.5)


def _rebar(brush: Brush, left: float, right: float, y: float, bay: float) -> None:
    bars = []
    for x in _stops(left + 6, right - 4, bay):
        bars += [(x + d, y, x + d + brush.rng.uniform(-1, 1), y - brush.rng.uniform(16, 24)) for d in (-5, -2, 1, 4)]
        bars += [(x - 6, y - 6, x + 5, y - 6), (x - 6, y - 11, x + 5, y - 11)]
    brush.stroke(lines(bars), (120, 72, 50), 1.1)


def _scaffold(brush: Brush, left: float, width: float, top: float) -> None:
    """Tubes, decks and braces, with a sheet of netting on part of it."""
    rng = brush.rng
    right, deck = left + width, 31.0
    levels = int((BASE - top) / deck) + 1
    if rng.random() < 0.5:
        net = rng.choice(((70, 130, 92), (64, 104, 150), (196, 120, 60)))
        start = left + width * rng.choice((0.0, 0.5))
        brush.rect(
            start, BASE - (levels - 1) * deck, start + width * 0.5, BASE - deck, net, times(net, (0.8,) * 3), alpha=0.62
        )
    count = 6
    tubes = [
        (left + i * width / count, BASE - levels * deck - 8, left + i * width / count, BASE) for i in range(count + 1)
    ]
    for level in range(1, levels + 1):
        y = BASE - level * deck
        tubes += [(left, y - 12, right, y - 12)]
        if level % 2:
            tubes.append((left + (level // 2) * width / count, y, left + (level // 2 + 1) * width / count, y + deck))
    brush.stroke(lines(tubes), (104, 108, 116), 1.7)
    brush.stroke(lines([(x0 - 0.5, y0, x1 - 0.5, y1) for x0, y0, x1, y1 in tubes]), (214, 216, 218), 0.6)
    decks = [(left - 3, BASE - i * deck, right + 3, BASE - i * deck + 3) for i in range(1, levels + 1)]
    brush.path(rectangles(decks), (176, 136, 88))


def _earth(brush: Brush) -> None:
    """Ruts, stones and a far edge of spoil."""
    rng = brush.rng
    white = brush.mood.snowy
    heap: RGB = (226, 230, 240) if white else mixed(EARTH, (112, 84, 62), 0.4)
    brush.polygon(
        [*[(x, y) for x, y in ridge(rng, BASE + 8, 12, rough=2.0)], (RIGHT, BASE + 12), (LEFT, BASE + 12)],
        heap,
        mixed(heap, EARTH, 0.5),
    )
    for _ in range(2):
        y = rng.uniform(240, 330)
        tilt = rng.uniform(-0.05, 0.05)
        for gap in (0.0, 9.0 + (y - 230) * 0.12):
            treads = [
                (x, y + gap + tilt * (x - 320), x + 7, y + gap + tilt * (x - 320) + 1.5)
                for x in range(int(LEFT), int(RIGHT), 11)
            ]
            brush.stroke(lines(treads), (92, 68, 50), 4.5, alpha=0.2)
    stones = [
        (rng.uniform(LEFT, RIGHT), y, s * 1.3, s)
        for y, s in ((230 + 120 * rng.random(), rng.uniform(0.8, 2.4)) for _ in range(60))
    ]
    brush.path(ellipses([(x + 1, y + 1, a, b) for x, y, a, b in stones]), (60, 46, 40), alpha=0.4)
    brush.path(ellipses(stones), (196, 178, 154), alpha=0.8)


def _props(brush: Brush) -> None:
    """What stands about behind the walking area: fence, cabin, spoil heaps, pipes, bundled rebar."""
    rng = brush.rng
    _fence(brush)
    if rng.random() < 0.75:
        _cabin(brush, rng.choice((rng.uniform(-160, 10), rng.uniform(430, 620))))
    for _ in range(rng.randrange(1, 3)):
        _heap(brush, rng.uniform(-120, 760), rng.uniform(70, 130))
    for _ in range(2):
        x = rng.uniform(-180, 780)
        if rng.random() < 0.5:
            _pipes(brush, x)
        else:
            _bundle(brush, x)


def _fence(brush: Brush) -> None:
    """Panels of wire mesh, or red and white barrier boards."""
    rng = brush.rng
    top, foot = BASE - 42, BASE + 16
    posts, wires = [], []
    for x in range(int(LEFT), int(RIGHT), 92):
        posts += [
            (x, top, x, foot),
            (x + 90, top, x + 90, foot),
            (x, top, x + 90, top),
            (x, foot - 4, x + 90, foot - 4),
        ]
        wires += [(x + i * 7.5, top, x + i * 7.5, foot - 4) for i in range(1, 12)]
        wires += [(x, top + i * 11, x + 90, top + i * 11) for i in range(1, 5)]
    brush.stroke(lines(wires), (150, 154, 160), 0.5, alpha=0.55)
    brush.stroke(lines(posts), (136, 140, 148), 1.8)
    feet = rectangles([(x - 9, foot - 3, x + 10, foot + 3) for x in range(int(LEFT), int(RIGHT), 92)])
    brush.path(feet, (150, 146, 140), (110, 106, 104))
    if rng.random() < 0.5:
        start = rng.uniform(-100, 600)
        boards = [(start, foot - 34, start + 150, foot - 24)]
        brush.path(rectangles(boards), (236, 234, 228))
        brush.path(
            rectangles([(start + i * 25, foot - 34, start + i * 25 + 12, foot - 24) for i in range(6)]), (196, 60, 48)
        )


def _cabin(brush: Brush, x: float) -> None:
    """A portacabin of 6 x 2.6 metres."""
    foot, metre = BASE + 24, 35.0
    width, height = 5.4 * metre, 2.6 * metre
    colour = brush.rng.choice(CABINS)
    brush.shade(x + width / 2, foot + 2, width * 0.6, 7, 0.55)
    brush.rect(x, foot - height, x + width, foot - 3, colour, times(colour, (0.82,) * 3))
    ribs = lines([(x + i * 9, foot - height + 6, x + i * 9, foot - 8) for i in range(1, int(width / 9))])
    brush.stroke(ribs, times(colour, (0.8,) * 3), 1.2)
    brush.rect(x - 2, foot - height - 4, x + width + 2, foot - height + 5, times(colour, (0.7,) * 3))
    door = x + width * 0.68
    brush.rect(door, foot - 2.1 * metre, door + 0.9 * metre, foot - 3, (222, 222, 218), (190, 190, 190))
    bright = brush.mood.dark or brush.mood.dusk
    pane: RGB = (255, 220, 150) if bright else (70, 88, 108)
    panes = [
        (x + width * 0.1, foot - 62, x + width * 0.3, foot - 34),
        (x + width * 0.38, foot - 62, x + width * 0.58, foot - 34),
    ]
    brush.path(rectangles([(a - 2, b - 2, c + 2, d + 2) for a, b, c, d in panes]), (236, 236, 232))
    brush.path(rectangles(panes), pane, emit=True)
    if brush.mood.snowy:
        brush.rect(x - 2, foot - height - 9, x + width + 2, foot - height - 3, (242, 245, 250))


def _heap(brush: Brush, x: float, width: float) -> None:
    """A heap of sand or gravel."""
    rng = brush.rng
    colour: RGB = rng.choice(((196, 160, 108), (140, 132, 124), (132, 98, 70)))
    if brush.mood.snowy:
        colour = mixed(colour, (236, 240, 248), 0.6)
    foot, height = BASE + 26, width * 0.34
    points = [
        (x - width / 2 + width * i / 12, foot - height * math.sin(math.pi * i / 12) ** 0.8 * rng.uniform(0.88, 1.0))
        for i in range(13)
    ]
    brush.shade(x, foot, width * 0.66, 7, 0.4)
    brush.polygon(points, mixed(colour, (255, 240, 210), 0.25), times(colour, (0.8,) * 3))
    side = 1 if brush.mood.sun[0] < x else -1
    brush.polygon(
        [
            (x, foot - height * 0.94),
            (x + side * width * 0.47, foot),
            (x + side * width * 0.12, foot),
            (x + side * 8, foot - height * 0.5),
        ],
        times(colour, (0.6,) * 3),
        alpha=0.5,
    )


def _pipes(brush: Brush, x: float) -> None:
    """Concrete pipes, end on, in a small pyramid."""
    foot, r = BASE + 28, 15.0
    brush.shade(x, foot + 1, 62, 6, 0.5)
    ends = [
        (x - 2 * r, foot - r, r, r),
        (x, foot - r, r, r),
        (x + 2 * r, foot - r, r, r),
        (x - r, foot - 2.7 * r, r, r),
        (x + r, foot - 2.7 * r, r, r),
    ]
    brush.path(ellipses(ends), (186, 182, 176), (140, 136, 132))
    brush.path(ellipses([(a, b, c * 0.7, d * 0.7) for a, b, c, d in ends]), (48, 46, 50), (92, 88, 86))


def _bundle(brush: Brush, x: float) -> None:
    """Long reinforcing bars on timbers."""
    foot = BASE + 27
    brush.shade(x, foot + 2, 90, 5, 0.5)
    brush.path(rectangles([(x - 60, foot - 6, x - 52, foot), (x + 50, foot - 6, x + 58, foot)]), (150, 112, 72))
    bars = lines(
        [(x - 84 + (i % 3) * 2, foot - 7 - i * 1.9, x + 84 - (i % 2) * 5, foot - 7 - i * 1.9) for i in range(7)]
    )
    brush.stroke(bars, (128, 76, 52), 1.7)
    brush.stroke(lines([(x - 84, foot - 19, x + 82, foot - 19)]), (176, 116, 82), 0.8)


def _floodlights(brush: Brush, lamps: tuple[Lamp, ...]) -> None:
    """Masts with work lights, burning."""
    for lamp in lamps:
        brush.rect(lamp.x - 1.8, 84, lamp.x + 1.8, BASE + 22, (80, 82, 88))
        brush.path(
            rectangles([(lamp.x - 15, 76, lamp.x - 2, 86), (lamp.x + 2, 76, lamp.x + 15, 86)]),
            (255, 250, 230),
            emit=True,
        )
        brush.glow(lamp.x, 82, 84, 84, (255, 236, 196), 0.6)
