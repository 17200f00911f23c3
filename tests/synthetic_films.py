"""Films whose cuts are known, drawn from noise and movement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from PIL import Image

Picture = npt.NDArray[np.uint8]
WIDTH, HEIGHT = 64, 36


@dataclass(frozen=True, eq=False)
class DrawnFrame:
    """A frame of a film that is drawn."""

    number: int
    time: Fraction
    picture: Picture
    is_keyframe: bool = False
    width: int = WIDTH
    height: int = HEIGHT
    duration: Fraction | None = None

    @property
    def pts(self) -> int:
        return int(self.time * 90_000)

    def rgb(self, width: int | None = None, height: int | None = None) -> Picture:
        size = (width or self.width, height or self.height)
        if size == (self.width, self.height):
            return self.picture
        return np.asarray(Image.fromarray(self.picture).resize(size))

    def thumbnail(self) -> Picture:
        return np.ascontiguousarray(self.rgb(64, 36).transpose(2, 0, 1))


def scene(seed: int) -> Picture:
    """A wide coloured view: uint8 (HEIGHT, 4 * WIDTH, 3)."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 255, (5, 20, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((4 * WIDTH, HEIGHT), Image.Resampling.BICUBIC))


def shot(seed: int, count: int, *, pan: float = 1.0, noise: int = 6) -> Iterator[Picture]:
    """A camera that pans over a scene, with noise."""
    view, random = scene(seed), np.random.default_rng(seed + 1000)
    for number in range(count):
        left = int(number * pan) % (3 * WIDTH)
        grain = random.integers(-noise, noise + 1, (HEIGHT, WIDTH, 3))
        yield np.clip(view[:, left : left + WIDTH].astype(int) + grain, 0, 255).astype(np.uint8)


def film(pictures: Sequence[Picture], times: Sequence[Fraction] | None = None) -> list[DrawnFrame]:
    """Frames at 25 a second, or at the times that are given."""
    shown = times or [Fraction(k, 25) for k in range(len(pictures))]
    return [
        DrawnFrame(number, time, picture, width=picture.shape[1], height=picture.shape[0])
        for number, (time, picture) in enumerate(zip(shown, pictures, strict=True))
    ]
