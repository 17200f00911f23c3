"""Routes that list and describe videos."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

import anyio.to_thread
import numpy as np
from fastapi import APIRouter, Query, Request

from pipeline.library import Library
from pipeline.search import Query as Question
from pipeline.search import as_query
from pipeline.search.localization import Curve
from pipeline.search.scoring import calibrated_steps, curve_of
from pipeline.serve.api.answers import video_of, without_credentials
from pipeline.serve.api.search_routes import Text, question_body
from pipeline.serve.http.hidden_folders import sees_folders
from pipeline.serve.http.paging import Cursor, Limit, cursor_of, key_of
from pipeline.serve.http.permissions import Admin
from pipeline.serve.served_library import Served, ServedLibrary, unless_gone
from pipeline.serve.video_order import VideoOrder, ordered_page
from pipeline.serve.video_pages import VideoPage
from pipeline.types import VideoRecord
from pipeline.types.record_json import record_mapping
from pipeline.uris import base_name, public_name, public_text

__all__ = ["routes"]

routes = APIRouter(tags=["videos"])


@routes.get("/videos")
async def videos(
    request: Request,
    served: Served,
    *,
    limit: Limit = 100,
    cursor: Cursor = None,
    name: Annotated[str, Query(max_length=400, description="Only videos with this text in a name.")] = "",
    order: Annotated[
        VideoOrder,
        Query(
            description="By `id`; by file `name`; by the start of the recording, `newest` or `oldest` first; or by"
            " length, `longest` or `shortest` first. All but `id` read every record for each page."
        ),
    ] = "id",
    with_records: Annotated[
        bool, Query(alias="records", description="Whether to include the whole records, for other programs.")
    ] = False,
) -> dict[str, Any]:
    """List the library's videos, a page at a time. Those that are equal in the order are listed by id.

    Videos whose metadata has no start of the recording come last in the orders by it.
    """
    shown_name = public_name if sees_folders(request.scope) else _file_name

    def is_named(record: VideoRecord) -> bool:
        return any(name.lower() in shown_name(each).lower() for each in record.names)

    page, further = await anyio.to_thread.run_sync(
        lambda: _page(served, limit, cursor, order, is_named if name else None)
    )
    shown = list(map(without_credentials, page.records))
    return {
        "videos": list(map(video_of, shown)),
        **({"records": list(map(record_mapping, shown))} if with_records else {}),
        "total": page.total,
        "broken": [
            {"video_id": video_id, "problem": public_text(str(error))}
            for video_id, error in sorted(page.broken.items())
        ],
        "next": further,
    }


def _file_name(uri: str) -> str:
    return base_name(public_name(uri))


def _page(
    served: ServedLibrary,
    limit: int,
    cursor: str | None,
    order: VideoOrder,
    has_name: Callable[[VideoRecord], bool] | None,
) -> tuple[VideoPage, str | None]:
    if has_name is None and order == "id":
        page = served.video_pages.page(None if cursor is None else key_of(cursor), limit)
        return page, None if page.last_id is None else cursor_of(page.last_id)
    records, broken = served.library.survey()
    named = [record for record in records if has_name is None or has_name(record)]
    entry = served.library.config.search.recorded_at
    shown, further = ordered_page(named, order, limit, cursor, entry)
    return VideoPage(shown, broken, len(named), None), further


@routes.get("/videos/{video_id}")
def video(served: Served, video_id: str) -> dict[str, Any]:
    """Describe a video."""
    return video_of(served.record(video_id))


@routes.delete("/videos/{video_id}")
async def remove_video(request: Request, served: Served, who: Admin, video_id: str) -> dict[str, Any]:
    """Remove a video from the library, but not its file, and return a receipt.

    The receipt counts what was removed, and what was still found afterwards, which is nothing. After an interruption,
    repeat the request; a video that is already removed is 404.
    """
    removed = await served.remove(video_id)
    served.log_action(request, who, "remove_video", video_id=video_id, names=list(map(public_name, removed.names)))
    return {**asdict(removed), "names": list(map(public_name, removed.names))}


@routes.get("/videos/{video_id}/curve")
async def text_curve(request: Request, served: Served, video_id: str, text: Text) -> dict[str, Any]:
    """Score every sampled frame of a video for a text: the probability over time that a frame shows it."""
    return await _curve(request, served, video_id, as_query(text))


@routes.post("/videos/{video_id}/curve")
async def question_curve(request: Request, served: Served, video_id: str) -> dict[str, Any]:
    """Score every sampled frame of a video for each step of a question; filters are ignored."""
    return await _curve(request, served, video_id, await question_body(request))


async def _curve(request: Request, served: ServedLibrary, video_id: str, question: Question) -> dict[str, Any]:
    record, question = served.record(video_id), served.uploads.resolved(question)

    def curves(library: Library) -> list[Curve]:
        frames = library.store.read(record.video_id)
        (steps,) = calibrated_steps([question], library.searcher().embedder.embed)
        return [curve_of(frames, step) for step in steps]

    found = await unless_gone(request, served.desk.call(curves))
    return {
        "video_id": video_id,
        "duration_seconds": record.duration_seconds,
        "cuts_seconds": found[0].cuts_seconds.tolist(),
        "steps": [_step(curve) for curve in found],
    }


def _step(curve: Curve) -> dict[str, Any]:
    scores = 1 / (1 + np.exp(-np.clip(curve.scores, -50, 50)))
    return {"times_seconds": curve.times_seconds.tolist(), "scores": np.round(scores, 4).tolist()}
