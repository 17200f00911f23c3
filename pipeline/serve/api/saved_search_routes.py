"""Routes of saved searches: whole questions with names."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from pipeline.errors import QueryError
from pipeline.library.saved.saved_queries import LibraryQueries, SavedQuery
from pipeline.search import Query as Question
from pipeline.search import as_query
from pipeline.serve.http.names import SearchName
from pipeline.serve.http.paging import Cursor, Limit, page_of
from pipeline.serve.http.permissions import Reviewer
from pipeline.serve.http.preconditions import PRECONDITION_ANSWERS, expected_version, versioned
from pipeline.serve.http.problems import ProblemError
from pipeline.serve.served_library import Served

__all__ = ["routes"]

routes = APIRouter(tags=["saved searches"])

ReadOnly = Annotated[Any, Field(default=None, exclude=True, json_schema_extra={"readOnly": True})]


class SavedSearchBody(BaseModel):
    """A question to save. An answer of this server can be sent back as it is."""

    model_config = ConfigDict(extra="forbid")

    query: dict[str, Any] | str = Field(description="The question, as for `POST /search`.")
    description: str = Field(default="", max_length=4000)
    name: ReadOnly
    by: ReadOnly
    saved_at: ReadOnly


@routes.get("/searches")
def saved_searches(served: Served, limit: Limit = 100, cursor: Cursor = None) -> dict[str, Any]:
    """List the saved searches by name, a page at a time."""
    found = LibraryQueries(served.library).listed()
    page, further = page_of(found, lambda one: f"{one.name.casefold()}\0{one.name}", limit, cursor)
    return {
        "searches": [{**_saved_json(one), "version": one.version} for one in page],
        "total": len(found),
        "next": further,
    }


@routes.get("/searches/{name:path}")
def saved_search(request: Request, served: Served, name: SearchName) -> Response:
    """Read a saved search; `query` can be sent to `POST /search`."""
    found = LibraryQueries(served.library).find(name)
    if found is None:
        raise _unknown(name)
    return versioned(request, _saved_json(found), found.version)


@routes.put("/searches/{name:path}", responses=PRECONDITION_ANSWERS)
def put_saved_search(
    request: Request, served: Served, who: Reviewer, name: SearchName, body: SavedSearchBody
) -> Response:
    """Save a question, or replace the one with this name; If-Match and If-None-Match work as for cases."""
    query = _lasting(as_query(body.query))
    expected = expected_version(request)
    found, is_new = LibraryQueries(served.library).put(
        name, query, description=body.description, by=who, expected=expected
    )
    status = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return versioned(request, _saved_json(found), found.version, status)


@routes.delete("/searches/{name:path}", status_code=HTTPStatus.NO_CONTENT, responses=PRECONDITION_ANSWERS)
def delete_saved_search(request: Request, served: Served, _who: Reviewer, name: SearchName) -> None:
    """Remove a saved search; with `If-Match`, only the version that the client has read."""
    if not LibraryQueries(served.library).remove(name, expected=expected_version(request)):
        raise _unknown(name)


def _lasting(query: Question) -> Question:
    """Return a question that can be asked again at any time.

    Raises:
        QueryError: It refers to a file.
    """
    for step in query.steps:
        for term in (*step.shows, *step.without):
            if term.image is not None or term.clip is not None:
                raise QueryError(
                    f"{str(term)[:200]!r}: a saved search cannot refer to a file, since uploads are kept for an hour"
                    " only; refer to a video of the library by `like`"
                )
    return query


def _unknown(name: str) -> ProblemError:
    return ProblemError(HTTPStatus.NOT_FOUND, "unknown_search", f"no search is saved as {name[:100]!r}")


def _saved_json(saved: SavedQuery) -> dict[str, Any]:
    return {
        "name": saved.name,
        "query": saved.query.model_dump(mode="json", exclude_defaults=True),
        "description": saved.description,
        "by": saved.by,
        "saved_at": saved.saved_at,
    }
