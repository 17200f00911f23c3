"""Routes of pictures of videos."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from pipeline.serve.http.entity_tags import is_known
from pipeline.serve.http.problems import ProblemError
from pipeline.serve.media.pictures import SpriteSheet, frame_jpeg, sheet_jpeg, sheet_webvtt
from pipeline.serve.served_library import Served
from pipeline.types import VideoRecord

__all__ = ["routes"]

routes = APIRouter(tags=["media"])

_LASTING = "private, max-age=86400"
_MOST_SECONDS = 1e7

Tiles = Annotated[int, Query(ge=1, le=100, description="Number of pictures.")]
Width = Annotated[int, Query(ge=16, le=480, description="Width of a picture in pixels.")]
Seconds = Annotated[float | None, Query(ge=0, le=_MOST_SECONDS, description="Start or end of the part in seconds.")]


@dataclass(frozen=True)
class _SheetParameters:
    """The parameters of the routes of sprite sheets."""

    tiles: Tiles = 50
    width: Width = 160
    start: Seconds = None
    end: Seconds = None

    def sheet(self, record: VideoRecord) -> SpriteSheet:
        """Lay out a sheet of a video.

        Raises:
            ProblemError: The part is empty.
        """
        first = self.start or 0.0
        last = min(record.duration_seconds, self.end if self.end is not None else record.duration_seconds)
        if not first < last:
            raise ProblemError(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "bad_part",
                f"the video has nothing between {first:g} s and {last:g} s; it ends at {record.duration_seconds:.3f} s",
            )
        height = min(2 * self.width, max(2, 2 * round(self.width * record.info.height / record.info.width / 2)))
        return SpriteSheet(
            video_id=record.video_id,
            start_seconds=first,
            end_seconds=last,
            tiles=self.tiles,
            width=self.width,
            height=height,
        )


SheetParameters = Annotated[_SheetParameters, Depends()]


@routes.get(
    "/videos/{video_id}/frames/{seconds}.jpg",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}},
)
async def frame(
    request: Request,
    served: Served,
    video_id: str,
    seconds: Annotated[float, Path(ge=0, le=_MOST_SECONDS, allow_inf_nan=False)],
    width: Annotated[int | None, Query(ge=16, le=8192, description="Maximum width in pixels.")] = None,
) -> Response:
    """Show the frame whose time is nearest to `seconds`, as a JPEG picture."""
    record = served.record(video_id)
    key = ("frame", record.video_id, seconds, width)
    if (known := _unchanged(request, key)) is not None:
        return known
    picture = await served.pictures.made(key, lambda videos: frame_jpeg(videos, record.video_id, seconds, width))
    return _picture(picture, key)


@routes.get("/videos/{video_id}/sprite.jpg", response_class=Response, responses={200: {"content": {"image/jpeg": {}}}})
async def sprite(request: Request, served: Served, video_id: str, layout: SheetParameters) -> Response:
    """Show pictures of a video, or of a part of it, at even distances, in rows of ten."""
    sheet = layout.sheet(served.record(video_id))
    if (known := _unchanged(request, sheet)) is not None:
        return known
    return _picture(await served.pictures.made(sheet, lambda videos: sheet_jpeg(videos, sheet)), sheet)


@routes.get("/videos/{video_id}/sprite.vtt", response_class=Response, responses={200: {"content": {"text/vtt": {}}}})
def sprite_cues(served: Served, video_id: str, layout: SheetParameters) -> Response:
    """List the tiles of the sheet with the same parameters as WebVTT: times, and places in `sprite.jpg`."""
    sheet = layout.sheet(served.record(video_id))
    given = {name: value for name, value in asdict(layout).items() if value is not None}
    address = f"sprite.jpg?{urlencode(given)}"
    return Response(sheet_webvtt(sheet, address), media_type="text/vtt", headers={"Cache-Control": _LASTING})


def _etag(key: object) -> str:
    return f'"{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}"'


def _unchanged(request: Request, key: object) -> Response | None:
    """The answer to a client that has this picture already; a picture of the same content never changes."""
    if not is_known(request.headers.get("if-none-match", ""), _etag(key)):
        return None
    return Response(None, HTTPStatus.NOT_MODIFIED, {"ETag": _etag(key), "Cache-Control": _LASTING})


def _picture(content: bytes, key: object) -> Response:
    return Response(content, media_type="image/jpeg", headers={"ETag": _etag(key), "Cache-Control": _LASTING})
