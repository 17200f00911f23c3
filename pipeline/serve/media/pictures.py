"""Single frames, and sprite sheets for previews, as JPEG; WebVTT that names the tiles of a sheet."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.errors import VideoDecodeError
from pipeline.export.webvtt import cue_time
from pipeline.types import Frame, Skip
from pipeline.video import IndexedVideos
from pipeline.video.frame_at import picture_at
from pipeline.video.protocol import VideoStream

__all__ = ["SpriteSheet", "frame_jpeg", "sheet_jpeg", "sheet_webvtt"]

Pixels = npt.NDArray[np.uint8]

_QUALITY = 85
_COLUMNS = 10
_MOMENT = Fraction(1, 1_000_000)


@dataclass(frozen=True, kw_only=True)
class SpriteSheet:
    """The layout of a sheet: pictures of a video at even distances, in rows of ten.

    Attributes:
        video_id: The video's id.
        start_seconds: Start of the part that is shown.
        end_seconds: End of the part.
        tiles: Number of pictures.
        width: Width of a picture in pixels.
        height: Height of a picture in pixels.
    """

    video_id: str
    start_seconds: float
    end_seconds: float
    tiles: int
    width: int
    height: int

    @property
    def columns(self) -> int:
        """Number of pictures in a row."""
        return min(self.tiles, _COLUMNS)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return math.ceil(self.tiles / _COLUMNS)

    def edges(self, tile: int) -> tuple[float, float]:
        """Return the start and the end in seconds of the part that a picture stands for."""
        step = (self.end_seconds - self.start_seconds) / self.tiles
        return self.start_seconds + tile * step, self.start_seconds + (tile + 1) * step

    def middle(self, tile: int) -> Fraction:
        """Return the time in the middle of the part that a picture stands for."""
        start, end = map(Fraction, self.edges(tile))
        return (start + end) / 2

    def tile_at(self, seconds: Fraction) -> int:
        """Return the picture that stands for a time."""
        share = (float(seconds) - self.start_seconds) / (self.end_seconds - self.start_seconds)
        return min(self.tiles - 1, int(share * self.tiles))

    def corner(self, tile: int) -> tuple[int, int]:
        """Return the left and the top edge of a picture in the sheet, in pixels."""
        return tile % _COLUMNS * self.width, tile // _COLUMNS * self.height


def frame_jpeg(videos: IndexedVideos, video_id: str, seconds: float, width: int | None) -> bytes:
    """Make a JPEG file of the frame whose time is nearest to `seconds`.

    Args:
        videos: Opens the video.
        video_id: The video's id.
        seconds: Time on the playback clock.
        width: Maximum width in pixels; None for the video's own size. Pictures are never enlarged.

    Raises:
        VideoError: The video cannot be read, or has no frame there.
    """
    with videos.open(video_id) as stream:
        image = Image.fromarray(picture_at(stream, seconds))
    if width is not None and width < image.width:
        height = max(1, round(image.height * width / image.width))
        image = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return _jpeg(image)


def sheet_jpeg(videos: IndexedVideos, sheet: SpriteSheet) -> bytes:
    """Make a JPEG file of a sprite sheet; where no frame can be decoded, its tile stays black.

    A tile shows the first keyframe of its part if there is one, and otherwise the frame at the middle.

    Raises:
        VideoError: The video cannot be read.
    """
    image = Image.new("RGB", (sheet.columns * sheet.width, sheet.rows * sheet.height))
    with videos.open(sheet.video_id) as stream:
        tiles = _keyframes(stream, sheet)
        tiles.update(_middles(stream, sheet, [tile for tile in range(sheet.tiles) if tile not in tiles]))
    for tile, pixels in tiles.items():
        image.paste(Image.fromarray(pixels), sheet.corner(tile))
    return _jpeg(image)


def _keyframes(stream: VideoStream, sheet: SpriteSheet) -> dict[int, Pixels]:
    """Decode a keyframe for each tile that has one; by tile."""
    found: dict[int, Pixels] = {}
    end, tile = Fraction(sheet.end_seconds), 0
    try:
        while tile < sheet.tiles:
            start = Fraction(sheet.edges(tile)[0])
            # The first one is what is on screen at the start, however old it is.
            frames = stream.frames(start=start, end=end, skip=Skip.NON_KEY)
            frame = next((frame for frame in frames if frame.time >= start), None)
            if frame is None:
                break
            tile = max(tile, sheet.tile_at(frame.time))
            found[tile] = frame.rgb(sheet.width, sheet.height)
            tile += 1
    except VideoDecodeError:
        pass
    return found


def _middles(stream: VideoStream, sheet: SpriteSheet, tiles: Sequence[int]) -> dict[int, Pixels]:
    """Decode the frame on screen in the middle of each of the given tiles; by tile.

    Between neighbouring tiles there is no keyframe, so all frames between their middles have to be decoded anyway.
    """
    found: dict[int, Pixels] = {}
    for run in _runs(tiles):
        middles = [(tile, sheet.middle(tile)) for tile in run]
        try:
            shown: Frame | None = None
            for frame in stream.frames(start=middles[0][1], end=middles[-1][1] + _MOMENT):
                while shown is not None and middles and middles[0][1] < frame.time:
                    found[middles.pop(0)[0]] = shown.rgb(sheet.width, sheet.height)
                shown = frame
            if shown is not None:
                found.update((tile, shown.rgb(sheet.width, sheet.height)) for tile, _ in middles)
        except VideoDecodeError:
            continue
    return found


def _runs(tiles: Sequence[int]) -> Iterator[list[int]]:
    """Split increasing numbers into runs of consecutive ones."""
    for _, run in groupby(enumerate(tiles), lambda each: each[1] - each[0]):
        yield [tile for _, tile in run]


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=_QUALITY)
    return buffer.getvalue()


def sheet_webvtt(sheet: SpriteSheet, address: str) -> str:
    """Format the tiles of a sheet as WebVTT: a cue for each, with the sheet's address and the tile's place in it.

    Args:
        sheet: The sheet.
        address: Where the sheet is, relative to the file.
    """
    cues = ["WEBVTT"]
    for tile in range(sheet.tiles):
        (start, end), (left, top) = sheet.edges(tile), sheet.corner(tile)
        place = f"{address}#xywh={left},{top},{sheet.width},{sheet.height}"
        cues.append(f"{cue_time(round(start * 1000))} --> {cue_time(round(end * 1000))}\n{place}")
    return "\n\n".join(cues) + "\n"
