"""Small pictures, for comparing frames."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.types import Frame

__all__ = ["mean_change", "small_picture"]

_WIDEST = 4


def small_picture(frame: Frame, height: int) -> npt.NDArray[np.uint8]:
    """A frame at most `height` pixels high and four times as wide: uint8 (H, W, 3) RGB, by the decoder's own scaler."""
    height = min(height, frame.height)
    width = max(1, min(round(frame.width * height / frame.height), _WIDEST * height))
    return frame.rgb(width, height)


def mean_change(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> float:
    """Compute the mean absolute difference of two pictures of one shape, in levels."""
    return float((np.maximum(one, other) - np.minimum(one, other)).sum(dtype=np.uint32)) / one.size
