"""The compositor: a scene at a moment becomes a picture."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import skia

from .figures import draw_actor, draw_glow
from .ground import Box, actor_box, view
from .lens import exposed, softened, vignetted, with_noise
from .light import light_at, packed, times
from .places import Backdrop, backdrop
from .places.occluder import draw_occluder
from .scene import Scene
from .weather import draw_weather

__all__ = ["draw_scene"]


def draw_scene(scene: Scene, seconds: float, width: int = 640, height: int = 360) -> npt.NDArray[np.uint8]:
    """The picture of `scene` at `seconds` into the shot, uint8 (height, width, 3) RGB.

    The same arguments give the same bytes. Actors are drawn from far to near, those of equal depth in the scene's
    order.
    """
    box = view(scene.camera, seconds, scene.seed)
    behind = backdrop(scene.place, scene.light, scene.weather, scene.seed)
    pixels = _painted(behind, box, width, height).copy()
    canvas = _looking(pixels, box)
    _draw_actors(canvas, scene, behind, seconds)
    draw_weather(canvas, scene, behind.mood, seconds, box)
    if scene.occluder:
        draw_occluder(canvas, scene.place, behind.mood, scene.seed, box)
    del canvas
    picture = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB), np.uint8)
    picture = exposed(vignetted(picture, 0.38 if behind.mood.dark else 0.17), scene.exposure)
    return with_noise(softened(picture, scene.seed), scene.noise, scene.seed, seconds)


def _looking(pixels: npt.NDArray[np.uint8], box: Box) -> Any:
    """A canvas on RGBA pixels whose units are the stage's, with `box` filling it."""
    canvas = skia.Surface(pixels).getCanvas()
    canvas.scale(pixels.shape[1] / (box.right - box.left), pixels.shape[0] / (box.bottom - box.top))
    canvas.translate(-box.left, -box.top)
    return canvas


@lru_cache(maxsize=1)
def _painted(behind: Backdrop, box: Box, width: int, height: int) -> npt.NDArray[np.uint8]:
    """The place without actors, uint8 (height, width, 4) RGBA; kept for the next frame of a camera that rests."""
    pixels = np.zeros((height, width, 4), np.uint8)
    behind.paint(_looking(pixels, box), box)
    pixels.flags.writeable = False
    return pixels


def _draw_actors(canvas: Any, scene: Scene, behind: Backdrop, seconds: float) -> None:
    """Actors in the place's light, each followed by what shines of it."""
    for actor in sorted(scene.actors, key=lambda actor: actor.depth):
        box = actor_box(scene, actor, seconds)
        light = light_at(behind.mood, behind.lamps, (box.left + box.right) / 2, box.bottom)
        margin = 24 + 0.4 * (box.right - box.left)
        space = skia.Rect(box.left - margin, box.top - margin, box.right + margin, box.bottom + margin)
        lit = skia.ColorFilters.Blend(packed(times((255, 255, 255), light)), skia.BlendMode.kModulate)
        canvas.saveLayer(space, skia.Paint(ColorFilter=lit))
        draw_actor(canvas, scene, actor, seconds)
        canvas.restore()
        draw_glow(canvas, scene, actor, seconds)
