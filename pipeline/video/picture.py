"""Orientation of coded pictures, and conversion of pictures to upright RGB."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import av
    from av.video.reformatter import VideoReformatter

__all__ = ["UPRIGHT", "Orientation", "Scaler"]

P = TypeVar("P", bound=np.generic)


@dataclass(frozen=True)
class Orientation:
    """One of the eight orientations of a picture: the axes are swapped first, then columns or rows are reversed.

    Attributes:
        is_transposed: Whether rows become columns.
        is_mirrored: Whether columns are then reversed.
        is_flipped: Whether rows are then reversed.
    """

    is_transposed: bool = False
    is_mirrored: bool = False
    is_flipped: bool = False

    @classmethod
    def from_display_matrix(cls, matrix: bytes) -> Orientation:
        """Read a display matrix (ISO/IEC 14496-12, 6.2.2: 9 native int32, rows of a, b, u; c, d, v; x, y, w).

        The point (p, q) of a picture is shown at (a p + c q, b p + d q); other angles count as the nearest right angle.
        """
        a, b, _, c, d = struct.unpack("=5i", matrix[:20])
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(is_transposed=True, is_mirrored=c < 0, is_flipped=b < 0)
        return cls(is_mirrored=a < 0, is_flipped=d < 0)

    @property
    def rotation_degrees(self) -> int:
        """Clockwise rotation, 0, 90, 180 or 270; applied after a horizontal mirroring, if there is one."""
        if self.is_transposed:
            return 90 if self.is_mirrored else 270
        return 180 if self.is_flipped else 0

    @property
    def is_rotation(self) -> bool:
        """Whether a rotation without mirroring makes the picture upright."""
        return (self.is_mirrored == self.is_flipped) != self.is_transposed

    def upright_size(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height of the upright picture; the function is its own inverse."""
        return (height, width) if self.is_transposed else (width, height)

    def upright(self, picture: npt.NDArray[P]) -> npt.NDArray[P]:
        """Turn a picture, or a plane of one, upright.

        Args:
            picture: (H, W, ...), as uint8 (H, W, 3).

        Returns:
            (H, W, ...) or (W, H, ...) of the same type, contiguous, read-only.
        """
        if self.is_transposed:
            picture = picture.swapaxes(0, 1)
        if self.is_mirrored:
            picture = picture[:, ::-1]
        if self.is_flipped:
            picture = picture[::-1]
        upright = np.ascontiguousarray(picture).view()
        upright.flags.writeable = False
        return upright


UPRIGHT = Orientation()
"""A picture that is upright as it is."""


_MAX_REFORMATTERS = 8
_THUMBNAIL_SIZE = 64, 36


class Scaler:
    """Converts decoded pictures to RGB: bicubic, chroma at full resolution, upright.

    Colours follow the picture's own matrix and range; if it states none, BT.601 and limited range are used, as in
    FFmpeg and OpenCV. HDR is not tone-mapped, interlaced pictures are not deinterlaced, and non-square pixels stay as
    coded.

    Args:
        orientation: How pictures are turned upright.
    """

    def __init__(self, orientation: Orientation) -> None:
        self.orientation = orientation
        self._reformatters: dict[tuple[int, int], VideoReformatter] = {}

    def rgb(self, picture: av.VideoFrame, width: int | None, height: int | None) -> npt.NDArray[np.uint8]:
        """Convert and scale a picture in one step, then turn it upright.

        Args:
            picture: The decoded picture.
            width: Width of the upright result in pixels; None for the picture's own.
            height: Height of the upright result in pixels; None for the picture's own.

        Returns:
            uint8 (height, width, 3) RGB, read-only.

        Raises:
            ValueError: A size is not positive.
        """
        from av.video.reformatter import ColorRange, Interpolation

        own = self.orientation.upright_size(picture.width, picture.height)
        upright = own[0] if width is None else width, own[1] if height is None else height
        if min(upright) < 1:
            raise ValueError(f"a picture's size must be positive, got {upright[0]} x {upright[1]}")
        scaled = self._reformatter(upright).reformat(
            picture,
            *self.orientation.upright_size(*upright),
            format="rgb24",
            interpolation=Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND,
            dst_color_range=ColorRange.JPEG,
            threads=1,
        )
        return self.orientation.upright(np.asarray(scaled.to_ndarray(), np.uint8))

    def thumbnail(self, picture: av.VideoFrame) -> npt.NDArray[np.uint8]:
        """Scale a coded picture to a thumbnail: uint8 (3, 36, 64) YCbCr, in the picture's own range."""
        from av.video.reformatter import Interpolation

        scaled = self._reformatter(_THUMBNAIL_SIZE).reformat(
            picture, *_THUMBNAIL_SIZE, format="yuv444p", interpolation=Interpolation.FAST_BILINEAR, threads=1
        )
        return np.asarray(scaled.to_ndarray(), np.uint8)

    def _reformatter(self, size: tuple[int, int]) -> VideoReformatter:
        """Return the reformatter of a size; FFmpeg would otherwise set up its filters again at each change of size."""
        from av.video.reformatter import VideoReformatter

        if size not in self._reformatters:
            if len(self._reformatters) == _MAX_REFORMATTERS:
                self._reformatters.clear()
            self._reformatters[size] = VideoReformatter()
        return self._reformatters[size]
