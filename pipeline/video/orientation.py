"""How a coded picture is turned upright."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["UPRIGHT", "Orientation"]

P = TypeVar("P", bound=np.generic)


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to hold a picture: axes swapped first, then columns or rows reversed.

    Attributes:
        is_transposed: Whether rows become columns.
        is_mirrored: Whether columns are reversed then.
        is_flipped: Whether rows are reversed then.
    """

    is_transposed: bool = False
    is_mirrored: bool = False
    is_flipped: bool = False

    @classmethod
    def from_display_matrix(cls, matrix: bytes) -> Orientation:
        """Read a display matrix (ISO/IEC 14496-12, 6.2.2: 9 native int32, rows of a, b, u; c, d, v; x, y, w).

        A picture's point (p, q) is shown at (a p + c q, b p + d q); angles between right ones count as the nearest.
        """
        a, b, _, c, d = struct.unpack("=5i", matrix[:20])
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(is_transposed=True, is_mirrored=c < 0, is_flipped=b < 0)
        return cls(is_mirrored=a < 0, is_flipped=d < 0)

    @property
    def rotation_degrees(self) -> int:
        """Clockwise turn, 0, 90, 180 or 270; where the picture is mirrored too, it is mirrored left to right first."""
        if self.is_transposed:
            return 90 if self.is_mirrored else 270
        return 180 if self.is_flipped else 0

    @property
    def is_rotation(self) -> bool:
        """Whether a turn alone makes the picture upright, without a mirror."""
        return (self.is_mirrored == self.is_flipped) != self.is_transposed

    def upright_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height once upright; its own inverse."""
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
