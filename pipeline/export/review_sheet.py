"""Review sheets: the frames of a part of a video in one image, for review by a person."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.render.canvas import ACCENT, GROUND, QUIET, TEXT, TILE, Canvas, fitted
from pipeline.render.text import printable
from pipeline.timecode import format_seconds

__all__ = ["review_sheet"]

_WIDTH, _GAP, _MARGIN, _HEAD, _CAPTION = 640, 16, 24, 96, 36
_SMALL_WIDTH = 400


def review_sheet(
    pictures: Sequence[tuple[float, npt.NDArray[np.uint8]]], *, question: str, place: str, reason: str
) -> Image.Image:
    """Draw the frames of a part of a video.

    Args:
        pictures: Time in seconds and uint8 (H, W, 3) RGB picture of each frame; at least one.
        question: The question, in one line.
        place: The video and its part, in one line.
        reason: The reason for the review, in one line.

    Returns:
        An RGB picture.
    """
    wide = _WIDTH if len(pictures) == 1 else _SMALL_WIDTH
    high = wide * 9 // 16
    across = min(2, len(pictures))
    rows = -(-len(pictures) // across)
    width = 2 * _MARGIN + across * (wide + _GAP) - _GAP
    height = _HEAD + rows * (high + _CAPTION + _GAP) - _GAP + _MARGIN
    sheet = Canvas(width, height, GROUND)
    most = width - 2 * _MARGIN
    sheet.text(_MARGIN, 30, fitted(printable(question), points=22, most=most), points=22, colour=TEXT)
    sheet.text(_MARGIN, 58, fitted(printable(place), points=16, most=most), points=16, colour=ACCENT)
    sheet.text(_MARGIN, 80, fitted(printable(reason), points=15, most=most), points=15, colour=QUIET)
    for number, (seconds, picture) in enumerate(pictures):
        left = _MARGIN + number % across * (wide + _GAP)
        top = _HEAD + number // across * (high + _CAPTION + _GAP)
        sheet.box(left, top, left + wide, top + high + _CAPTION, TILE, radius=10)
        sheet.paste(picture, left, top, width=wide, height=high)
        time = format_seconds(max(0.0, seconds))
        sheet.text(left + 14, top + high + _CAPTION / 2, time, points=15, colour=QUIET)
    return sheet.finished()
