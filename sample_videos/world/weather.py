"""Rain and snow as they fall through the view; what they leave on floors and roofs is painted with the places."""

from __future__ import annotations

import math
import random
from functools import cache
from typing import Any

import skia

from .ground import GROUNDS, Box
from .light import Mood, mixed, packed
from .scene import INDOOR, STAGE_HEIGHT, STAGE_WIDTH, Scene, Weather

TILES = 6
"""How many patterns of drops and of flakes there are; seeds share them at other places, paces and slants."""


@cache
def _drops(tile: int, count: int, length: float) -> Any:
    """Upright streaks over one view."""
    rng = random.Random(tile)
    path = skia.Path()
    for _ in range(count):
        x, y = rng.uniform(0, STAGE_WIDTH), rng.uniform(0, STAGE_HEIGHT)
        path.moveTo(x, y)
        path.lineTo(x, y + length * rng.uniform(0.6, 1.2))
    return path


@cache
def _flakes(tile: int, count: int, radius: float) -> Any:
    """Round flakes over one view."""
    rng = random.Random(tile)
    path = skia.Path()
    for _ in range(count):
        path.addCircle(rng.uniform(0, STAGE_WIDTH), rng.uniform(0, STAGE_HEIGHT), radius * rng.uniform(0.6, 1.25))
    return path


def _tiled(canvas: Any, path: Any, x: float, y: float, paint: Any) -> None:
    """Draw a pattern of one view's size shifted by (x, y) and repeated so that it fills the view."""
    x, y = x % STAGE_WIDTH, y % STAGE_HEIGHT
    for left in (x - STAGE_WIDTH, x):
        for top in (y - STAGE_HEIGHT, y):
            canvas.save()
            canvas.translate(left, top)
            canvas.drawPath(path, paint)
            canvas.restore()


def draw_weather(canvas: Any, scene: Scene, mood: Mood, seconds: float, box: Box) -> None:
    """Draw what falls between the camera, which shows `box`, and the stage; nothing indoors or in clear weather."""
    if scene.place in INDOOR or scene.weather is Weather.CLEAR:
        return
    rng = random.Random(scene.seed * 13 + 5)
    if scene.weather is Weather.RAIN:
        _splashes(canvas, scene, seconds, mood)
    veil = packed(mood.haze, 0.1)
    canvas.drawColor(veil)
    canvas.save()
    canvas.translate(box.left, box.top)
    zoom = (box.right - box.left) / STAGE_WIDTH
    canvas.scale(zoom, zoom)
    (_rain if scene.weather is Weather.RAIN else _snow)(canvas, rng, mood, seconds, -0.6 * box.left)
    canvas.restore()


def _rain(canvas: Any, rng: random.Random, mood: Mood, seconds: float, shift: float) -> None:
    slant = rng.uniform(-0.22, 0.22)
    bright = mixed(mood.sky[3], (255, 255, 255), 0.55)
    canvas.skew(slant, 0)
    for count, length, width, alpha, pace in ((150, 15, 0.8, 0.34, 520.0), (46, 34, 1.5, 0.4, 860.0)):
        paint = skia.Paint(
            AntiAlias=True, Style=skia.Paint.kStroke_Style, StrokeWidth=width, Color=packed(bright, alpha)
        )
        path = _drops(rng.randrange(TILES), count, length)
        _tiled(canvas, path, rng.uniform(0, STAGE_WIDTH) + shift, rng.uniform(0, 360) + pace * seconds, paint)


def _splashes(canvas: Any, scene: Scene, seconds: float, mood: Mood) -> None:
    """Rings where drops hit the ground, each for a tenth of a second."""
    ground = GROUNDS[scene.place]
    beat = math.floor(seconds * 10)
    age = seconds * 10 - beat
    rng = random.Random(scene.seed * 7919 + beat)
    path = skia.Path()
    for _ in range(42):
        depth = rng.random()
        x, y = rng.uniform(-260, 900), ground.y(depth * 1.15)
        size = (1.5 + 3.5 * age) * (0.5 + 0.7 * depth)
        path.addOval(skia.Rect(x - size, y - size * 0.3, x + size, y + size * 0.3))
    paint = skia.Paint(AntiAlias=True, Style=skia.Paint.kStroke_Style, StrokeWidth=0.8)
    paint.setColor(packed(mixed(mood.sky[3], (255, 255, 255), 0.5), 0.55 * (1.1 - age)))
    canvas.drawPath(path, paint)


def _snow(canvas: Any, rng: random.Random, mood: Mood, seconds: float, shift: float) -> None:
    wind = rng.uniform(-34, 34)
    tint = mixed((255, 255, 255), mood.sky[3], 0.15 if not mood.dark else 0.3)
    kinds = ((96, 1.0, 0.75, 34.0), (52, 1.7, 0.85, 58.0), (20, 3.1, 0.6, 92.0), (7, 5.6, 0.32, 130.0))
    for index, (count, radius, alpha, pace) in enumerate(kinds):
        sway = (4 + 3 * index) * math.sin(seconds * rng.uniform(0.7, 1.5) + rng.uniform(0, 6.3))
        x = rng.uniform(0, STAGE_WIDTH) + shift * (0.5 + 0.25 * index) + wind * (0.5 + 0.4 * index) * seconds + sway
        y = rng.uniform(0, STAGE_HEIGHT) + pace * seconds
        tile = rng.randrange(TILES)
        _tiled(canvas, _flakes(tile, count, radius), x, y, skia.Paint(AntiAlias=True, Color=packed(tint, alpha)))
        if index >= 2:
            halo = skia.Paint(AntiAlias=True, Color=packed(tint, alpha * 0.4))
            _tiled(canvas, _flakes(tile, count, radius * 1.5), x, y, halo)
