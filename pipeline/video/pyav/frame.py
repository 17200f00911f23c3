"""A frame decoded by PyAV, converted to RGB on demand."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline.video.picture import Scaler

if TYPE_CHECKING:
    import av

__all__ = ["PyAVFrame"]


@dataclass(frozen=True, slots=True)
class PyAVFrame:
    """A `Frame` that holds the decoder's own picture.

    Attributes:
        pts: Presentation timestamp in ticks of the stream's time base.
        time: Seconds on the playback clock.
        duration: Seconds on screen; None if the container does not state it.
        width: Width of the upright picture in pixels.
        height: Height of the upright picture in pixels.
        picture: The decoded picture.
        scaler: Converts it to RGB.
    """

    pts: int
    time: Fraction
    duration: Fraction | None
    width: int
    height: int
    picture: av.VideoFrame = field(repr=False)
    scaler: Scaler = field(repr=False)

    @property
    def is_keyframe(self) -> bool:
        """Whether it can be decoded without other frames."""
        return bool(self.picture.key_frame)

    def rgb(self, width: int | None = None, height: int | None = None) -> npt.NDArray[np.uint8]:
        """Return the upright picture: uint8 (height, width, 3) RGB, read-only."""
        return self.scaler.rgb(self.picture, width, height)

    def thumbnail(self) -> npt.NDArray[np.uint8]:
        """Scale the picture to a thumbnail: uint8 (3, 36, 64) YCbCr."""
        return self.scaler.thumbnail(self.picture)
