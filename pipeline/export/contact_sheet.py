"""Contact sheets: the moments of an answer on one image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from pipeline.export.frame_sheet import draw_frame
from pipeline.export.score_curve import CURVE_HEIGHT, draw_curves
from pipeline.render.canvas import ACCENT, GROUND, QUIET, RIGHT, STEPS, TEXT, TILE, WRONG, Canvas, fitted, text_width
from pipeline.render.text import counted, file_name, printable, score_text, time_text
from pipeline.search import Answer
from pipeline.types import Moment
from pipeline.video import IndexedVideos

__all__ = ["contact_sheet"]

_WIDTH, _GAP, _MARGIN, _HEAD = 432, 24, 40, 116
_FILM_GAP = 4
_CAPTION, _STEP_CAPTION = 66, 44


@dataclass(frozen=True)
class _Layout:
    """The dimensions of a tile in points; it has `steps` pictures side by side."""

    steps: int

    @property
    def width(self) -> int:
        columns = min(self.steps, 3)
        return columns * _WIDTH + (columns - 1) * _GAP

    @property
    def picture_width(self) -> float:
        return (self.width - (self.steps - 1) * _FILM_GAP) / self.steps

    @property
    def picture_height(self) -> int:
        return round(self.picture_width * 9 / 16)

    @property
    def curve_top(self) -> int:
        return self.picture_height + _CAPTION + (_STEP_CAPTION if self.steps > 1 else 0)

    @property
    def height(self) -> int:
        return self.curve_top + CURVE_HEIGHT + 4


def contact_sheet(
    answer: Answer,
    videos: IndexedVideos,
    *,
    is_right: Sequence[bool | None] | None = None,
    columns: int | None = None,
    order: str = "best first",
) -> Image.Image:
    """Draw the best frame of each moment of an answer, with its video, interval and score.

    Below each frame is the curve of the score around it, with the moment shaded and a dashed line at the minimum score.
    A moment of several steps has a frame and a curve for each step. If nothing answers the question, the nearest moment
    is drawn. If a video is gone, or its file has other content now, its picture is empty and says so; `videos.problems`
    has the details.

    Args:
        answer: The answer to draw.
        videos: Opens the moments' videos.
        is_right: For each moment, whether it is right, which is marked; None if unknown.
        columns: Maximum number of moments in a row; None for a roughly square sheet, with at least three.
        order: Description of the order of the moments, for the heading.

    Returns:
        An RGB picture.
    """
    moments = answer.moments or (() if answer.found or answer.nearest is None else (answer.nearest,))
    layout = _Layout(1 + len(answer.query.then))
    most = columns or max(3, round(math.sqrt(len(moments)))) // min(layout.steps, 3)
    across = max(1, min(most, len(moments)))
    rows = -(-len(moments) // across)
    width = 2 * _MARGIN + max(across * (layout.width + _GAP) - _GAP, 2 * _WIDTH)
    sheet = Image.new("RGB", (width, _HEAD + rows * (layout.height + _GAP) + _MARGIN - (_GAP if rows else 0)), GROUND)
    sheet.paste(_head(answer, width, order), (0, 0))
    for number, moment in enumerate(moments):
        badge = str(answer.first_rank + number) if answer.moments else "nearest"
        verdict = None if is_right is None or not answer.moments else is_right[number]
        place = _MARGIN + number % across * (layout.width + _GAP), _HEAD + number // across * (layout.height + _GAP)
        sheet.paste(_tile(layout, answer, moment, videos, badge=badge, is_right=verdict), place)
    return sheet


def _head(answer: Answer, width: int, order: str) -> Image.Image:
    head = Canvas(width, _HEAD, GROUND)
    question, most = f"“{printable(str(answer.query))}”", width - 2 * _MARGIN
    points = next((points for points in (30, 25, 21) if text_width(question, points) <= most), 21)
    head.text(_MARGIN, 50, fitted(question, points=points, most=most), points=points, colour=TEXT)
    head.text(_MARGIN, 86, _summary(answer, order), points=16, colour=QUIET)
    head.text(width - _MARGIN, 86, "momentseek", points=16, colour=QUIET, anchor="rm")
    return head.finished()


def _summary(answer: Answer, order: str) -> str:
    count, videos = len(answer.moments), len({moment.video_id for moment in answer.moments})
    if not count and answer.found:
        return f"no page {answer.query.page}: {counted(answer.found, 'moment matches', 'moments match')}"
    if not count:
        return "nothing matches" if answer.nearest is None else f"nothing matches; {answer.min_score:g} is wanted"
    moments = counted(count, "moment")
    if count < answer.found:
        last = answer.first_rank + count - 1
        moments = f"{f'moments {answer.first_rank}-{last}' if count > 1 else f'moment {last}'} of {answer.found}"
    return f"{moments}  ·  {counted(videos, 'video')}  ·  {printable(order)}"


def _tile(
    layout: _Layout, answer: Answer, moment: Moment, videos: IndexedVideos, *, badge: str, is_right: bool | None
) -> Image.Image:
    tile = Canvas(layout.width, layout.height, GROUND)
    tile.box(0, 0, layout.width, layout.height, TILE, radius=10)
    texts = [str(step) for step in answer.query.steps]
    for number, (step, text) in enumerate(zip(moment.steps or (moment,), texts, strict=True)):
        left = number * (layout.picture_width + _FILM_GAP)
        width, height = layout.picture_width, layout.picture_height
        draw_frame(tile, videos, step.video_id, step.uri, step.best_seconds, width=width, height=height, left=left)
        if layout.steps > 1:
            _draw_step(tile, layout, left, step, text, STEPS[number % len(STEPS)])
    width = max(30.0, text_width(badge, 16) + 18)
    tile.box(12, 12, 12 + width, 40, GROUND, radius=8)
    tile.text(12 + width / 2, 26, badge, points=16, colour=TEXT, anchor="mm")
    _draw_caption(tile, layout, moment)
    if moment.video_id in answer.curves:
        curves = answer.curves[moment.video_id]
        draw_curves(
            tile, 16, layout.curve_top, layout.width - 16, moment=moment, curves=curves, min_score=answer.min_score
        )
    if is_right is not None:
        _draw_mark(tile, layout.width - 28, 28, is_right=is_right)
    return tile.finished()


def _draw_step(tile: Canvas, layout: _Layout, left: float, step: Moment, text: str, colour: str) -> None:
    inner, top = left + 16, layout.picture_height + _CAPTION
    tile.dot(inner + 5, top + 8, 5, colour)
    shown = fitted(printable(text), points=15, most=layout.picture_width - 100)
    tile.text(inner + 18, top + 8, shown, points=15, colour=TEXT)
    tile.text(left + layout.picture_width - 16, top + 8, score_text(step.score), points=15, colour=QUIET, anchor="rm")
    tile.text(inner + 18, top + 28, _interval(step), points=14, colour=colour)


def _draw_caption(tile: Canvas, layout: _Layout, moment: Moment) -> None:
    top, right = layout.picture_height, layout.width - 16
    score = score_text(moment.score)
    name = fitted(file_name(moment.uri), points=17, most=right - 32 - text_width(score, 19))
    tile.text(16, top + 23, name, points=17, colour=TEXT)
    tile.text(right, top + 23, score, points=19, colour=TEXT, anchor="rm")
    tile.text(16, top + 47, _interval(moment), points=16, colour=ACCENT if layout.steps == 1 else QUIET)
    if moment.copies:
        copies = f"+ {counted(len(moment.copies), 'copy', 'copies')}"
        tile.text(right, top + 47, copies, points=14, colour=QUIET, anchor="rm")


def _interval(moment: Moment) -> str:
    start = time_text(moment.start_seconds, moment.start_uncertainty_seconds)
    return f"{start} - {time_text(moment.end_seconds, moment.end_uncertainty_seconds)}"


def _draw_mark(tile: Canvas, x: float, y: float, *, is_right: bool) -> None:
    tile.dot(x, y, 16, GROUND)
    tile.dot(x, y, 13, RIGHT if is_right else WRONG)
    if is_right:
        tile.line([(x - 6, y), (x - 2, y + 5), (x + 6, y - 5)], GROUND, thickness=2.5)
    else:
        tile.line([(x - 5, y - 5), (x + 5, y + 5)], GROUND, thickness=2.5)
        tile.line([(x - 5, y + 5), (x + 5, y - 5)], GROUND, thickness=2.5)
