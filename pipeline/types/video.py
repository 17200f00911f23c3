"""Frames, properties of videos, and the requests to a decoder: grids of times, and frames to skip."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Frame", "Grid", "Skip", "VideoInfo"]


class Skip(StrEnum):
    """Frames that a decoder may skip, from none to all except keyframes."""

    NOTHING = "nothing"
    NON_REFERENCE = "non_reference"
    DRAFT = "draft"
    """Non-reference frames and the loop filter; the pictures are slightly inaccurate, but can be compared."""
    NON_KEY = "non_key"


@dataclass(frozen=True)
class Grid:
    """The points k / rate of the playback clock, if frames are needed only at these.

    Attributes:
        rate: Points per second.
        tolerance: How far in seconds a frame may be from its point to save decoding, with slightly coarser pictures; 0
            for exactly the frame on screen.
    """

    rate: Fraction
    tolerance: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        if self.rate <= 0 or self.tolerance < 0:
            raise ValueError(f"not a grid: {self.rate} points per second, with a tolerance of {self.tolerance} s")


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """Properties of the best video stream, as its container states them.

    They may be wrong, so they must not determine the size of an allocation.

    Attributes:
        uri: Location of the video.
        container: FFmpeg's name of the format, as "mov,mp4,m4a,3gp,3g2,mj2".
        codec: FFmpeg's name of the codec, as "h264".
        width: Width of the upright picture in pixels.
        height: Height of the upright picture in pixels.
        rotation_degrees: Clockwise rotation that makes the coded picture upright: 0, 90, 180 or 270.
        time_base: Seconds per tick.
        start_time: Raw time of the playback clock's zero; a frame's time is pts * time_base - start_time.
        average_rate: Average frame rate; None if the container does not state it.
        duration_seconds: Length of the video stream; None if the container does not state it.
    """

    uri: str
    container: str
    codec: str
    width: int
    height: int
    rotation_degrees: int
    time_base: Fraction
    start_time: Fraction
    average_rate: Fraction | None
    duration_seconds: float | None

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"the size of a video must be positive, got {self.width} x {self.height}")
        if self.rotation_degrees not in (0, 90, 180, 270):
            raise ValueError(f"a rotation must be 0, 90, 180 or 270 degrees, got {self.rotation_degrees}")
        if self.time_base <= 0:
            raise ValueError(f"a time base must be positive, got {self.time_base}")


class Frame(Protocol):
    """A decoded picture with its exact time; its pixels are converted only on request."""

    @property
    def pts(self) -> int:
        """Presentation timestamp in ticks of the stream's time base."""

    @property
    def time(self) -> Fraction:
        """Seconds on the playback clock."""

    @property
    def duration(self) -> Fraction | None:
        """Duration in seconds that the container states for the frame; None if it states none."""

    @property
    def is_keyframe(self) -> bool:
        """Whether it can be decoded without other frames (an I-frame that starts a group of pictures)."""

    @property
    def width(self) -> int:
        """Width of the upright picture in pixels."""

    @property
    def height(self) -> int:
        """Height of the upright picture in pixels."""

    def rgb(self, width: int | None = None, height: int | None = None) -> npt.NDArray[np.uint8]:
        """Return the upright picture; if a size is given, scaled with the decoder's own scaler (bicubic).

        Returns:
            uint8 (height, width, 3) RGB, read-only.
        """

    def thumbnail(self) -> npt.NDArray[np.uint8]:
        """Return the picture scaled to 64 x 36, which is fast and sufficient to tell whether two frames differ.

        Returns:
            uint8 (3, 36, 64): luma and two chroma planes of the coded picture, not turned upright.
        """
