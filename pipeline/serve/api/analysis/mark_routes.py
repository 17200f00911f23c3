"""Routes of marks: people's verdicts on whether parts of videos show a subject."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response

from pipeline.library.analysis.marks import mark_store
from pipeline.serve.api.written_marks import VerdictBody, delete_mark, find_mark, mark_json, part_of, put_mark
from pipeline.serve.http.paging import Cursor, Limit, page_of
from pipeline.serve.http.permissions import Reviewer
from pipeline.serve.http.problems import ProblemError
from pipeline.serve.served_library import Served
from pipeline.uris import public_text

__all__ = ["routes"]

routes = APIRouter(tags=["marks"])

PartId = Annotated[
    str, Path(max_length=300, description="Id of a moment, as `VIDEO_ID@12.5,14.0`; equal times for a single frame.")
]
Subject = Annotated[str, Query(min_length=1, max_length=500, description="What the part shows or does not show.")]


@routes.get("/marks")
def marks(
    served: Served,
    subject: Annotated[str | None, Query(max_length=500, description="Only marks of this subject.")] = None,
    video_id: Annotated[str | None, Query(max_length=200, description="Only marks of this video.")] = None,
    verdict: Literal["yes", "no"] | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List marks by video and time, a page at a time."""
    found, broken = mark_store(served.library).survey(subject, video_id)
    found = [mark for mark in found if verdict is None or mark.verdict == verdict]
    page, further = page_of(
        found, lambda mark: f"{mark.video_id} {mark.start_seconds:018.6f} {mark.file_name}", limit, cursor
    )
    return {
        "marks": [mark_json(served, mark) for mark in page],
        "total": len(found),
        "broken": [public_text(str(error)) for error in broken],
        "next": further,
    }


@routes.get("/marks/{part_id}")
def mark(served: Served, part_id: PartId, subject: Subject) -> dict[str, Any]:
    """Read the mark of a part and a subject."""
    found = find_mark(served, part_of(part_id), subject)
    if found is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "unknown_mark", "this part has no mark of this subject")
    return mark_json(served, found)


@routes.put("/marks/{part_id}")
def put(
    served: Served, who: Reviewer, part_id: PartId, subject: Subject, body: VerdictBody, response: Response
) -> dict[str, Any]:
    """Mark a part as showing a subject, or as not showing it. Concepts of the subject are fitted to these marks."""
    written, is_new = put_mark(served, part_of(part_id), subject, body, who)
    response.status_code = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return mark_json(served, written)


@routes.delete("/marks/{part_id}", status_code=HTTPStatus.NO_CONTENT)
def delete(served: Served, _who: Reviewer, part_id: PartId, subject: Subject) -> None:
    """Remove the mark of a part and a subject."""
    delete_mark(served, part_of(part_id), subject)
