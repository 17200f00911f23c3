"""What the camera does to light: exposure, softness and the noise of its sensor."""

from __future__ import annotations

import random
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]

_NOISE_STEPS = 256
_NOISE_LENGTH = 1_500_007


def exposed(image: Image, exposure: float) -> Image:
    """The picture with its linear light times `exposure` (sRGB transfer of IEC 61966-2-1)."""
    if exposure == 1.0:
        return image
    value = np.arange(256) / 255.0
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4) * exposure
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    table = np.clip(encoded * 255.0 + 0.5, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table), np.uint8)


def softened(image: Image, seed: int) -> Image:
    """The picture through a lens that is, by `seed`, sharp or a little soft; the blur scales with the picture."""
    sigma = (seed * 2654435761 % 1000) / 1000 * 0.7 * image.shape[1] / 640 - 0.25
    if sigma < 0.15:
        return image
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


@lru_cache(maxsize=1)
def _noise_bank() -> npt.NDArray[np.int16]:
    noise = np.random.default_rng(11).standard_normal(_NOISE_LENGTH)
    return (noise * _NOISE_STEPS).astype(np.int16)


def with_noise(image: Image, sigma: float, seed: int, seconds: float) -> Image:
    """The picture with Gaussian noise of `sigma` grey levels, another at each millisecond of each seed."""
    if sigma <= 0:
        return image
    bank = _noise_bank()
    offset = random.Random(seed * 1_000_003 + round(seconds * 1000)).randrange(_NOISE_LENGTH // 2)
    noise = bank[offset : offset + image.size]
    if noise.size < image.size:
        noise = np.resize(bank[offset:], image.size)
    grainy = cv2.addWeighted(image, 1.0, noise.reshape(image.shape), sigma / _NOISE_STEPS, 0.0, dtype=cv2.CV_8U)
    return np.asarray(grainy, np.uint8)


@lru_cache(maxsize=4)
def _corners(height: int, width: int, depth: float) -> Image:
    ys, xs = np.mgrid[-1.0 : 1.0 : height * 1j, -1.0 : 1.0 : width * 1j]
    reach = np.clip(np.hypot(xs / 1.32, ys / 1.48) * 2.2 - 1.2, 0, 1)
    mask = np.round(255 * (1 - depth * reach**1.5)).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(mask[:, :, None], 3, axis=2))


def vignetted(image: Image, depth: float) -> Image:
    """The picture with its corners darkened, at the very ends by `depth` (0 to 1)."""
    mask = _corners(image.shape[0], image.shape[1], depth)
    return np.asarray(cv2.multiply(image, mask, scale=1 / 255), np.uint8)
