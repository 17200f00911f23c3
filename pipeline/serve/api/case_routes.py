"""Routes of cases: named lists of moments with notes."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from pipeline.errors import QueryError, UnknownMomentError
from pipeline.export.row_files import csv_lines
from pipeline.library.saved.cases import MOST_MOMENTS, Case, CaseMoment, LibraryCases
from pipeline.library.saved.named_documents import NAME_RULE
from pipeline.search.filters.recording_time import recorded_at, recording_begins
from pipeline.serve.http.hidden_folders import sees_folders, without_folders
from pipeline.serve.http.names import CaseName
from pipeline.serve.http.paging import Cursor, Limit, page_of
from pipeline.serve.http.permissions import Reviewer
from pipeline.serve.http.preconditions import PRECONDITION_ANSWERS, expected_version, versioned
from pipeline.serve.http.problems import ProblemError
from pipeline.serve.served_library import Served, ServedLibrary
from pipeline.types import VideoRecord
from pipeline.types.moment_id import MomentId
from pipeline.uris import public_name

__all__ = ["routes"]

routes = APIRouter(tags=["cases"])

ReadOnly = Annotated[Any, Field(default=None, exclude=True, json_schema_extra={"readOnly": True})]

_COLUMNS = {
    "id": str,
    "video": str,
    "video_id": str,
    "start_seconds": float,
    "end_seconds": float,
    "recorded_at": str,
    "note": str,
    "question": str,
    "by": str,
    "added_at": str,
}
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class CaseMomentBody(BaseModel):
    """A moment of a case, by the id that answers give it. An answer of this server can be sent back as it is."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(max_length=300)
    note: str = Field(default="", max_length=4000)
    question: str = Field(default="", max_length=4000)
    video_id: ReadOnly
    video: ReadOnly
    start_seconds: ReadOnly
    end_seconds: ReadOnly
    recorded_at: ReadOnly
    by: ReadOnly
    added_at: ReadOnly
    is_gone: ReadOnly


class CaseBody(BaseModel):
    """What a case is about, and its moments in order."""

    model_config = ConfigDict(extra="forbid")

    description: str = Field(default="", max_length=4000)
    moments: list[CaseMomentBody] = Field(default_factory=list, max_length=MOST_MOMENTS)
    name: ReadOnly
    created_at: ReadOnly
    updated_at: ReadOnly


@routes.get("/cases")
def cases(served: Served, limit: Limit = 100, cursor: Cursor = None) -> dict[str, Any]:
    """List the cases by name, a page at a time."""
    found = LibraryCases(served.library).listed()
    page, further = page_of(found, lambda case: f"{case.name.casefold()}\0{case.name}", limit, cursor)
    return {
        "cases": [{**_head(case), "moments": len(case.moments), "version": case.version} for case in page],
        "total": len(found),
        "next": further,
    }


@routes.get("/cases/{name:path}.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
def case_csv(request: Request, served: Served, name: CaseName) -> Response:
    """Write a case as a table; a text that a spreadsheet would take for a formula gets an apostrophe before it."""
    case = _found(served, name)
    moments = _moments(served, case.moments)
    if not sees_folders(request.scope):
        moments = without_folders(moments)
    rows = ({key: _cell(row[key]) for key in _COLUMNS} for row in moments)
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(case.name, safe='')}.csv"}
    return Response("".join(csv_lines(rows, _COLUMNS)), media_type="text/csv", headers=headers)


@routes.get("/cases/{name:path}")
def case(request: Request, served: Served, name: CaseName) -> Response:
    """Read a case; its entity tag names this version for If-Match."""
    found = _found(served, name)
    return versioned(request, _case_json(served, found), found.version)


@routes.put("/cases/{name:path}", responses=PRECONDITION_ANSWERS)
def put_case(request: Request, served: Served, who: Reviewer, name: CaseName, body: CaseBody) -> Response:
    """Make a case, or replace its content.

    With `If-Match: "VERSION"`, only the version that the client has read is replaced: another one is answered by 412,
    and nothing is lost. With `If-None-Match: *`, only a new case is made.
    """
    moments = list(map(_moment_of, body.moments))
    expected = expected_version(request)
    found, is_new = LibraryCases(served.library).put(name, body.description, moments, by=who, expected=expected)
    status = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return versioned(request, _case_json(served, found), found.version, status)


class CaseNameBody(BaseModel):
    """The new name of a case."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description=f"The name: {NAME_RULE}.")


@routes.post("/cases/{name:path}/name", responses=PRECONDITION_ANSWERS)
def rename_case(request: Request, served: Served, _who: Reviewer, name: CaseName, body: CaseNameBody) -> Response:
    """Give a case another name; if a case has that name already, the answer is 412 and nothing is changed."""
    found = LibraryCases(served.library).rename(name, body.name, expected=expected_version(request))
    if found is None:
        raise _unknown(name)
    return versioned(request, _case_json(served, found), found.version)


@routes.delete("/cases/{name:path}", status_code=HTTPStatus.NO_CONTENT, responses=PRECONDITION_ANSWERS)
def delete_case(request: Request, served: Served, _who: Reviewer, name: CaseName) -> None:
    """Remove a case; with `If-Match`, only the version that the client has read."""
    if not LibraryCases(served.library).remove(name, expected=expected_version(request)):
        raise _unknown(name)


def _moment_of(body: CaseMomentBody) -> CaseMoment:
    try:
        return CaseMoment(*MomentId.parse(body.id), note=body.note, question=body.question)
    except (UnknownMomentError, ValueError) as error:
        raise QueryError(f"a moment of the case: {error}") from error


def _found(served: ServedLibrary, name: str) -> Case:
    found = LibraryCases(served.library).find(name)
    if found is None:
        raise _unknown(name)
    return found


def _unknown(name: str) -> ProblemError:
    return ProblemError(HTTPStatus.NOT_FOUND, "unknown_case", f"the library has no case named {name[:100]!r}")


def _head(case: Case) -> dict[str, Any]:
    return {
        "name": case.name,
        "description": case.description,
        "created_at": case.created_at,
        "updated_at": case.updated_at,
    }


def _case_json(served: ServedLibrary, case: Case) -> dict[str, Any]:
    return {**_head(case), "moments": _moments(served, case.moments)}


def _moments(served: ServedLibrary, moments: Iterable[CaseMoment]) -> list[dict[str, Any]]:
    known: dict[str, VideoRecord | None] = {}
    found = []
    for moment in moments:
        if moment.video_id not in known:
            known[moment.video_id] = served.library.store.record(moment.video_id)
        found.append(_moment(moment, known[moment.video_id], served.library.config.search.recorded_at))
    return found


def _moment(moment: CaseMoment, record: VideoRecord | None, recording_entry: str) -> dict[str, Any]:
    begins = None if record is None else recording_begins(record.metadata, recording_entry)
    at = recorded_at(begins, moment.start_seconds)
    return {
        "id": str(MomentId(*moment.place)),
        "video_id": moment.video_id,
        "video": None if record is None else public_name(record.last_name),
        "start_seconds": moment.start_seconds,
        "end_seconds": moment.end_seconds,
        "recorded_at": None if at is None else at.isoformat(),
        "note": moment.note,
        "question": moment.question,
        "by": moment.by,
        "added_at": moment.added_at,
        "is_gone": record is None,
    }


def _cell(value: object) -> object:
    """Return a value for a table; a spreadsheet must not compute what a stranger wrote into a note or a file name."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value
