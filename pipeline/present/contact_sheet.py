"""The moments of an answer on one picture."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from pipeline.errors import VideoDecodeError, VideoError
from pipeline.present.text import file_name, printable
from pipeline.timecode import format_seconds
from pipeline.types import Moment
from pipeline.video.protocol import VideoDecoder

__all__ = ["contact_sheet", "frame_at"]

_GROUND, _TILE, _LINE = "#101216", "#191c22", "#2a2e37"
_TEXT, _QUIET, _ACCENT = "#f2f3f5", "#949aa6", "#6ea8fe"
_RIGHT, _WRONG = "#4ade80", "#f0716f"
_WIDTH, _PICTURE, _CAPTION, _GAP, _MARGIN, _HEAD = 432, 243, 84, 24, 40, 116
# Everything is drawn at twice its size and halved at the end: Pillow's own shapes have jagged edges.
_SCALE = 2


def frame_at(decoder: VideoDecoder, path: str, seconds: float) -> npt.NDArray[np.uint8]:
    """The picture of the frame whose time is nearest to `seconds`, at its own size.

    Returns:
        uint8 (H, W, 3) RGB.

    Raises:
        VideoError: The video cannot be opened, or has no frame near that time.
    """
    wanted = Fraction(seconds)
    nearest = None
    with decoder.open(path) as stream:
        # The float is rounded, so the frame's exact time may be a little less.
        for frame in stream.frames(start=max(Fraction(0), wanted - Fraction(1, 1000))):
            if nearest is not None and abs(frame.time - wanted) >= abs(nearest.time - wanted):
                break
            nearest = frame
        if nearest is None:
            raise VideoDecodeError(path, f"there is no frame at {seconds:.3f} s")
        return nearest.rgb()


def contact_sheet(
    question: str,
    moments: Sequence[Moment],
    decoder: VideoDecoder,
    *,
    is_right: Sequence[bool | None] | None = None,
    columns: int = 3,
) -> Image.Image:
    """Draw the best frame of each moment, with its video, its interval and its score.

    The score's bar is relative to the best score of the sheet. A video that is no longer there leaves an empty picture
    that says so.

    Args:
        question: The title.
        moments: Best first.
        decoder: Opens the moments' videos.
        is_right: For each moment, whether it meets the truth, which is marked; None where that cannot be said.
        columns: Most pictures in a row.

    Returns:
        An RGB picture.
    """
    columns = max(1, min(columns, len(moments)))
    rows = -(-len(moments) // columns)
    width = 2 * _MARGIN + columns * _WIDTH + (columns - 1) * _GAP
    height = _HEAD + rows * (_PICTURE + _CAPTION + _GAP) + _MARGIN - (_GAP if rows else 0)
    sheet = _Canvas(max(width, 2 * _MARGIN + 2 * _WIDTH), height)
    _draw_head(sheet, question, moments)
    best = max((moment.score for moment in moments), default=0.0)
    for number, moment in enumerate(moments):
        left = _MARGIN + number % columns * (_WIDTH + _GAP)
        top = _HEAD + number // columns * (_PICTURE + _CAPTION + _GAP)
        _draw_picture(sheet, left, top, decoder, moment)
        _draw_badges(sheet, left, top, number + 1, moment)
        share = moment.score / best if best > 0 else 0.0
        _draw_caption(sheet, left, top + _PICTURE, moment, share)
        verdict = None if is_right is None else is_right[number]
        if verdict is not None:
            _draw_mark(sheet, left, top, is_right=verdict)
    return sheet.finished()


class _Canvas:
    """A picture whose measures are given in points of the finished one."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self._image = Image.new("RGB", (width * _SCALE, height * _SCALE), _GROUND)
        self._draw = ImageDraw.Draw(self._image)

    def box(self, left: float, top: float, right: float, bottom: float, colour: str, *, radius: float = 0) -> None:
        edges = [edge * _SCALE for edge in (left, top, right, bottom)]
        self._draw.rounded_rectangle((edges[0], edges[1], edges[2] - 1, edges[3] - 1), radius * _SCALE, fill=colour)

    def line(self, points: Sequence[tuple[float, float]], colour: str, *, thickness: float) -> None:
        scaled = [(x * _SCALE, y * _SCALE) for x, y in points]
        self._draw.line(scaled, fill=colour, width=round(thickness * _SCALE), joint="curve")

    def text(self, left: float, middle: float, text: str, *, points: int, colour: str, anchor: str = "lm") -> None:
        self._draw.text((left * _SCALE, middle * _SCALE), text, fill=colour, font=_font(points, text), anchor=anchor)

    def fitted(self, text: str, *, points: int, most: float) -> str:
        """The text, its middle left out where it is longer than `most`."""
        if _text_width(text, points) <= most:
            return text
        for kept in range(len(text) - 1, 1, -1):
            shorter = f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"
            if _text_width(shorter, points) <= most:
                return shorter
        return "…"

    def paste(self, picture: npt.NDArray[np.uint8], left: int, top: int, *, width: int, height: int) -> None:
        """Fit a picture into a box, whole, its upper corners rounded."""
        image = Image.fromarray(picture)
        ratio = min(width * _SCALE / image.width, height * _SCALE / image.height)
        size = max(1, round(image.width * ratio)), max(1, round(image.height * ratio))
        image = image.resize(size, Image.Resampling.LANCZOS)
        x, y = left * _SCALE + (width * _SCALE - size[0]) // 2, top * _SCALE + (height * _SCALE - size[1]) // 2
        mask = Image.new("L", (width * _SCALE, height * _SCALE), 0)
        corners = (0, 0, width * _SCALE - 1, height * _SCALE + 20 * _SCALE)
        ImageDraw.Draw(mask).rounded_rectangle(corners, 10 * _SCALE, fill=255)
        inside = (x - left * _SCALE, y - top * _SCALE)
        self._image.paste(image, (x, y), mask.crop((*inside, inside[0] + size[0], inside[1] + size[1])))

    def finished(self) -> Image.Image:
        return self._image.reduce(_SCALE)


@cache
def _scalable(points: int, *, is_latin: bool) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    if not is_latin:
        try:
            return ImageFont.truetype("DejaVuSans.ttf", points * _SCALE)
        except OSError:
            pass
    return ImageFont.load_default(points * _SCALE)


def _font(points: int, text: str) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font, which is always there and is Latin; for other scripts DejaVu's, where it is installed."""
    return _scalable(points, is_latin=all(ord(character) < 0x250 or character in "…“”" for character in text))


def _text_width(text: str, points: int) -> float:
    """How wide a text is drawn."""
    return _font(points, text).getlength(text) / _SCALE


def _draw_head(sheet: _Canvas, question: str, moments: Sequence[Moment]) -> None:
    title = sheet.fitted(f"“{printable(question)}”", points=30, most=sheet.width - 2 * _MARGIN)
    sheet.text(_MARGIN, 50, title, points=30, colour=_TEXT)
    videos = len({moment.video_id for moment in moments})
    said = f"{len(moments)} {'moment' if len(moments) == 1 else 'moments'}"
    said += f"  ·  {videos} {'video' if videos == 1 else 'videos'}  ·  best first"
    sheet.text(_MARGIN, 86, said if moments else "nothing found", points=16, colour=_QUIET)
    sheet.text(sheet.width - _MARGIN, 86, "momentseek", points=16, colour=_QUIET, anchor="rm")


def _draw_picture(sheet: _Canvas, left: int, top: int, decoder: VideoDecoder, moment: Moment) -> None:
    sheet.box(left, top, left + _WIDTH, top + _PICTURE + _CAPTION, _TILE, radius=10)
    try:
        picture = frame_at(decoder, moment.uri, moment.best_seconds)
    except VideoError as error:
        problem = sheet.fitted(printable(error.problem), points=15, most=_WIDTH - 40)
        sheet.text(left + _WIDTH / 2, top + _PICTURE / 2 - 12, "no picture", points=18, colour=_TEXT, anchor="mm")
        sheet.text(left + _WIDTH / 2, top + _PICTURE / 2 + 14, problem, points=15, colour=_QUIET, anchor="mm")
    else:
        sheet.paste(picture, left, top, width=_WIDTH, height=_PICTURE)


def _draw_badges(sheet: _Canvas, left: int, top: int, rank: int, moment: Moment) -> None:
    width = max(30.0, _text_width(str(rank), 16) + 18)
    sheet.box(left + 12, top + 12, left + 12 + width, top + 40, _GROUND, radius=8)
    sheet.text(left + 12 + width / 2, top + 26, str(rank), points=16, colour=_TEXT, anchor="mm")
    time = format_seconds(max(0.0, moment.best_seconds))
    width = _text_width(time, 15) + 18
    sheet.box(
        left + _WIDTH - 12 - width, top + _PICTURE - 40, left + _WIDTH - 12, top + _PICTURE - 12, _GROUND, radius=8
    )
    sheet.text(left + _WIDTH - 12 - width / 2, top + _PICTURE - 26, time, points=15, colour=_TEXT, anchor="mm")


def _draw_caption(sheet: _Canvas, left: int, top: int, moment: Moment, share: float) -> None:
    inner, right = left + 16, left + _WIDTH - 16
    interval = f"{format_seconds(moment.start_seconds)} - {format_seconds(moment.end_seconds)}"
    name = sheet.fitted(file_name(moment.uri), points=17, most=_WIDTH - 32)
    sheet.text(inner, top + 24, name, points=17, colour=_TEXT)
    sheet.text(inner, top + 49, interval, points=16, colour=_ACCENT)
    sheet.text(right, top + 49, f"{moment.score:.3f}", points=16, colour=_QUIET, anchor="rm")
    sheet.box(inner, top + 66, right, top + 70, _LINE, radius=2)
    filled = (right - inner) * min(1.0, max(0.0, share))
    if filled >= 4:
        sheet.box(inner, top + 66, inner + filled, top + 70, _ACCENT, radius=2)


def _draw_mark(sheet: _Canvas, left: int, top: int, *, is_right: bool) -> None:
    x, y = left + _WIDTH - 28, top + 28
    sheet.box(x - 16, y - 16, x + 16, y + 16, _GROUND, radius=16)
    sheet.box(x - 13, y - 13, x + 13, y + 13, _RIGHT if is_right else _WRONG, radius=13)
    if is_right:
        sheet.line([(x - 6, y), (x - 2, y + 5), (x + 6, y - 5)], _GROUND, thickness=2.5)
    else:
        sheet.line([(x - 5, y - 5), (x + 5, y + 5)], _GROUND, thickness=2.5)
        sheet.line([(x - 5, y + 5), (x + 5, y - 5)], _GROUND, thickness=2.5)
