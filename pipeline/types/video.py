"""Frames, the properties of a video, and what a decoder is asked for: a grid of times, and frames to skip."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Frame", "Grid", "Skip", "VideoInfo"]


class Skip(StrEnum):
    """What a decoder may leave undecoded, from nothing to all but keyframes."""

    NOTHING = "nothing"
    NON_REFERENCE = "non_reference"
    DRAFT = "draft"
    """Non-reference frames and the loop filter: pictures are a little off, and good to compare."""
    NON_KEY = "non_key"


@dataclass(frozen=True)
class Grid:
    """Points k / rate of the playback clock at which frames are wanted, and no others.

    Attributes:
        rate: Points a second.
        tolerance: Seconds by which a frame may miss its point where that saves decoding, and look a little coarser; 0
            for the frame on screen.
    """

    rate: Fraction
    tolerance: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        if self.rate <= 0 or self.tolerance < 0:
            raise ValueError(f"not a grid: {self.rate} points a second, give or take {self.tolerance} s")


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """Properties of the best video stream, as its container states them. They may be false: never allocate from them.

    Attributes:
        uri: Where the video is.
        container: FFmpeg's name of the format, as "mov,mp4,m4a,3gp,3g2,mj2".
        codec: FFmpeg's name of the codec, as "h264".
        width: Pixels across, upright.
        height: Pixels down, upright.
        rotation_degrees: Clockwise turn that makes the coded picture upright: 0, 90, 180 or 270.
        time_base: Seconds of one pts tick.
        start_time: Raw time of the playback clock's zero; a frame's time is pts * time_base - start_time.
        average_rate: Frames a second on average, where the container says.
        duration_seconds: Length of the video stream, where the container says.
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
            raise ValueError(f"a video needs a size, got {self.width} x {self.height}")
        if self.rotation_degrees not in (0, 90, 180, 270):
            raise ValueError(f"a rotation is 0, 90, 180 or 270 degrees, got {self.rotation_degrees}")
        if self.time_base <= 0:
            raise ValueError(f"a time base is positive, got {self.time_base}")


class Frame(Protocol):
    """One decoded picture with its exact time; its pixels are converted only when they are asked for."""

    @property
    def pts(self) -> int:
        """Presentation timestamp in ticks of the stream's time base."""

    @property
    def time(self) -> Fraction:
        """Seconds on the playback clock."""

    @property
    def duration(self) -> Fraction | None:
        """Seconds on screen by its own timestamps; None where the container does not say."""

    @property
    def is_keyframe(self) -> bool:
        """Whether it decodes alone (an I-frame that starts a group of pictures)."""

    @property
    def width(self) -> int:
        """Pixels across, upright."""

    @property
    def height(self) -> int:
        """Pixels down, upright."""

    def rgb(self, width: int | None = None, height: int | None = None) -> npt.NDArray[np.uint8]:
        """The picture, upright, scaled by the decoder's own scaler (bicubic) where a size is given.

        Returns:
            uint8 (height, width, 3) RGB, read-only.
        """

    def thumbnail(self) -> npt.NDArray[np.uint8]:
        """The picture in 64 x 36 points, fast to have: enough to tell whether two frames of a video differ.

        Returns:
            uint8 (3, 36, 64): brightness and two differences of colour, of the picture as coded, not turned upright.
        """
