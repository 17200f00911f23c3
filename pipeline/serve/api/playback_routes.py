"""Routes that play videos, parts of them, and moments."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import anyio.to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from pipeline.export.clip_names import clip_name
from pipeline.export.clips import export_clip
from pipeline.export.web_copy import WebForm, export_remuxed, web_form, whole_video
from pipeline.serve.http.problems import ProblemError
from pipeline.serve.media.byte_ranges import file_response
from pipeline.serve.media.video_files import media_type, open_video_file
from pipeline.serve.served_library import Served, ServedLibrary
from pipeline.types import Moment, VideoRecord
from pipeline.types.moment_id import MomentId
from pipeline.video.pyav.decoder import PyAVDecoder

__all__ = ["routes"]

routes = APIRouter(tags=["media"])

_MP4 = "video/mp4"
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {_MP4: {}}},
    206: {"content": {_MP4: {}}, "description": "A part of the file, by a byte range."},
    416: {"description": "No byte of the file is in the range."},
    503: {"description": "The file is being prepared; ask again after Retry-After."},
}
_MOST_SECONDS = 1e7

Seconds = Annotated[float, Query(ge=0, le=_MOST_SECONDS, allow_inf_nan=False)]


@routes.get("/videos/{video_id}/playback")
async def playback(served: Served, video_id: str) -> dict[str, Any]:
    """Say how a browser gets a video: as it is, remuxed or encoded again; and whether it must be played in parts.

    A part is played from `/videos/{video_id}/part.mp4?start=&end=`; its own time 0 is `start`.
    """
    record = served.record(video_id)
    form = await _form(served, record)
    return {
        "form": str(form),
        "needs_part": _needs_part(served, record, form),
        "is_ready": form is WebForm.AS_IS or served.copies.has(("whole", record.video_id)),
        "most_part_seconds": served.settings.part_seconds,
    }


@routes.head("/videos/{video_id}/media", include_in_schema=False)
@routes.get("/videos/{video_id}/media", response_class=Response, responses=_RESPONSES)
async def media(request: Request, served: Served, video_id: str, *, original: bool = False) -> Response:
    """Play a video, whole or by byte ranges: its own file if browsers can play it, or a copy that they can.

    With `original`, it is always the video's own file.
    """
    record = served.record(video_id)
    form = WebForm.AS_IS if original else await _form(served, record)
    if form is WebForm.AS_IS:
        file, size_bytes = await anyio.to_thread.run_sync(
            lambda: open_video_file(served.pictures.videos, record.video_id)
        )
        return file_response(request, file, size_bytes, f'"{record.video_id}"', media_type(record.info))
    if _needs_part(served, record, form):
        raise ProblemError(
            HTTPStatus.CONFLICT,
            "needs_part",
            f"browsers cannot play {record.info.codec}, and the video is longer than {served.settings.whole_seconds:g}"
            " s: play a part of it (part.mp4?start=&end=), or ask for the `original`",
        )

    def make(path: Path, check: Callable[[], None]) -> None:
        videos = served.pictures.videos
        if form is WebForm.REMUXED:
            export_remuxed(videos, record.video_id, path, end_seconds=record.duration_seconds, check=check)
        else:
            export_clip(videos, whole_video(record.video_id, record.duration_seconds), path, check=check)

    path = await served.copies.file(("whole", record.video_id), make)
    return _copy(request, path, f'"{record.video_id}-{form}"')


@routes.head("/videos/{video_id}/part.mp4", include_in_schema=False)
@routes.get("/videos/{video_id}/part.mp4", response_class=Response, responses=_RESPONSES)
async def part(request: Request, served: Served, video_id: str, start: Seconds, end: Seconds) -> Response:
    """Play a part of a video, encoded to start and end exactly there."""
    return await _clip(request, served, MomentId(video_id, start, end))


@routes.head("/moments/{moment_id}/clip.mp4", include_in_schema=False)
@routes.get("/moments/{moment_id}/clip.mp4", response_class=Response, responses=_RESPONSES)
async def clip(request: Request, served: Served, moment_id: str, *, download: bool = False) -> Response:
    """Play a moment as a clip that starts and ends exactly with it; with `download`, to be saved as a file."""
    return await _clip(request, served, MomentId.parse(moment_id), download=download)


async def _clip(request: Request, served: ServedLibrary, wanted: MomentId, *, download: bool = False) -> Response:
    record = served.record(wanted.video_id)
    start, end = wanted.start_seconds, min(wanted.end_seconds, record.duration_seconds)
    if not start < end:
        detail = f"the video has nothing between {start:g} s and {end:g} s; it ends at {record.duration_seconds:.3f} s"
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "bad_part", detail)
    if end - start > served.settings.part_seconds:
        detail = f"a clip has at most {served.settings.part_seconds:g} s; ask for a shorter part"
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "bad_part", detail)
    moment = Moment(
        video_id=record.video_id,
        uri=record.last_name,
        start_seconds=start,
        end_seconds=end,
        best_seconds=start,
        score=0.0,
    )
    key = MomentId(record.video_id, start, end)
    path = await served.copies.file(
        key, lambda path, check: export_clip(served.pictures.videos, moment, path, check=check)
    )
    response = _copy(request, path, f'"{key}"')
    if download:
        name = clip_name(1, moment)
        response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return response


async def _form(served: ServedLibrary, record: VideoRecord) -> WebForm:
    """Choose a video's form once, and remember it: it depends on the content only."""
    known = served.web_forms.get(record.video_id)
    if known is None:

        def choose() -> WebForm:
            videos = served.pictures.videos
            with videos.opened_by(PyAVDecoder(fetching=videos.fetching).open, record.video_id) as stream:
                return web_form(stream)

        known = await anyio.to_thread.run_sync(choose, limiter=served.pictures.room)
        served.web_forms[record.video_id] = known
    return known


def _needs_part(served: ServedLibrary, record: VideoRecord, form: WebForm) -> bool:
    return form is WebForm.ENCODED and record.duration_seconds > served.settings.whole_seconds


def _copy(request: Request, path: Path, etag: str) -> Response:
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        # It was removed for newer ones since.
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "preparing", "ask again", retry_seconds=1) from error
    return file_response(request, file, path.stat().st_size, etag, _MP4)
