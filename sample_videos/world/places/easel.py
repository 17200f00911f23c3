"""Layers of a place that move past the camera at their own pace."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import skia

from ..ground import GROUNDS, Box
from ..light import Lamp, Mood, indoors, packed
from ..scene import INDOOR, PlaceKind
from .brush import Brush
from .floor import Floor
from .sky import BOTTOM, CENTRE, LEFT, RIGHT, TOP, paint_evening


@dataclass(frozen=True, eq=False)
class Layer:
    """A picture and its pace: 1 moves with the actors, 0 stays with the camera."""

    pace: float
    picture: Any


@dataclass(frozen=True, eq=False)
class Backdrop:
    """All of a place that lies behind the actors, and the lamps that light them."""

    mood: Mood
    layers: tuple[Layer, ...]
    lamps: tuple[Lamp, ...]

    def paint(self, canvas: Any, box: Box) -> None:
        """Paint the layers, far ones first, as the camera that shows `box` sees them."""
        middle = (box.left + box.right) / 2
        for layer in self.layers:
            canvas.save()
            canvas.translate((middle - CENTRE) * (1 - layer.pace), 0)
            canvas.drawPicture(layer.picture)
            canvas.restore()


class Easel:
    """Where a place paints its layers one by one.

    Attributes:
        place: The place.
        mood: Its light.
        outside: The light before its windows; that of the place itself out of doors.
        rng: Random numbers of the place's seed.
        floor: The perspective of its ground.
        lamps: Pools of light, added by the place.
    """

    def __init__(self, place: PlaceKind, mood: Mood, rng: random.Random) -> None:
        self.place = place
        self.outside = mood
        self.mood = indoors(mood) if place in INDOOR else mood
        self.rng = rng
        self.floor = Floor(GROUNDS[place])
        self.lamps: tuple[Lamp, ...] = ()
        self._layers: list[Layer] = []

    @contextmanager
    def layer(self, pace: float, distance: float = 0.0, *, outside: bool = False) -> Iterator[Brush]:
        """A brush on a new layer in front of those before."""
        recorder = skia.PictureRecorder()
        canvas = recorder.beginRecording(skia.Rect(LEFT, TOP, RIGHT, BOTTOM))
        yield Brush(canvas, self.outside if outside else self.mood, random.Random(self.rng.random()), distance)
        self._layers.append(Layer(pace, recorder.finishRecordingAsPicture()))

    def mirror(self, top: float, *, depth: float = 150.0, alpha: float = 0.4) -> None:
        """On a wet floor from stage y `top` down, mirror the layer painted last but one, fading over `depth` units."""
        if not self.mood.wet:
            return
        source = self._layers[-2]
        with self.layer(source.pace) as brush:
            canvas = brush.canvas
            area = skia.Rect(LEFT, top, RIGHT, top + depth)
            canvas.clipRect(area)
            canvas.saveLayer(area)
            canvas.save()
            canvas.translate(0, top)
            canvas.scale(1, -0.9)
            canvas.translate(0, -top)
            canvas.drawPicture(source.picture)
            canvas.restore()
            fade = skia.GradientShader.MakeLinear([(0, top), (0, top + depth)], [packed((0, 0, 0), alpha), 0])
            canvas.drawRect(area, skia.Paint(Shader=fade, BlendMode=skia.BlendMode.kDstIn))
            canvas.restore()

    def finished(self) -> Backdrop:
        """The backdrop of all that was painted."""
        if self.outside.dusk and self.place not in INDOOR:
            with self.layer(0.1) as brush:
                paint_evening(brush)
        return Backdrop(self.mood, tuple(self._layers), self.lamps)
