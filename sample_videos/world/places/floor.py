"""Floors in perspective: where a metre falls on the picture, their colour, joints, wear, wet and snow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import skia

from ..ground import Ground
from ..light import RGB, Lamp, mixed, packed, times
from .brush import Brush, ellipses, lines
from .sky import BOTTOM, CENTRE, LEFT, RIGHT
from .texture import grain, texture_paint

FOCAL = 500.0
"""Stage units of a metre at a metre from the camera; sets how fast depth shrinks on floors."""


@dataclass(frozen=True)
class Floor:
    """The perspective that a ground's two scales imply."""

    ground: Ground

    @property
    def slope(self) -> float:
        """How much a metre grows with each stage unit downwards."""
        ground = self.ground
        return (ground.near_metre - ground.far_metre) / (ground.near_y - ground.far_y)

    @property
    def horizon(self) -> float:
        """Stage y where a metre has shrunk to nothing."""
        return self.ground.far_y - self.ground.far_metre / self.slope

    def metre(self, y: float) -> float:
        """Stage units of a metre that stands on the floor at stage y."""
        return self.slope * (y - self.horizon)

    def x(self, metres: float, y: float) -> float:
        """Stage x at stage y of what lies `metres` right of the middle."""
        return CENTRE + metres * self.metre(y)

    def y(self, metres: float) -> float:
        """Stage y of what lies `metres` away."""
        return self.horizon + FOCAL / (metres * self.slope)


def paint_floor(brush: Brush, floor: Floor, top: float, far: RGB, near: RGB, *, grain_alpha: float = 0.19) -> None:
    """The floor from stage y `top` down, with stains and grain, wet or snowed over where the weather says so."""
    mood = brush.mood
    if mood.snowy:
        far, near = mixed(far, (226, 232, 242), 0.82), mixed(near, (232, 237, 245), 0.74)
        grain_alpha *= 0.55
    if mood.wet:
        far, near = times(far, (0.66, 0.68, 0.72)), times(near, (0.58, 0.6, 0.64))
    if mood.dusk:
        near = times(near, (0.8, 0.82, 1.0))
    brush.rect(LEFT, top, RIGHT, BOTTOM, far, near)
    shift = brush.rng.uniform(0, 256)
    across, down = 24.0, 30.0
    depth = down * FOCAL / floor.slope
    matrix = skia.Matrix()
    matrix.setAll(floor.slope * depth / across, CENTRE, shift, 0, floor.horizon, depth, 0, 1, 0)
    dark = brush.tone(times(near, (0.45, 0.43, 0.45)), grain_alpha)
    brush.canvas.drawRect(skia.Rect(LEFT, top, RIGHT, BOTTOM), texture_paint(grain(), dark, matrix))


def paint_joints(
    brush: Brush, floor: Floor, top: float, *, across: float, deep: float, colour: RGB, alpha: float = 0.3
) -> None:
    """Joints between slabs `across` x `deep` metres, from stage y `top` down."""
    half = 14.0
    count = int(2 * half / across)
    offset = brush.rng.uniform(0, across)
    deeps = [floor.y(z) for z in _steps(2.6, 30.0, deep)]
    rows = [(LEFT, y, RIGHT, y) for y in deeps if top < y < BOTTOM]
    columns = []
    for index in range(count):
        metres = -half + offset + index * across
        columns.append((floor.x(metres, top), top, floor.x(metres, BOTTOM), BOTTOM))
    brush.stroke(lines([*rows, *columns]), colour, 0.9, alpha=alpha)


def _steps(first: float, last: float, step: float) -> Iterable[float]:
    value = first
    while value < last:
        yield value
        value += step


def paint_wet(brush: Brush, top: float, lamps: tuple[Lamp, ...] = ()) -> None:
    """The shine of a wet floor: the sky in it, puddles, and lamps as upright smears."""
    mood, rng = brush.mood, brush.rng
    if not mood.wet:
        return
    sheen = packed(mood.sky[3], 0.3), packed(mood.sky[2], 0.06)
    shader = skia.GradientShader.MakeLinear([(0, top), (0, 352)], list(sheen))
    brush.canvas.drawRect(skia.Rect(LEFT, top, RIGHT, BOTTOM), skia.Paint(Shader=shader))
    spots = []
    for _ in range(13):
        y = top + 10 + (355 - top) * rng.random()
        size = 14 + (y - top) * 0.42 * rng.uniform(0.4, 1.3)
        x = rng.uniform(LEFT, RIGHT)
        spots += [(x + size * rng.uniform(-0.7, 0.7), y + rng.uniform(-1.5, 1.5), size, size * 0.13) for _ in range(2)]
    brush.path(ellipses(spots), mixed(mood.sky[3], mood.sky[1], 0.3), alpha=0.55, emit=True)
    for lamp in lamps:
        brush.glow(lamp.x, lamp.y + 20, 26, 90, lamp.colour, 0.5)
        brush.glow(lamp.x, lamp.y + 20, 9, 90, lamp.colour, 0.4)


def paint_pools(brush: Brush, lamps: tuple[Lamp, ...]) -> None:
    """Pools of lamp light on the floor."""
    for lamp in lamps:
        brush.glow(lamp.x, lamp.y, lamp.radius, lamp.radius * 0.4, lamp.colour, 0.62)


def paint_sunlight(brush: Brush, top: float) -> None:
    """The long low light of a setting sun along the floor."""
    if brush.mood.dusk:
        brush.glow(brush.mood.sun[0], top, 330, 110, (255, 150, 70), 0.42)
