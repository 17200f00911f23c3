"""Soft textures, made once: grain for grounds and walls, clouds as pairs of masks."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import skia

Mask = npt.NDArray[np.float32]

LINEAR = skia.SamplingOptions(skia.FilterMode.kLinear)


def _image(mask: Mask) -> Any:
    """An alpha-only image of a mask of 0 to 1."""
    alpha = (np.clip(mask, 0, 1) * 255).astype(np.uint8)
    return skia.Image.fromarray(alpha.reshape(*alpha.shape, 1).copy(), colorType=skia.kAlpha_8_ColorType)


def _noise(rng: np.random.Generator, height: int, width: int, cells: tuple[int, int]) -> Mask:
    """Smooth tileable noise of 0 to 1 with `cells` (down, across) random values."""
    grid = rng.random(cells).astype(np.float32)
    wrapped = np.pad(grid, 2, mode="wrap")
    scale = (height / cells[0], width / cells[1])
    large = cv2.resize(
        wrapped, (round(wrapped.shape[1] * scale[1]), round(wrapped.shape[0] * scale[0])), interpolation=cv2.INTER_CUBIC
    )
    down, across = round(2 * scale[0]), round(2 * scale[1])
    return np.asarray(large[down : down + height, across : across + width], np.float32)


def _layered(
    rng: np.random.Generator, height: int, width: int, cells: tuple[int, int], octaves: int, fading: float = 0.55
) -> Mask:
    """Fractal noise of about 0 to 1."""
    total = np.zeros((height, width), np.float32)
    weight, sum_of_weights = 1.0, 0.0
    for _ in range(octaves):
        total += weight * _noise(rng, height, width, cells)
        sum_of_weights += weight
        weight *= fading
        cells = (min(height, cells[0] * 2), min(width, cells[1] * 2))
    return total / sum_of_weights


@lru_cache(maxsize=1)
def grain() -> Any:
    """An alpha-only tile of 256 x 256 of stains and grain."""
    noise = _layered(np.random.default_rng(5), 256, 256, (7, 7), 6, fading=0.82)
    return _image((noise - 0.4) * 3.2)


@lru_cache(maxsize=1)
def streaks() -> Any:
    """An alpha-only tile of 256 x 256 of upright stains, as water leaves them on walls."""
    noise = _layered(np.random.default_rng(6), 256, 256, (3, 40), 3)
    return _image((noise - 0.5) * 2.4)


CLOUD_KINDS = 5


@cache
def heap_cloud(kind: int) -> tuple[Any, Any]:
    """Masks (body, lit side) of a heaped fair-weather cloud, 256 x 112."""
    rng = np.random.default_rng(100 + kind)
    ys, xs = np.mgrid[0:112, 0:256].astype(np.float32)
    height = np.zeros((112, 256), np.float32)
    for _ in range(46):
        x = np.clip(rng.normal(128, 46), 34, 222)
        reach = 1 - abs(x - 128) / 128
        radius = rng.uniform(9, 15) + 17 * reach * rng.random()
        y = 84 - rng.random() * 46 * reach**1.3
        ball = radius**2 - (xs - x) ** 2 - ((ys - y) * 1.12) ** 2
        height = np.maximum(height, np.sqrt(np.maximum(ball, 0)))
    wisp = _layered(rng, 112, 256, (7, 16), 4)
    height = np.asarray(cv2.GaussianBlur(height, (0, 0), 1.6), np.float32) + (wisp - 0.5) * 9
    floor = 1 / (1 + np.exp((ys - 86 - 6 * wisp) / 3.2))
    body = np.clip((height - 1.5) / 9, 0, 1) * floor
    soft = cv2.GaussianBlur(height, (0, 0), 2.5)
    slope_y, slope_x = np.gradient(soft)
    lit = np.clip(0.42 + 0.5 * slope_y + 0.22 * slope_x + (60 - ys) / 110, 0, 1)
    return _image(body), _image(body * lit)


@cache
def band_cloud(kind: int) -> tuple[Any, Any]:
    """Masks (body, lit under side) of a long flat cloud, 256 x 64."""
    rng = np.random.default_rng(200 + kind)
    ys, xs = np.mgrid[0:64, 0:256].astype(np.float32)
    noise = _layered(rng, 64, 256, (9, 5), 4)
    shape = 1 - ((xs - 128) / 126) ** 2 - ((ys - 32) / 30) ** 2
    body = np.clip((noise - 0.62 + 0.3 * np.clip(shape, -1, 1)) * 4.2, 0, 1) * np.clip(shape * 3, 0, 1)
    soft = cv2.GaussianBlur(np.asarray(body, np.float32), (0, 0), 2.5)
    slope_y, _ = np.gradient(soft)
    lit = np.clip(0.35 - 4.5 * slope_y, 0, 1)
    return _image(np.asarray(body, np.float32)), _image(np.asarray(body * lit, np.float32))


def texture_paint(image: Any, colour: int, matrix: Any) -> Any:
    """Paint that lays an alpha-only tile, repeated, in `colour` under `matrix`."""
    shader = image.makeShader(skia.TileMode.kRepeat, skia.TileMode.kRepeat, LINEAR, matrix)
    return skia.Paint(Color=colour, Shader=shader)
