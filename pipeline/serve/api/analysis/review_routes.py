"""Routes of the review queue: what policies have flagged, and what a model is uncertain about, until people decide."""

from __future__ import annotations

import base64
import binascii
import json
from http import HTTPStatus
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from pipeline.analyze.review import QueueSettings, ReviewItem
from pipeline.errors import QueryError
from pipeline.library.analysis.policies.queue import PolicyQueue, QueuedFlag
from pipeline.library.analysis.review import prepared_review
from pipeline.parsing import ParseError, parse_json
from pipeline.serve.api.written_marks import VerdictBody, delete_mark, mark_json, part_of, put_mark
from pipeline.serve.http.paging import Cursor, Limit
from pipeline.serve.http.permissions import Reviewer
from pipeline.serve.http.problems import ProblemError
from pipeline.serve.served_library import Served, ServedLibrary, unless_gone
from pipeline.types.moment_id import MomentId
from pipeline.uris import public_name, public_text

__all__ = ["routes"]

routes = APIRouter(tags=["review"])

ItemId = Annotated[str, Path(max_length=3000, description="`id` of an item of the queue.")]


def _queue(request: Request, served: Served) -> PolicyQueue:
    state = request.app.state
    if not hasattr(state, "policy_queue"):
        state.policy_queue = PolicyQueue(served.library)
    found: PolicyQueue = state.policy_queue
    return found


@routes.get("/review")
def review(
    served: Served,
    queue: Annotated[PolicyQueue, Depends(_queue)],
    policy: Annotated[str | None, Query(max_length=400, description="Only what this policy flags.")] = None,
    subject: Annotated[str | None, Query(max_length=500, description="Only this condition of a rule.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List what rules with the action `queue` have flagged and nobody has marked, the most severe first.

    `cursor` is the number of items to leave out; items that are marked meanwhile make room for others.
    """
    wanted = None if subject is None else " ".join(subject.split()).casefold()
    found = [
        flag
        for flag in queue.waiting()
        if policy in (None, flag.policy) and wanted in (None, flag.item.subject.casefold())
    ]
    first = 0 if cursor is None else _offset(cursor)
    return {
        "items": [_flag_json(served, flag) for flag in found[first : first + limit]],
        "total": len(found),
        "next": str(first + limit) if first + limit < len(found) else None,
    }


@routes.get("/review/uncertain")
async def uncertain(
    request: Request,
    served: Served,
    subject: Annotated[str, Query(min_length=1, max_length=500, description="A subject, or `concept:NAME`.")],
    text: Annotated[
        str | None, Query(max_length=4000, description="Text that scores frames; by default the subject.")
    ] = None,
    count: Annotated[int, Query(ge=1, le=200, description="Maximum number of items.")] = 20,
    least: Annotated[float, Query(gt=0, lt=1, description="Lowest score of what is uncertain.")] = QueueSettings.exit,
    most: Annotated[float, Query(gt=0, lt=1, description="Highest score of what is uncertain.")] = QueueSettings.enter,
    video_id: Annotated[list[str] | None, Query(max_length=1000, description="Only these videos.")] = None,
) -> dict[str, Any]:
    """List the frames about which the model is most uncertain: a concept learns most from marks of these.

    If few frames score between `least` and `most`, the nearest above and below follow.
    """
    if least > most:
        raise QueryError(f"`least` is {least:g}, more than `most`, which is {most:g}; exchange them")
    settings = QueueSettings(count=count, exit=least, enter=most)
    ids = [served.record(one).video_id for one in video_id or ()]
    rest = await unless_gone(
        request,
        served.desk.call(lambda library: prepared_review(library, subject, settings, text=text, videos=ids)),
    )
    found = await anyio.to_thread.run_sync(rest)
    return {
        "subject": found.subject,
        "scored_by": found.scored_by,
        "items": [_item_json(served, item) for item in found.items],
        "notes": list(map(public_text, found.notes)),
    }


@routes.put("/review/{item_id}")
def answer(served: Served, who: Reviewer, item_id: ItemId, body: VerdictBody, response: Response) -> dict[str, Any]:
    """Answer an item: a mark is written, and the item leaves the queue."""
    part, subject = _decoded(item_id)
    written, is_new = put_mark(served, part, subject, body, who)
    response.status_code = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return mark_json(served, written)


@routes.delete("/review/{item_id}", status_code=HTTPStatus.NO_CONTENT)
def take_back(served: Served, _who: Reviewer, item_id: ItemId) -> None:
    """Take back an answer: its mark is removed, and a flagged item comes back into the queue."""
    part, subject = _decoded(item_id)
    delete_mark(served, part, subject)


def _flag_json(served: ServedLibrary, flag: QueuedFlag) -> dict[str, Any]:
    return {
        **_item_json(served, flag.item),
        "peak_seconds": flag.peak_seconds,
        "confidence": flag.confidence,
        "policy": flag.policy,
        "rule": flag.rule,
        "severity": str(flag.severity),
        "decided_at": flag.decided_at,
    }


def _item_json(served: ServedLibrary, item: ReviewItem) -> dict[str, Any]:
    record = served.library.store.record(item.video_id)
    part = MomentId(item.video_id, item.start_seconds, item.end_seconds)
    return {
        "id": _encoded(part, item.subject),
        "moment_id": str(part),
        **item.as_json(),
        "video": None if record is None else public_name(record.last_name),
    }


def _encoded(part: MomentId, subject: str) -> str:
    """Make the id of an item: its part and its subject, since a part can be asked about several subjects."""
    return base64.urlsafe_b64encode(json.dumps([str(part), subject]).encode()).decode().rstrip("=")


def _decoded(item_id: str) -> tuple[MomentId, str]:
    try:
        content = base64.b64decode(item_id + "=" * (-len(item_id) % 4), altchars=b"-_", validate=True)
        part, subject = parse_json(content)
        if isinstance(part, str) and isinstance(subject, str):
            return part_of(part), subject
    except (binascii.Error, ParseError, TypeError, ValueError):
        pass
    raise ProblemError(HTTPStatus.NOT_FOUND, "unknown_item", "this is not the id of an item of the queue")


def _offset(cursor: str) -> int:
    if cursor.isascii() and cursor.isdigit() and len(cursor) < 10:
        return int(cursor)
    raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "bad_cursor", "the cursor is not one that this server gave out")
