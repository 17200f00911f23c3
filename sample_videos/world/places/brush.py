"""How every place puts paint on its layers: shapes in surface colours that the mood lights and the air veils."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import skia

from ..light import RGB, Mood, packed

Point = tuple[float, float]


@dataclass
class Brush:
    """A canvas under a mood; colours are those of the surface in white light.

    Attributes:
        distance: How much air lies between the camera and what is painted, 0 to 1.
    """

    canvas: Any
    mood: Mood
    rng: random.Random
    distance: float = 0.0

    def tone(self, colour: RGB, alpha: float = 1.0, *, emit: bool = False) -> int:
        """The packed colour that a surface, or a light source if `emit`, shows in the picture."""
        return packed(colour if emit else self.mood.shaded(colour, self.distance), alpha)

    def _paint(self, colour: RGB, to: RGB | None, ends: tuple[Point, Point], alpha: float, emit: bool) -> Any:
        if to is None:
            return skia.Paint(AntiAlias=True, Color=self.tone(colour, alpha, emit=emit))
        colours = [self.tone(colour, alpha, emit=emit), self.tone(to, alpha, emit=emit)]
        return skia.Paint(AntiAlias=True, Shader=skia.GradientShader.MakeLinear(list(ends), colours))

    def rect(
        self,
        left: float,
        top: float,
        right: float,
        bottom: float,
        colour: RGB,
        to: RGB | None = None,
        *,
        alpha: float = 1.0,
        emit: bool = False,
        across: bool = False,
    ) -> None:
        """A rectangle, plain or shaded from `colour` down (or `across`) to `to`."""
        ends = ((left, top), (right, top)) if across else ((left, top), (left, bottom))
        self.canvas.drawRect(skia.Rect(left, top, right, bottom), self._paint(colour, to, ends, alpha, emit))

    def path(
        self,
        path: Any,
        colour: RGB,
        to: RGB | None = None,
        *,
        alpha: float = 1.0,
        emit: bool = False,
        across: bool = False,
    ) -> None:
        """A filled path, plain or shaded over its bounds."""
        ends: tuple[Point, Point] = ((0.0, 0.0), (0.0, 0.0))
        if to is not None:
            box = path.getBounds()
            ends = ((box.left(), box.top()), (box.right(), box.top()) if across else (box.left(), box.bottom()))
        self.canvas.drawPath(path, self._paint(colour, to, ends, alpha, emit))

    def polygon(
        self,
        points: Sequence[Point],
        colour: RGB,
        to: RGB | None = None,
        *,
        alpha: float = 1.0,
        emit: bool = False,
        across: bool = False,
    ) -> None:
        """A filled polygon."""
        self.path(polygon(points), colour, to, alpha=alpha, emit=emit, across=across)

    def stroke(self, path: Any, colour: RGB, width: float, *, alpha: float = 1.0, emit: bool = False) -> None:
        """The line along a path, `width` stage units thick."""
        paint = skia.Paint(AntiAlias=True, Style=skia.Paint.kStroke_Style, StrokeWidth=width)
        paint.setColor(self.tone(colour, alpha, emit=emit))
        self.canvas.drawPath(path, paint)

    def glow(self, x: float, y: float, rx: float, ry: float, colour: RGB, alpha: float = 1.0) -> None:
        """Light that is added around a point and fades to the rim of an ellipse."""
        shares = (1.0, 0.5, 0.22, 0.07, 0.0)
        self._ellipse(x, y, rx, ry, [packed(colour, alpha * share) for share in shares], skia.BlendMode.kScreen)

    def shade(self, x: float, y: float, rx: float, ry: float, alpha: float, colour: RGB = (14, 14, 24)) -> None:
        """A soft shadow, or a soft stain in `colour`."""
        colours = [packed(colour, alpha * share) for share in (1.0, 0.84, 0.5, 0.16, 0.0)]
        self._ellipse(x, y, rx, ry, colours, skia.BlendMode.kSrcOver)

    def _ellipse(self, x: float, y: float, rx: float, ry: float, colours: list[int], mode: Any) -> None:
        matrix = skia.Matrix()
        matrix.setScaleTranslate(rx, ry, x, y)
        shader = skia.GradientShader.MakeRadial((0, 0), 1, colours, [0.0, 0.25, 0.5, 0.75, 1.0], localMatrix=matrix)
        self.canvas.drawRect(skia.Rect(x - rx, y - ry, x + rx, y + ry), skia.Paint(Shader=shader, BlendMode=mode))


def polygon(points: Sequence[Point]) -> Any:
    """A closed path through `points`."""
    path = skia.Path()
    path.addPoly([skia.Point(*point) for point in points], True)
    return path


def rectangles(boxes: Iterable[tuple[float, float, float, float]]) -> Any:
    """One path of many rectangles, so that they cost one draw."""
    path = skia.Path()
    for left, top, right, bottom in boxes:
        path.addRect(skia.Rect(left, top, right, bottom))
    return path


def lines(segments: Iterable[tuple[float, float, float, float]]) -> Any:
    """One path of many straight segments."""
    path = skia.Path()
    for x0, y0, x1, y1 in segments:
        path.moveTo(x0, y0)
        path.lineTo(x1, y1)
    return path


def ellipses(items: Iterable[tuple[float, float, float, float]]) -> Any:
    """One path of many ellipses, each given by its middle and radii."""
    path = skia.Path()
    for x, y, rx, ry in items:
        path.addOval(skia.Rect(x - rx, y - ry, x + rx, y + ry))
    return path
