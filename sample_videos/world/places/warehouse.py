"""A warehouse: pallet racks, aisles that run to the back wall, a dock door and high lamps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import skia

from ..light import RGB, Lamp, mixed, packed, times
from .brush import Brush, Point, ellipses, lines, rectangles
from .easel import Easel
from .floor import Floor, paint_floor, paint_joints, paint_pools
from .sky import CENTRE, LEFT, RIGHT, TOP

Rect4 = tuple[float, float, float, float]

BASE = 206.0
BACK = 160.0
DRUMS: tuple[RGB, ...] = ((46, 92, 138), (150, 62, 50), (70, 112, 86), (96, 100, 106))
SACKS: tuple[RGB, ...] = ((214, 204, 180), (224, 224, 220), (196, 176, 140))


@dataclass
class _Goods:
    """Loads of a whole rack, collected by kind so that each kind costs few draws."""

    pallets: list[Rect4] = field(default_factory=list)
    drums: list[Rect4] = field(default_factory=list)
    sacks: list[Rect4] = field(default_factory=list)
    wraps: list[Rect4] = field(default_factory=list)


def paint_warehouse(easel: Easel) -> None:
    """Back wall, racks with their aisles, floor and lamps."""
    floor, rng = easel.floor, easel.rng
    tones = rng.choice(
        (((42, 84, 140), (222, 116, 44)), ((56, 100, 86), (224, 150, 50)), ((74, 80, 92), (206, 84, 50)))
    )
    aisle = rng.uniform(130, 510)
    lit = easel.mood.dark
    easel.lamps = (
        tuple(Lamp(-180 + 250 * i + rng.uniform(-20, 20), 276, 220, (255, 238, 206)) for i in range(5)) if lit else ()
    )
    with easel.layer(0.8, 0.12) as brush:
        _back(brush, floor, aisle)
    with easel.layer(1.0) as brush:
        paint_floor(brush, floor, BACK, (150, 152, 152), (176, 174, 168), grain_alpha=0.16)
        _shine(brush)
        paint_joints(brush, floor, BACK, across=4.0, deep=4.0, colour=(110, 108, 106))
        half = rng.uniform(50, 66)
        _marks(brush, floor, aisle, half)
        _racks(brush, floor, (aisle - half, aisle + half), tones)
        paint_pools(brush, easel.lamps)
        _lamps(brush)


def _back(brush: Brush, floor: Floor, aisle: float) -> None:
    """The far wall with its dock door, windows high up, and the roof's trusses."""
    mood, rng = brush.mood, brush.rng
    wall = rng.choice(((186, 192, 196), (200, 194, 182), (170, 182, 190)))
    brush.rect(LEFT, TOP, RIGHT, BACK + 30, times(wall, (0.62,) * 3), wall)
    ribs = lines([(x, TOP, x, BACK + 4) for x in range(int(LEFT), int(RIGHT), 9)])
    brush.stroke(ribs, times(wall, (0.75,) * 3), 0.8, alpha=0.5)
    sky = [packed(mood.sky[1]), packed(mood.sky[3])]
    shader = skia.GradientShader.MakeLinear([(0, 34), (0, 62)], sky)
    panes = rectangles([(x, 36, x + 42, 60) for x in range(int(LEFT), int(RIGHT), 48)])
    brush.canvas.drawPath(panes, skia.Paint(Shader=shader))
    metre = floor.metre(BACK)
    width, height = 4.2 * metre, 4.0 * metre
    brush.rect(aisle - width / 2 - 4, BACK - height - 4, aisle + width / 2 + 4, BACK + 2, (226, 186, 60))
    if rng.random() < 0.5:
        brush.rect(aisle - width / 2, BACK - height, aisle + width / 2, BACK + 2, mood.sky[2], mood.sky[3], emit=True)
        if not mood.dark:
            brush.glow(aisle, BACK - height / 2, 70, 60, mood.sky[3], 0.35)
    else:
        door = (150, 156, 162)
        brush.rect(aisle - width / 2, BACK - height, aisle + width / 2, BACK + 2, door, times(door, (0.8,) * 3))
        slats = lines(
            [(aisle - width / 2, BACK - i * 6, aisle + width / 2, BACK - i * 6) for i in range(1, int(height / 6))]
        )
        brush.stroke(slats, (104, 108, 114), 1.0)
    brush.rect(LEFT, TOP, RIGHT, 22, (64, 68, 76), (92, 96, 102))
    trusses = lines([(LEFT + i * 40, -6 if i % 2 else 20, LEFT + (i + 1) * 40, 20 if i % 2 else -6) for i in range(32)])
    brush.stroke(trusses, (50, 54, 60), 2.2)
    brush.stroke(lines([(LEFT, 21, RIGHT, 21)]), (54, 58, 64), 4)


def _shine(brush: Brush) -> None:
    """What a sealed floor mirrors of lamps, windows and door."""
    mood = brush.mood
    warm: RGB = (255, 170, 100) if mood.dusk else (255, 250, 238)
    for x in range(-170, 900, 250):
        brush.glow(x, 292, 46, 90, warm, 0.11)


def _marks(brush: Brush, floor: Floor, aisle: float, half: float) -> None:
    """Yellow lines along the racks and down the aisle."""
    yellow: RGB = (232, 188, 48)
    y0, y1 = BASE + 16, BASE + 20
    brush.rect(LEFT, y0, RIGHT, y1, yellow, alpha=0.85)
    for side in (-1, 1):
        x = aisle + side * (half - 10)
        far = _towards(floor, x, BASE + 16, BACK + 4)
        brush.polygon([(far - 0.8, BACK + 4), (far + 0.8, BACK + 4), (x + 2.6, y0), (x - 2.6, y0)], yellow, alpha=0.85)
    x = brush.rng.uniform(60, 420)
    lower, upper = 335.0, 318.0
    shift = (upper - floor.horizon) / (lower - floor.horizon)
    bars = []
    for index in range(9):
        left = x + index * 26
        bars.append(
            [
                (left, lower),
                (left + 13, lower),
                (CENTRE + (left + 21 - CENTRE) * shift, upper),
                (CENTRE + (left + 8 - CENTRE) * shift, upper),
            ]
        )
    for bar in bars:
        brush.polygon(bar, yellow, alpha=0.42)


def _towards(floor: Floor, x: float, y: float, far_y: float) -> float:
    """Stage x at `far_y` on the line from (x, y) to the vanishing point."""
    return CENTRE + (x - CENTRE) * (far_y - floor.horizon) / (y - floor.horizon)


def _racks(brush: Brush, floor: Floor, aisle: tuple[float, float], tones: tuple[RGB, RGB]) -> None:
    """Racks left and right of the aisle: their sides recede, their fronts face the camera."""
    metre = floor.metre(BASE)
    left, right = aisle
    for x, facing in ((left, 1), (right, -1)):
        if (x - CENTRE) * facing < 0:
            _side(brush, floor, x, metre, tones)
    bay = 2.6 * metre
    goods = _Goods()
    level = 1.62 * metre
    fronts = [(left - 6 * bay, left), (right, right + 7 * bay)]
    for start, end in fronts:
        brush.rect(start, TOP, end, BASE - 2, (40, 42, 50))
        count = round((end - start) / bay)
        for index in range(count):
            for row in range(4):
                _load(brush, goods, (start + index * bay, BASE - 4 - row * level), bay, metre)
    _paint_goods(brush, goods, metre)
    frame, beam = tones
    for start, end in fronts:
        _front(brush, (start, end), (bay, level), frame, beam)


def _load(brush: Brush, goods: _Goods, corner: Point, bay: float, metre: float) -> None:
    """Two pallets of a bay, loaded with one kind of goods, or left empty."""
    rng = brush.rng
    x, y = corner
    kind = rng.random()
    for slot in range(2):
        if rng.random() < 0.14:
            continue
        left = x + 6 + slot * (bay - 8) / 2
        width = (bay - 18) / 2
        goods.pallets.append((left, y - 0.14 * metre, left + width, y))
        base = y - 0.14 * metre
        if kind < 0.36:
            for i in range(2):
                w = width / 2
                goods.drums.append((left + i * w + 0.8, base - 0.88 * metre, left + (i + 1) * w - 0.8, base))
        elif kind < 0.66:
            rows = rng.randrange(3, 6)
            step = 0.2 * metre
            for row in range(rows):
                goods.sacks.append(
                    (left + (row % 2) * 1.2, base - (row + 1) * step, left + width * 0.5, base - row * step)
                )
                goods.sacks.append(
                    (left + width * 0.5, base - (row + 1) * step, left + width - (row % 2) * 1.2, base - row * step)
                )
        else:
            goods.wraps.append((left + 1, base - rng.uniform(0.7, 1.15) * metre, left + width - 1, base))


def _paint_goods(brush: Brush, goods: _Goods, metre: float) -> None:
    rng = brush.rng
    brush.path(rectangles(goods.pallets), (176, 140, 98), (130, 100, 70))
    colours = rng.sample(DRUMS, 2)
    for index, colour in enumerate(colours):
        mine = goods.drums[index::2]
        brush.path(rectangles(mine), colour)
        brush.path(rectangles([(r - (r - x) * 0.34, t, r, b) for x, t, r, b in mine]), (6, 6, 14), alpha=0.34)
        brush.path(rectangles([(x + 2, t, x + 4.5, b) for x, t, _, b in mine]), (255, 255, 255), alpha=0.32)
    rims = [(x, t + (b - t) * k, r, t + (b - t) * k + 1.2) for x, t, r, b in goods.drums for k in (0.0, 0.33, 0.66)]
    brush.path(rectangles(rims), (14, 16, 22), alpha=0.4)
    sacks = skia.Path()
    for x, t, r, b in goods.sacks:
        sacks.addRoundRect(skia.Rect(x, t, r, b), 3, 3)
    colour = rng.choice(SACKS)
    brush.path(sacks, colour)
    brush.stroke(sacks, times(colour, (0.62, 0.6, 0.58)), 0.9)
    wraps = rectangles(goods.wraps)
    tint = rng.choice(((150, 176, 190), (188, 190, 186), (134, 160, 150)))
    brush.path(wraps, tint)
    folds = lines(
        [
            (x + k * (r - x), t, x + (k - 0.12) * (r - x), b)
            for x, t, r, b in goods.wraps
            for k in (0.2, 0.45, 0.62, 0.9)
        ]
    )
    brush.stroke(folds, (240, 248, 252), 1.1, alpha=0.5)
    layers = lines(
        [
            (x, b - i * 0.26 * metre, r, b - i * 0.26 * metre)
            for x, t, r, b in goods.wraps
            for i in range(1, 4)
            if b - i * 0.26 * metre > t
        ]
    )
    brush.stroke(layers, times(tint, (0.7,) * 3), 0.8, alpha=0.8)


def _front(brush: Brush, span: Point, size: Point, frame: RGB, beam: RGB) -> None:
    """Uprights and beams before the loads."""
    start, end = span
    bay, level = size
    count = round((end - start) / bay)
    beams = [(start, BASE - row * level - 4, end, BASE - row * level + 2) for row in range(1, 5)]
    brush.path(rectangles([(a, d, c, d + 5) for a, _, c, d in beams]), (6, 6, 12), alpha=0.35)
    brush.path(rectangles(beams), beam)
    brush.path(rectangles([(a, b, c, b + 1.4) for a, b, c, _ in beams]), mixed(beam, (255, 255, 255), 0.4))
    posts = [(start + i * bay - 3, TOP, start + i * bay + 3, BASE + 1) for i in range(count + 1)]
    brush.path(rectangles(posts), frame)
    brush.path(rectangles([(r - 2, t, r, b) for _, t, r, b in posts]), (6, 6, 14), alpha=0.35)
    brush.path(rectangles([(x - 2, BASE - 16, r + 2, BASE + 2) for x, _, r, _ in posts]), (236, 196, 52))
    brush.rect(start, BASE - 2, end, BASE + 12, (10, 10, 16), (10, 10, 16), alpha=0.26)


def _side(brush: Brush, floor: Floor, x: float, metre: float, tones: tuple[RGB, RGB]) -> None:
    """The side of a rack along the aisle, running to the vanishing point."""
    frame, beam = tones
    end = _towards(floor, x, BASE, BACK)
    share = (BACK - floor.horizon) / (BASE - floor.horizon)
    high = floor.horizon + (TOP - floor.horizon) * share
    brush.polygon([(x, TOP), (end, high), (end, BACK), (x, BASE)], (52, 54, 62), (70, 70, 76))
    for row in range(5):
        y = BASE - row * 1.62 * metre
        far = floor.horizon + (y - floor.horizon) * share
        lift = 5.0
        brush.polygon([(x, y - lift), (end, far - lift * share), (end, far), (x, y)], beam)
    _side_loads(brush, floor, x, metre)
    posts = []
    for step in range(5):
        near = 1 / (1 + (1 / share - 1) * step / 4)
        post = CENTRE + (x - CENTRE) * near
        top, foot = floor.horizon + (TOP - floor.horizon) * near, floor.horizon + (BASE - floor.horizon) * near
        posts.append((post - 2.5 * near, top, post + 2.5 * near, foot))
    brush.path(rectangles(posts), frame)


def _lamps(brush: Brush) -> None:
    """A row of bell lamps under the roof."""
    offset = brush.rng.uniform(0, 190)
    strength = 0.5 if brush.mood.dark else 0.3
    for index in range(-2, 6):
        x = index * 190 + offset - 60
        brush.stroke(lines([(x, -60, x, 12)]), (40, 42, 48), 1.6)
        brush.polygon([(x - 5, 10), (x + 5, 10), (x + 19, 26), (x - 19, 26)], (92, 96, 104), (54, 56, 62))
        brush.path(ellipses([(x, 26, 18, 3.6)]), (255, 250, 226), emit=True)
        brush.glow(x, 28, 90, 70, (255, 240, 204), strength)


def _side_loads(brush: Brush, floor: Floor, x: float, metre: float) -> None:
    """Pallet loads on a receding rack, seen from the aisle: one a bay and level, with dark gaps between."""
    rng = brush.rng
    share = (BACK - floor.horizon) / (BASE - floor.horizon)
    groups: dict[int, Any] = {index: skia.Path() for index in range(4)}
    for row in range(4):
        low, high = BASE - row * 1.62 * metre - 5, BASE - (row * 1.62 + rng.uniform(0.9, 1.25)) * metre
        for step in range(8):
            if rng.random() < 0.2:
                continue
            near, far = (1 / (1 + (1 / share - 1) * (step + edge) / 8) for edge in (0.08, 0.92))
            corners = [(near, high), (far, high), (far, low), (near, low)]
            points = [
                skia.Point(CENTRE + (x - CENTRE) * k, floor.horizon + (y - floor.horizon) * k) for k, y in corners
            ]
            groups[rng.randrange(4)].addPoly(points, True)
    for path, colour in zip(groups.values(), (DRUMS[0], SACKS[0], (150, 176, 190), DRUMS[2]), strict=True):
        brush.path(path, times(colour, (0.8, 0.8, 0.82)))
