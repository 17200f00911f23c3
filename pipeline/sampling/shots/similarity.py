"""Measures the difference between two pictures, regardless of movement and light."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["SIZE", "unlikeness"]

SIZE: Final = 64, 36
"""Width and height of the compared pictures."""

# Size of the blocks, and the maximum distance of the search from a block's position, in points.
_BLOCK = 4
_REACH = 6
# Mean difference of brightness below which two pictures count as equal.
_LEAST_COST = 1.0
_MOST_GAIN = 4.0
_LEAST_DEVIATION = 1.0
# Value of the brightest or darkest point, so that the differences in a block add up to less than 2 ** 16.
_LARGEST = 2040
# Rows of shifts compared in one step, which then fits into a processor's cache.
_ROWS_AT_ONCE = 4


def unlikeness(before: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8]) -> float:
    """Compute the difference of two pictures, regardless of movement and light.

    Each block of `after` is searched for in `before` near its own position. The mean difference of the best matches is
    divided by that of the best matches in `before` turned upside down, which has the same colours but other content.
    Brightness and, up to a factor of four, contrast are equalised first.

    Args:
        before: Brightness of one picture, uint8 (H, W).
        after: Brightness of the other picture, uint8 (H, W).

    Returns:
        0 if every block was found, about 1 if `after` is another picture. Between consecutive frames, movement gives at
        most 0.55 and cuts at least 0.75, as measured on 6 films that `benchmarks.edited_footage` made of real
        footage (63 cuts; steps that stand out from their neighbours).
    """
    old, new = _at_size(before), _at_size(after)
    old *= np.clip(new.std() / max(float(old.std()), _LEAST_DEVIATION), 1 / _MOST_GAIN, _MOST_GAIN)
    scale = _LARGEST / max(1.0, float(np.abs(old).max()), float(np.abs(new).max()))
    # Integers are faster to compare.
    whole_old, whole_new = (np.rint(points * scale).astype(np.int16) for points in (old, new))
    stranger = max(_LEAST_COST * scale, _matching_cost(whole_old[::-1, ::-1], whole_new))
    return _matching_cost(whole_old, whole_new) / stranger


def _at_size(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    if picture.shape != SIZE[::-1]:
        picture = np.asarray(Image.fromarray(picture).resize(SIZE, Image.Resampling.BOX))
    points = picture.astype(np.float32)
    points -= points.mean()
    return points


def _matching_cost(old: npt.NDArray[np.int16], new: npt.NDArray[np.int16]) -> float:
    """Compute the mean absolute difference of a picture's blocks from their best matches."""
    height, width = new.shape
    padded = np.pad(old, _REACH, mode="edge")
    shifts = 2 * _REACH + 1
    shifted = np.lib.stride_tricks.as_strided(padded, (shifts, shifts, height, width), 2 * padded.strides)
    best = np.full((height // _BLOCK, width // _BLOCK), np.iinfo(np.uint16).max, np.uint16)
    for first in range(0, shifts, _ROWS_AT_ONCE):
        change = shifted[first : first + _ROWS_AT_ONCE] - new
        np.abs(change, out=change)
        by_point = change.view(np.uint16).reshape(-1, height // _BLOCK, _BLOCK, width)
        # Sums of slices are faster than a reduction of short axes.
        by_column = _sum_of_slices(by_point.transpose(2, 0, 1, 3))
        by_block = _sum_of_slices(by_column.reshape(-1, *best.shape, _BLOCK).transpose(3, 0, 1, 2))
        np.minimum(best, by_block.min(0), out=best)
    return float(best.mean()) / _BLOCK**2


def _sum_of_slices(slices: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
    total: npt.NDArray[np.uint16] = slices[0] + slices[1]
    for one in slices[2:]:
        total += one
    return total
