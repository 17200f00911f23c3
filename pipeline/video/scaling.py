"""Pictures to RGB of any size, by FFmpeg's scaler."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline.video.orientation import Orientation

if TYPE_CHECKING:
    import av
    from av.video.reformatter import VideoReformatter

__all__ = ["Scaler"]

_MOST_SIZES = 8
_GLANCE = 64, 36


class Scaler:
    """Makes RGB of decoded pictures: bicubic, chroma at full resolution, upright.

    Colours follow the picture's own matrix and range; where it does not say, BT.601 and limited range are meant, as in
    FFmpeg and OpenCV. There is no tone mapping of HDR, no deinterlacing, and pixels that are not square stay as coded.

    Args:
        orientation: How pictures are turned upright.
    """

    def __init__(self, orientation: Orientation) -> None:
        self.orientation = orientation
        self._reformatters: dict[tuple[int, int], VideoReformatter] = {}

    def rgb(self, picture: av.VideoFrame, width: int | None, height: int | None) -> npt.NDArray[np.uint8]:
        """Convert and scale in one step, straight to the wanted size, and then turn.

        Args:
            picture: As decoded.
            width: Pixels across, upright; None for the picture's own.
            height: Pixels down, upright; None for the picture's own.

        Returns:
            uint8 (height, width, 3) RGB, read-only.

        Raises:
            ValueError: A size is not positive.
        """
        from av.video.reformatter import ColorRange, Interpolation

        own = self.orientation.upright_size(picture.width, picture.height)
        upright = own[0] if width is None else width, own[1] if height is None else height
        if min(upright) < 1:
            raise ValueError(f"a picture's size is positive, got {upright[0]} x {upright[1]}")
        scaled = self._reformatter(upright).reformat(
            picture,
            *self.orientation.upright_size(*upright),
            format="rgb24",
            interpolation=Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND,
            dst_color_range=ColorRange.JPEG,
            threads=1,
        )
        return self.orientation.upright(np.asarray(scaled.to_ndarray(), np.uint8))

    def glance(self, picture: av.VideoFrame) -> npt.NDArray[np.uint8]:
        """A few points of the picture as coded: uint8 (3, 36, 64) YCbCr, full range or limited as it comes."""
        from av.video.reformatter import Interpolation

        scaled = self._reformatter(_GLANCE).reformat(
            picture, *_GLANCE, format="yuv444p", interpolation=Interpolation.FAST_BILINEAR, threads=1
        )
        return np.asarray(scaled.to_ndarray(), np.uint8)

    def _reformatter(self, size: tuple[int, int]) -> VideoReformatter:
        """FFmpeg prepares its filters anew when a reformatter meets another size, so each size has one."""
        from av.video.reformatter import VideoReformatter

        if size not in self._reformatters:
            if len(self._reformatters) == _MOST_SIZES:
                self._reformatters.clear()
            self._reformatters[size] = VideoReformatter()
        return self._reformatters[size]
