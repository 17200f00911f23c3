"""CLIP preprocessing: resizes and crops frames to the image tower's input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline.types import Frame

__all__ = ["ClipPreprocessing"]

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class ClipPreprocessing:
    """open_clip's inference transform (open_clip/transform.py, `image_transform`) without the normalisation.

    The frame's own scaler does bicubic resizing, which avoids converting all pixels to RGB first. Bilinear resizing
    converts the whole frame to RGB and uses PIL, which is slower.

    Attributes:
        image_height: Height of the tower's input in pixels.
        image_width: Width of the tower's input in pixels.
        resize_mode: "shortest" fills the input and crops the rest, centred; "longest" fits the frame into the input and
            pads it, centred; "squash" ignores the aspect ratio.
        interpolation: The resampling filter that the model was trained with.
        fill_color: Grey level of the padding, 0 to 255.
    """

    image_height: int
    image_width: int
    resize_mode: Literal["shortest", "longest", "squash"] = "shortest"
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    fill_color: int = 0

    def __post_init__(self) -> None:
        if self.image_height < 1 or self.image_width < 1:
            raise ValueError(f"an image size is positive, got {self.image_width} x {self.image_height}")
        if self.resize_mode not in ("shortest", "longest", "squash"):
            raise ValueError(f"resize_mode is shortest, longest or squash, got {self.resize_mode!r}")
        if self.interpolation not in ("bicubic", "bilinear"):
            raise ValueError(f"interpolation is bicubic or bilinear, got {self.interpolation!r}")

    def __call__(self, frame: Frame) -> Picture:
        """Resize and crop as the model's own transform does.

        Returns:
            uint8 (image_height, image_width, 3) RGB, contiguous.
        """
        width, height = self._resized(frame.width, frame.height)
        picture = self._scaled(frame, width, height)
        if picture.shape[:2] != (self.image_height, self.image_width):
            picture = _centred(picture, self.image_height, self.image_width, self.fill_color)
        return np.ascontiguousarray(picture)

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        """Size after resizing, before cropping or padding; rounded as torchvision and open_clip round."""
        if self.resize_mode == "squash":
            return self.image_width, self.image_height
        if self.resize_mode == "shortest" and self.image_height == self.image_width:
            long_side = int(self.image_width * max(width, height) / min(width, height))
            return (self.image_width, long_side) if width <= height else (long_side, self.image_width)
        ratios = height / self.image_height, width / self.image_width
        ratio = max(ratios) if self.resize_mode == "longest" else min(ratios)
        return max(1, round(width / ratio)), max(1, round(height / ratio))

    def _scaled(self, frame: Frame, width: int, height: int) -> Picture:
        # open_clip ignores the interpolation if the input is not square and the mode is "shortest": it uses bicubic.
        is_square = self.image_height == self.image_width
        if self.interpolation == "bicubic" or (self.resize_mode == "shortest" and not is_square):
            return frame.rgb(width, height)
        from PIL import Image

        full = Image.fromarray(frame.rgb())
        return np.asarray(full.resize((width, height), Image.Resampling.BILINEAR))


def _centred(picture: Picture, height: int, width: int, fill: int) -> Picture:
    """Pad and crop a picture around its centre; halves are rounded as in open_clip's `center_crop_or_pad`."""
    down, across = max(0, height - picture.shape[0]), max(0, width - picture.shape[1])
    if down or across:
        borders = ((down // 2, (down + 1) // 2), (across // 2, (across + 1) // 2), (0, 0))
        picture = np.pad(picture, borders, constant_values=fill)
    top = round((picture.shape[0] - height) / 2.0)
    left = round((picture.shape[1] - width) / 2.0)
    return picture[top : top + height, left : left + width]
