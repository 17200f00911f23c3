"""Conversion of decoded pictures for a clip's encoder: upright, 4:2:0, colour space kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import av
    from av.video.frame import VideoFrame

    from pipeline.video.picture import Orientation

__all__ = ["ClipPictures", "Colours"]

# Numbers of ITU-T H.273.
_BT709 = 1
_UNSPECIFIED = 2
_SRGB_TRANSFER = 13
_HDR_TRANSFERS = (16, 18)
_LIMITED, _FULL = 1, 2


@dataclass(frozen=True)
class Colours:
    """Colour description of a picture, by ITU-T H.273; 2 is unspecified.

    Attributes:
        primaries: Primaries of the colour space.
        transfer: Transfer characteristics.
        matrix: Matrix coefficients from RGB.
        range: 1 for limited, 2 for full, 0 for unspecified (treated as limited).
    """

    primaries: int
    transfer: int
    matrix: int
    range: int


class ClipPictures:
    """Converts the pictures of one clip to the size, format and colours of the first.

    YUV stays YUV with its matrix and range, and both are tagged as in the source. RGB becomes BT.709 of limited range.
    HDR (PQ and HLG) of more than 8 bits is converted to 10 bits, everything else to 8.

    Args:
        first: A decoded picture.
        orientation: The rotation that turns pictures upright.

    Attributes:
        colours: Colour description of the clip.
        pixel_format: "yuv420p" or "yuv420p10le".
        width: Width of the upright picture in pixels, even.
        height: Height of the upright picture in pixels, even.
    """

    def __init__(self, first: VideoFrame, orientation: Orientation) -> None:
        from av.video.reformatter import VideoReformatter

        self._orientation = orientation
        self._is_rgb = _is_rgb(first.format)
        self._reformatter = VideoReformatter()
        self.colours = _colours_of(first, is_rgb=self._is_rgb)
        is_hdr = self.colours.transfer in _HDR_TRANSFERS and first.format.components[0].bits > 8
        self.pixel_format = "yuv420p10le" if is_hdr else "yuv420p"
        self._coded = max(2, first.width // 2 * 2), max(2, first.height // 2 * 2)
        self.width, self.height = orientation.upright_size(*self._coded)

    def converted(self, picture: VideoFrame) -> VideoFrame:
        """Convert a picture; the caller sets its time."""
        from av.video.reformatter import ColorRange, Colorspace, Interpolation

        full, limited = ColorRange.JPEG, ColorRange.MPEG
        given = full if self._is_rgb or self.colours.range == _FULL else limited
        wanted = limited if self._is_rgb else given
        made = self._reformatter.reformat(
            picture,
            *self._coded,
            format=self.pixel_format,
            interpolation=Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND,
            dst_colorspace=Colorspace.ITU709 if self._is_rgb else None,
            src_color_range=given,
            dst_color_range=wanted,
            threads=1,
        )
        upright = _upright(made, self._orientation)
        self._tag(upright)
        return upright

    def describe(self, encoder: Any) -> None:
        """Set an encoder's size, pixel format and colours."""
        encoder.width, encoder.height, encoder.pix_fmt = self.width, self.height, self.pixel_format
        self._tag(encoder)

    def _tag(self, target: Any) -> None:
        target.color_primaries, target.color_trc = self.colours.primaries, self.colours.transfer
        target.colorspace, target.color_range = self.colours.matrix, self.colours.range


def _is_rgb(pixels: av.VideoFormat) -> bool:
    return bool(pixels.is_rgb or pixels.has_palette or pixels.is_bayer) or pixels.name.startswith("xyz")


def _colours_of(picture: VideoFrame, *, is_rgb: bool) -> Colours:
    primaries, transfer = int(picture.color_primaries), int(picture.color_trc)
    if is_rgb:
        # Untagged RGB is taken as sRGB, whose primaries are those of BT.709.
        transfer = _SRGB_TRANSFER if transfer == _UNSPECIFIED else transfer
        primaries = _BT709 if primaries == _UNSPECIFIED else primaries
        return Colours(primaries, transfer, _BT709, _LIMITED)
    matrix, color_range = int(picture.colorspace), int(picture.color_range)
    name = picture.format.name
    # Formats with this prefix have full range, and so has grey, as in FFmpeg.
    is_full = (
        color_range == _FULL
        or name.startswith("yuvj")
        or (color_range != _LIMITED and name.startswith(("gray", "ya", "mono")))
    )
    return Colours(primaries, transfer, matrix or _UNSPECIFIED, _FULL if is_full else color_range)


def _upright(picture: VideoFrame, orientation: Orientation) -> VideoFrame:
    """Turn a 4:2:0 picture of even size upright, plane by plane."""
    import av

    if not (orientation.is_transposed or orientation.is_mirrored or orientation.is_flipped):
        return picture
    kind: Any = np.uint8 if picture.format.name == "yuv420p" else np.uint16
    turned = av.VideoFrame(*orientation.upright_size(picture.width, picture.height), picture.format.name)
    for source, target in zip(picture.planes, turned.planes, strict=True):
        rows = np.frombuffer(memoryview(source), kind).reshape(source.height, -1)[:, : source.width]
        padded = np.zeros((target.height, target.line_size // np.dtype(kind).itemsize), kind)
        padded[:, : target.width] = orientation.upright(rows)
        target.update(padded.tobytes())
    return turned
