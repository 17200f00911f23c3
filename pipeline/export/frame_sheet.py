"""Frame sheets: frames of videos with captions in one image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from pipeline.errors import VideoError
from pipeline.render.canvas import ACCENT, GROUND, QUIET, TEXT, TILE, Canvas, fitted, text_width
from pipeline.render.text import file_name, printable
from pipeline.timecode import format_seconds
from pipeline.video import IndexedVideos
from pipeline.video.frame_at import picture_at

__all__ = ["SheetFrame", "draw_frame", "frame_sheet"]

_WIDTH, _GAP, _MARGIN, _HEAD, _CAPTION = 432, 24, 40, 116, 66
_PICTURE = _WIDTH * 9 // 16


@dataclass(frozen=True)
class SheetFrame:
    """A frame of a sheet.

    Attributes:
        video_id: The video's id.
        uri: The video's name.
        seconds: The frame's time.
        interval: The interval that it represents, such as "12.0 - 15.5".
        value: A number to the right of the video's name, such as "0.93".
        note: A short text to the right of the interval.
    """

    video_id: str
    uri: str
    seconds: float
    interval: str
    value: str = ""
    note: str = ""


def frame_sheet(title: str, summary: str, frames: Sequence[SheetFrame], videos: IndexedVideos) -> Image.Image:
    """Draw frames with their captions, numbered from 1, below a title and a summary.

    If a video is gone, or its file has other content now, its picture is empty and says so; `videos.problems` has the
    details.

    Returns:
        An RGB picture.
    """
    across = max(1, min(len(frames), max(3, round(math.sqrt(len(frames))))))
    rows = -(-len(frames) // across)
    width = 2 * _MARGIN + max(across * (_WIDTH + _GAP) - _GAP, 2 * _WIDTH)
    tile_height = _PICTURE + _CAPTION
    height = _HEAD + rows * (tile_height + _GAP) + _MARGIN - (_GAP if rows else 0)
    sheet = Image.new("RGB", (width, height), GROUND)
    sheet.paste(_head(title, summary, width), (0, 0))
    for number, frame in enumerate(frames):
        place = _MARGIN + number % across * (_WIDTH + _GAP), _HEAD + number // across * (tile_height + _GAP)
        sheet.paste(_tile(frame, str(number + 1), videos), place)
    return sheet


def _head(title: str, summary: str, width: int) -> Image.Image:
    head = Canvas(width, _HEAD, GROUND)
    head.text(_MARGIN, 50, fitted(printable(title), points=30, most=width - 2 * _MARGIN), points=30, colour=TEXT)
    head.text(_MARGIN, 86, printable(summary), points=16, colour=QUIET)
    head.text(width - _MARGIN, 86, "momentseek", points=16, colour=QUIET, anchor="rm")
    return head.finished()


def _tile(frame: SheetFrame, badge: str, videos: IndexedVideos) -> Image.Image:
    tile = Canvas(_WIDTH, _PICTURE + _CAPTION, GROUND)
    tile.box(0, 0, _WIDTH, _PICTURE + _CAPTION, TILE, radius=10)
    draw_frame(tile, videos, frame.video_id, frame.uri, frame.seconds, width=_WIDTH, height=_PICTURE)
    wide = max(30.0, text_width(badge, 16) + 18)
    tile.box(12, 12, 12 + wide, 40, GROUND, radius=8)
    tile.text(12 + wide / 2, 26, badge, points=16, colour=TEXT, anchor="mm")
    right = _WIDTH - 16
    name = fitted(file_name(frame.uri), points=17, most=right - 32 - text_width(frame.value, 19))
    tile.text(16, _PICTURE + 23, name, points=17, colour=TEXT)
    tile.text(right, _PICTURE + 23, frame.value, points=19, colour=TEXT, anchor="rm")
    tile.text(16, _PICTURE + 47, frame.interval, points=16, colour=ACCENT)
    note = fitted(printable(frame.note), points=14, most=right - 40 - text_width(frame.interval, 16))
    tile.text(right, _PICTURE + 47, note, points=14, colour=QUIET, anchor="rm")
    return tile.finished()


def draw_frame(
    tile: Canvas,
    videos: IndexedVideos,
    video_id: str,
    uri: str,
    seconds: float,
    *,
    width: float,
    height: float,
    left: float = 0.0,
) -> None:
    """Draw the frame of a video at a given time at the top of a tile, or the reason why it cannot be shown."""
    try:
        with videos.open(video_id, uri) as stream:
            picture = picture_at(stream, seconds)
    except VideoError as error:
        problem = fitted(printable(error.problem), points=15, most=width - 40)
        tile.text(left + width / 2, height / 2 - 12, "no picture", points=18, colour=TEXT, anchor="mm")
        tile.text(left + width / 2, height / 2 + 14, problem, points=15, colour=QUIET, anchor="mm")
    else:
        tile.paste(picture, left, 0, width=width, height=height)
    time = format_seconds(max(0.0, seconds))
    right, wide = left + width - 12, text_width(time, 15) + 18
    tile.box(right - wide, height - 40, right, height - 12, GROUND, radius=8)
    tile.text(right - wide / 2, height - 26, time, points=15, colour=TEXT, anchor="mm")
