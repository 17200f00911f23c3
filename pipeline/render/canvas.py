"""Antialiased drawing: shapes are drawn at twice the size and reduced, since Pillow does not antialias them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

__all__ = [
    "ACCENT",
    "GROUND",
    "LINE",
    "QUIET",
    "RIGHT",
    "STEPS",
    "TEXT",
    "TILE",
    "WRONG",
    "Canvas",
    "blended",
    "fitted",
    "text_width",
]

GROUND, TILE, LINE = "#101216", "#191c22", "#2a2e37"
TEXT, QUIET, ACCENT = "#f2f3f5", "#949aa6", "#6ea8fe"
RIGHT, WRONG = "#4ade80", "#f0716f"
STEPS = ACCENT, "#f5b85b", "#4fd1c5", "#f08bb4", "#b79cf7"
"""Colours of consecutive steps, in turn."""


_SCALE = 2


class Canvas:
    """A drawing surface. Lengths are in points of the finished picture."""

    def __init__(self, width: int, height: int, ground: str) -> None:
        self.width, self.height = width, height
        self._image = Image.new("RGB", (width * _SCALE, height * _SCALE), ground)
        self._draw = ImageDraw.Draw(self._image)

    def box(self, left: float, top: float, right: float, bottom: float, colour: str, *, radius: float = 0) -> None:
        """Fill a box with rounded corners."""
        edges = [edge * _SCALE for edge in (left, top, right, bottom)]
        self._draw.rounded_rectangle((edges[0], edges[1], edges[2] - 1, edges[3] - 1), radius * _SCALE, fill=colour)

    def line(self, points: Sequence[tuple[float, float]], colour: str, *, thickness: float) -> None:
        """Draw a line through points."""
        scaled = [(x * _SCALE, y * _SCALE) for x, y in points]
        self._draw.line(scaled, fill=colour, width=round(thickness * _SCALE), joint="curve")

    def area(self, points: Sequence[tuple[float, float]], colour: str) -> None:
        """Fill a polygon."""
        self._draw.polygon([(x * _SCALE, y * _SCALE) for x, y in points], fill=colour)

    def dot(self, x: float, y: float, radius: float, colour: str) -> None:
        """Fill a circle."""
        self._draw.ellipse([edge * _SCALE for edge in (x - radius, y - radius, x + radius, y + radius)], fill=colour)

    def text(self, left: float, middle: float, text: str, *, points: int, colour: str, anchor: str = "lm") -> None:
        """Write one line of text; `anchor` as in Pillow."""
        self._draw.text((left * _SCALE, middle * _SCALE), text, fill=colour, font=_font(points, text), anchor=anchor)

    def paste(self, picture: npt.NDArray[np.uint8], left: float, top: float, *, width: float, height: float) -> None:
        """Fit a whole picture into a box, with rounded upper corners."""
        image = Image.fromarray(picture)
        wide, high = round(width * _SCALE), round(height * _SCALE)
        ratio = min(wide / image.width, high / image.height)
        size = max(1, round(image.width * ratio)), max(1, round(image.height * ratio))
        image = image.resize(size, Image.Resampling.LANCZOS)
        inside = (wide - size[0]) // 2, (high - size[1]) // 2
        mask = Image.new("L", (wide, high), 0)
        corners = (0, 0, wide - 1, high + 20 * _SCALE)
        ImageDraw.Draw(mask).rounded_rectangle(corners, 10 * _SCALE, fill=255)
        place = round(left * _SCALE) + inside[0], round(top * _SCALE) + inside[1]
        self._image.paste(image, place, mask.crop((*inside, inside[0] + size[0], inside[1] + size[1])))

    def finished(self) -> Image.Image:
        """Return the finished picture in its final size."""
        return self._image.reduce(_SCALE)


def fitted(text: str, *, points: int, most: float) -> str:
    """Shorten a text in its middle to a width of `most` points."""
    if text_width(text, points) <= most:
        return text
    for kept in range(len(text) - 1, 1, -1):
        shorter = f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"
        if text_width(shorter, points) <= most:
            return shorter
    return "…"


def text_width(text: str, points: int) -> float:
    """Measure the width of a text in points."""
    return _font(points, text).getlength(text) / _SCALE


def blended(colour: str, ground: str, share: float) -> str:
    """Blend a colour over a ground."""
    pairs = zip(_channels(colour), _channels(ground), strict=True)
    return "#" + "".join(f"{round(share * over + (1 - share) * under):02x}" for over, under in pairs)


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[place : place + 2], 16) for place in (1, 3, 5))


@cache
def _scalable(points: int, *, is_latin: bool) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    if not is_latin:
        try:
            return ImageFont.truetype("DejaVuSans.ttf", points * _SCALE)
        except OSError:
            pass
    return ImageFont.load_default(points * _SCALE)


def _font(points: int, text: str) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Load a font: Pillow's own for Latin text, else DejaVu if it is installed."""
    return _scalable(points, is_latin=all(ord(character) < 0x250 or character in "…“”" for character in text))
