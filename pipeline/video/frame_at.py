"""Reads the frame of a video nearest to a given time."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from pipeline.errors import VideoDecodeError
from pipeline.video.protocol import VideoDecoder, VideoStream

__all__ = ["frame_at", "picture_at"]


def frame_at(decoder: VideoDecoder, path: str, seconds: float) -> npt.NDArray[np.uint8]:
    """Decode the frame whose time is nearest to `seconds`, at its own size.

    Returns:
        uint8 (H, W, 3) RGB.

    Raises:
        VideoError: The video cannot be opened, or has no frame near that time.
    """
    with decoder.open(path) as stream:
        return picture_at(stream, seconds)


def picture_at(stream: VideoStream, seconds: float) -> npt.NDArray[np.uint8]:
    """Decode the frame of an open video whose time is nearest to `seconds`, at its own size.

    Returns:
        uint8 (H, W, 3) RGB.

    Raises:
        VideoError: The video has no frame near that time.
    """
    target = Fraction(seconds)
    nearest = None
    # The float may be rounded up, so the search starts slightly earlier.
    for frame in stream.frames(start=max(Fraction(0), target - Fraction(1, 1000))):
        if nearest is not None and abs(frame.time - target) >= abs(nearest.time - target):
            break
        nearest = frame
    if nearest is None:
        raise VideoDecodeError(stream.info.uri, f"there is no frame at {seconds:.3f} s")
    return nearest.rgb()
