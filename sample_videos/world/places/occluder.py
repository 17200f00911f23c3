"""Something of the place that stands near the camera, out of focus, at the left or right of the view."""

from __future__ import annotations

import random
from typing import Any

import skia

from ..ground import Box
from ..light import RGB, Mood, packed, times
from ..scene import STAGE_HEIGHT, STAGE_WIDTH, PlaceKind

_COLOURS: dict[PlaceKind, tuple[RGB, ...]] = {
    PlaceKind.CONSTRUCTION_SITE: ((150, 152, 158), (190, 140, 80)),
    PlaceKind.WAREHOUSE: ((40, 78, 130), (204, 104, 44)),
    PlaceKind.STREET: ((62, 66, 70), (76, 96, 58)),
    PlaceKind.SNOW_FIELD: ((54, 78, 68),),
    PlaceKind.OFFICE: ((206, 202, 194), (70, 100, 70)),
    PlaceKind.HARBOUR: ((70, 74, 80), (196, 160, 60)),
    PlaceKind.CONCRETE_BUILDING: ((146, 142, 136),),
}
_WIDTHS: dict[PlaceKind, float] = {PlaceKind.CONCRETE_BUILDING: 52, PlaceKind.OFFICE: 44, PlaceKind.WAREHOUSE: 36}


def draw_occluder(canvas: Any, place: PlaceKind, mood: Mood, seed: int, box: Box) -> None:
    """Draw it over the view that shows `box`: in its outer quarter, on at most 12 % of the picture."""
    rng = random.Random(seed * 17 + 3)
    left_side = rng.random() < 0.5
    colour = times(rng.choice(_COLOURS[place]), tuple(0.62 * part for part in mood.key))  # type: ignore[arg-type]
    drift = min(24.0, max(-24.0, (320 - (box.left + box.right) / 2) * 0.2))
    canvas.save()
    canvas.translate(box.left, box.top)
    zoom = (box.right - box.left) / STAGE_WIDTH
    canvas.scale(zoom, zoom)
    if not left_side:
        canvas.translate(STAGE_WIDTH, 0)
        canvas.scale(-1, 1)
        drift = -drift
    x = rng.uniform(50, 104) + drift
    leafy = place is PlaceKind.SNOW_FIELD or (place in (PlaceKind.STREET, PlaceKind.OFFICE) and rng.random() < 0.6)
    if leafy:
        _leaves(canvas, rng, colour, drift, snowy=mood.snowy or place is PlaceKind.SNOW_FIELD)
    else:
        _post(canvas, x, _WIDTHS.get(place, 24.0) * rng.uniform(0.8, 1.1), colour)
        if place in (PlaceKind.HARBOUR, PlaceKind.CONSTRUCTION_SITE, PlaceKind.WAREHOUSE):
            _rails(canvas, x, colour, rng.uniform(210, 250))
    canvas.restore()


def _post(canvas: Any, x: float, width: float, colour: RGB) -> None:
    """An upright with blurred edges."""
    light = times(colour, (1.35, 1.35, 1.35))
    colours = [
        packed(colour, 0),
        packed(light, 0.97),
        packed(colour, 0.97),
        packed(times(colour, (0.6,) * 3), 0.97),
        packed(colour, 0),
    ]
    shader = skia.GradientShader.MakeLinear(
        [(x - width / 2 - 4, 0), (x + width / 2 + 4, 0)], colours, [0, 0.2, 0.5, 0.82, 1]
    )
    canvas.drawRect(skia.Rect(x - width / 2 - 4, -9, x + width / 2 + 4, STAGE_HEIGHT + 9), skia.Paint(Shader=shader))


def _rails(canvas: Any, x: float, colour: RGB, y: float) -> None:
    """Cross pieces from the edge of the view to the post."""
    for top in (y, y + 66):
        colours = [
            packed(colour, 0),
            packed(times(colour, (1.2,) * 3), 0.95),
            packed(times(colour, (0.7,) * 3), 0.95),
            packed(colour, 0),
        ]
        shader = skia.GradientShader.MakeLinear([(0, top), (0, top + 20)], colours, [0, 0.25, 0.75, 1])
        canvas.drawRect(skia.Rect(-40, top, x, top + 20), skia.Paint(Shader=shader))


def _leaves(canvas: Any, rng: random.Random, colour: RGB, drift: float, *, snowy: bool) -> None:
    """A blurred branch that hangs in from the corner."""
    base = rng.choice((-10.0, 40.0))
    for _ in range(16):
        reach = rng.random()
        x, y = -20 + reach * 130 + drift, base + rng.uniform(-34, 34) + reach * 40
        tone = (232, 238, 246) if snowy and rng.random() < 0.35 else times(colour, (rng.uniform(0.7, 1.6),) * 3)
        matrix = skia.Matrix()
        matrix.setScaleTranslate(rng.uniform(20, 30), rng.uniform(11, 17), x, y)
        colours = [packed(tone, 0.95), packed(tone, 0.85), packed(tone, 0)]
        shader = skia.GradientShader.MakeRadial((0, 0), 1, colours, [0, 0.55, 1], localMatrix=matrix)
        canvas.drawRect(skia.Rect(x - 32, y - 20, x + 32, y + 20), skia.Paint(Shader=shader))
