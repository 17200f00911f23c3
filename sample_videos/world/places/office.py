"""An office: a window wall with the town outside, desks with screens, plants and ceiling panels."""

from __future__ import annotations

from ..light import RGB, Lamp, mixed, times
from .brush import Brush, Point, ellipses, lines, polygon, rectangles
from .easel import Easel
from .floor import Floor, paint_floor, paint_joints, paint_pools
from .sky import CENTRE, LEFT, RIGHT, TOP, paint_sky, paint_skyline

WALL = 222.0
HEAD, SILL = 64.0, 172.0


def paint_office(easel: Easel) -> None:
    """The town outside, the wall with its windows, desks and floor."""
    floor, mood, rng = easel.floor, easel.mood, easel.rng
    with easel.layer(0.2, outside=True) as brush:
        paint_sky(brush, 150)
    with easel.layer(0.45, 0.7, outside=True) as brush:
        paint_skyline(brush, 190, 110, (116, 122, 136))
    with easel.layer(0.65, 0.35, outside=True) as brush:
        paint_skyline(brush, 196, 52, (104, 106, 116))
    if mood.dark:
        easel.lamps = tuple(Lamp(-160 + 240 * i, 292, 240, (255, 240, 214)) for i in range(5))
    with easel.layer(1.0) as brush:
        _wall(brush)
        _ceiling(brush, floor)
        carpet = rng.choice(((120, 128, 138), (142, 134, 124), (112, 126, 122), (132, 124, 138)))
        paint_floor(brush, floor, WALL, times(carpet, (0.9,) * 3), times(carpet, (1.08,) * 3), grain_alpha=0.2)
        paint_joints(brush, floor, WALL, across=1.2, deep=1.0, colour=times(carpet, (0.6,) * 3), alpha=0.25)
        _light(brush)
        paint_pools(brush, easel.lamps)
        _furniture(brush, floor)


def _wall(brush: Brush) -> None:
    """A wall around window bands; what is between them stays open to the layers behind."""
    rng, mood = brush.rng, brush.mood
    wall = rng.choice(((232, 228, 220), (216, 222, 226), (226, 218, 204), (206, 214, 206)))
    brush.rect(LEFT, TOP, RIGHT, HEAD, times(wall, (0.82,) * 3), times(wall, (0.92,) * 3))
    brush.rect(LEFT, SILL, RIGHT, WALL, wall, times(wall, (0.8,) * 3))
    piers, mullions, blinds = [], [], []
    x = LEFT + rng.uniform(-100, 0)
    while x < RIGHT:
        width = rng.choice((110.0, 150.0, 190.0))
        pier = rng.choice((14.0, 22.0, 90.0 if rng.random() < 0.5 else 18.0))
        piers.append((x + width, HEAD, x + width + pier, SILL))
        mullions += [(x + width * k, HEAD, x + width * k, SILL) for k in (0.33, 0.67)]
        mullions.append((x, HEAD + 26, x + width, HEAD + 26))
        if rng.random() < 0.4:
            blinds.append((x, HEAD, x + width, HEAD + rng.uniform(14, 44)))
        x += width + pier
    if mood.dark:
        brush.rect(LEFT, HEAD, RIGHT, SILL, (10, 16, 34), alpha=0.25, emit=True)
    panes = [polygon([(a - 60, SILL), (a - 30, SILL), (a + 30, HEAD), (a, HEAD)]) for a, _, _, _ in piers[::2]]
    for pane in panes:
        brush.path(pane, (255, 255, 255), alpha=0.08, emit=True)
    brush.path(rectangles(blinds), (236, 232, 222), (214, 210, 202), alpha=0.94)
    brush.path(rectangles(piers), times(wall, (0.95,) * 3), times(wall, (0.86,) * 3))
    brush.stroke(lines(mullions), (92, 96, 104), 2.4)
    brush.stroke(lines([(LEFT, HEAD, RIGHT, HEAD), (LEFT, SILL, RIGHT, SILL)]), (96, 100, 108), 2.4)
    brush.rect(LEFT, SILL, RIGHT, SILL + 5, (240, 238, 232), (196, 194, 190))
    brush.rect(LEFT, WALL - 5, RIGHT, WALL, times(wall, (0.62,) * 3))


def _ceiling(brush: Brush, floor: Floor) -> None:
    """Ceiling tiles with light panels, above the head of the windows."""
    line = 34.0
    brush.rect(LEFT, TOP, RIGHT, line, (196, 198, 200), (222, 222, 220))
    brush.rect(LEFT, line, RIGHT, line + 5, (60, 60, 70), (60, 60, 70), alpha=0.25)
    joints = [(CENTRE + i * 46.0, line, CENTRE + i * 46.0 * 1.9, TOP) for i in range(-16, 17)]
    brush.stroke(lines([*joints, (LEFT, 12, RIGHT, 12), (LEFT, -18, RIGHT, -18)]), (150, 152, 156), 0.9)
    offset = brush.rng.randrange(3)
    for index in range(-14 + offset, 15, 4):
        far, near = CENTRE + index * 46.0, CENTRE + index * 46.0 * 1.28
        panel = [(far, line - 5), (far + 72, line - 5), (near + 92, 13), (near, 13)]
        brush.polygon(panel, (255, 252, 240), emit=True)
        brush.glow((far + near) / 2 + 42, 24, 110, 40, (255, 246, 222), 0.36)
    del floor


def _light(brush: Brush) -> None:
    """Daylight that falls through the windows onto the floor."""
    mood = brush.mood
    if mood.dark:
        return
    colour: RGB = (255, 160, 90) if mood.dusk else (255, 250, 236)
    lean = 90 if mood.sun[0] < 320 else -90
    for x in range(-240, 900, 165):
        fall = polygon([(x, WALL + 6), (x + 84, WALL + 6), (x + 112 + lean, 330), (x - 12 + lean, 330)])
        brush.path(fall, colour, colour, alpha=0.16 if mood.dusk else 0.1, emit=True)


def _furniture(brush: Brush, floor: Floor) -> None:
    """Desks with screens, shelves and plants along the wall."""
    rng = brush.rng
    wood = rng.choice(((196, 160, 116), (226, 222, 214), (150, 112, 80)))
    x = LEFT + rng.uniform(0, 60)
    while x < RIGHT:
        pick = rng.random()
        if pick < 0.58:
            x += _desk(brush, x, 246.0, floor.metre(246.0), wood)
        elif pick < 0.74:
            x += _shelf(brush, x, floor.metre(230.0))
        else:
            x += _plant(brush, x + 24, 240.0, floor.metre(240.0))
        x += rng.uniform(14, 54)


def _desk(brush: Brush, x: float, foot: float, metre: float, wood: RGB) -> float:
    """A desk with one or two screens and a chair; returns its width."""
    rng = brush.rng
    width, top = rng.uniform(1.5, 1.9) * metre, foot - 0.74 * metre
    brush.shade(x + width / 2, foot + 1, width * 0.6, 6, 0.45)
    legs = [(x + 4, top, x + 8, foot), (x + width - 8, top, x + width - 4, foot)]
    brush.path(rectangles(legs), (84, 88, 94))
    drawers = x + width * rng.choice((0.08, 0.66))
    brush.rect(drawers, top + 5, drawers + 0.42 * metre, foot - 2, (214, 214, 212), (176, 176, 176))
    brush.stroke(
        lines([(drawers, top + 5 + k * 13, drawers + 0.42 * metre, top + 5 + k * 13) for k in (1, 2)]),
        (140, 140, 142),
        0.8,
    )
    chair = x + width * 0.5
    cloth = rng.choice(((52, 58, 70), (96, 58, 58), (56, 86, 96), (70, 70, 72)))
    brush.stroke(
        lines([(chair, top + 14, chair, foot - 4), (chair - 12, foot - 2, chair + 12, foot - 2)]), (50, 52, 56), 3
    )
    for index in range(rng.choice((1, 1, 2))):
        _screen(brush, x + width * (0.3 + 0.4 * index), top, metre)
    brush.rect(x, top, x + width, top + 5, mixed(wood, (255, 255, 255), 0.3), times(wood, (0.86,) * 3))
    back = brush.rect
    back(chair - 14, top + 8, chair + 14, top + 30, cloth, times(cloth, (0.7,) * 3))
    if rng.random() < 0.6:
        brush.path(
            rectangles([(x + width - 22, top - 10, x + width - 14, top)]),
            rng.choice(((196, 80, 66), (236, 232, 224), (70, 110, 150))),
        )
    if rng.random() < 0.5:
        brush.path(
            rectangles([(x + 8, top - 4, x + 26, top), (x + 9, top - 8, x + 25, top - 4)]),
            (206, 196, 176),
            (120, 140, 160),
        )
    return width


def _screen(brush: Brush, x: float, top: float, metre: float) -> None:
    rng = brush.rng
    half, height = 0.27 * metre, 0.34 * metre
    y = top - 0.1 * metre
    brush.path(
        rectangles(
            [
                (x - 2, y, x + 2, top),
                (x - 9, top - 2, x + 9, top),
                (x - half - 1.5, y - height - 1.5, x + half + 1.5, y + 1.5),
            ]
        ),
        (40, 42, 48),
    )
    tone = rng.choice(((96, 150, 196), (214, 224, 232), (70, 96, 130), (120, 170, 150)))
    level = 0.9 if brush.mood.dark else 0.8
    brush.rect(
        x - half, y - height, x + half, y, times(tone, (level,) * 3), times(tone, (level * 0.75,) * 3), emit=True
    )
    rows = [
        (x - half + 3, y - height + 4 + i * 3.6, x - half + 3 + rng.uniform(6, 20), y - height + 5.4 + i * 3.6)
        for i in range(4)
    ]
    brush.path(rectangles(rows), (255, 255, 255), alpha=0.5, emit=True)


def _shelf(brush: Brush, x: float, metre: float) -> float:
    """A shelf of binders; returns its width."""
    rng = brush.rng
    width, foot = rng.uniform(0.9, 1.3) * metre, WALL + 8
    top = foot - rng.choice((1.2, 1.9)) * metre
    brush.shade(x + width / 2, foot, width * 0.62, 5, 0.45)
    brush.rect(x, top, x + width, foot, (206, 198, 184), (170, 162, 150))
    books: dict[int, list[tuple[float, float, float, float]]] = {0: [], 1: [], 2: [], 3: []}
    boards, y = [], foot - 5
    while y - 25 > top:
        boards.append((x + 3, y - 25, x + width - 3, y - 2))
        cursor = x + 5
        while cursor < x + width - 9:
            thick = rng.uniform(3.5, 6)
            if rng.random() < 0.84:
                books[rng.randrange(4)].append((cursor, y - 2 - rng.uniform(15, 20), cursor + thick, y - 2))
            cursor += thick + 0.6
        y -= 28
    brush.path(rectangles(boards), (96, 90, 84))
    for index, colour in enumerate(((176, 74, 62), (74, 104, 140), (224, 220, 210), (90, 124, 92))):
        brush.path(rectangles(books[index]), colour)
    return width


def _plant(brush: Brush, x: float, foot: float, metre: float) -> float:
    """A plant with long leaves in a pot; returns its width."""
    rng = brush.rng
    tall = rng.uniform(0.8, 1.4) * metre
    brush.shade(x, foot, 24, 4, 0.45)
    leaves: list[list[Point]] = []
    light: list[list[Point]] = []
    for index in range(9):
        lean = (index - 4) * rng.uniform(5, 9)
        tip = (x + lean, foot - tall * rng.uniform(0.72, 1.0) + abs(lean) * 0.6)
        blade = [
            (x - 2, foot - 24),
            (x + lean * 0.4 - 6, foot - tall * 0.55),
            tip,
            (x + lean * 0.4 + 6, foot - tall * 0.5),
            (x + 2, foot - 24),
        ]
        (leaves if index % 2 else light).append(blade)
    for group, colour in ((leaves, (52, 92, 66)), (light, (86, 130, 80))):
        for blade in group:
            brush.polygon(blade, colour, times(colour, (0.6,) * 3))
    pot = rng.choice(((196, 110, 80), (230, 228, 222), (70, 74, 82)))
    brush.polygon(
        [(x - 15, foot - 27), (x + 15, foot - 27), (x + 11, foot), (x - 11, foot)],
        pot,
        times(pot, (0.72,) * 3),
        across=True,
    )
    brush.path(ellipses([(x, foot - 27, 15, 2.6)]), (60, 46, 40))
    return 48.0
