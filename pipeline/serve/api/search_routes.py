"""Routes that answer questions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from pipeline.search import Query as Question
from pipeline.search import as_query, read_query
from pipeline.serve.api.answers import answer_of
from pipeline.serve.served_library import Served, ServedLibrary

__all__ = ["question_body", "routes"]

routes = APIRouter(tags=["search"])

Text = Annotated[str, Query(min_length=1, max_length=4000, description="Description of the moment.")]

_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Question"}}},
    }
}


async def question_body(request: Request) -> Question:
    """Read a question from the body of a request.

    Raises:
        QueryError: It is not valid.
    """
    return read_query(await request.body())


@routes.post("/search", openapi_extra=_BODY)
async def search(request: Request, served: Served, *, explain: bool = False) -> dict[str, Any]:
    """Answer a question: the moments that match, best first; or, with `none`, where nothing matches."""
    return await _answered(request, served, await question_body(request), explain=explain)


@routes.get("/search")
async def search_text(
    request: Request,
    served: Served,
    text: Text,
    *,
    limit: Annotated[int | None, Query(ge=1, le=1000, description="Maximum number of moments on a page.")] = None,
    page: Annotated[int, Query(ge=1, le=10_000, description="Number of the page, from 1.")] = 1,
    min_score: Annotated[float | None, Query(ge=0, le=1, description="Minimum score of a moment.")] = None,
    video: Annotated[list[str] | None, Query(max_length=1000, description="Only these videos: ids or names.")] = None,
    explain: bool = False,
) -> dict[str, Any]:
    """Answer a question of one text, for links; `POST /search` takes every question."""
    fields = {"shows": text, "top": limit, "page": page, "min_score": min_score, "videos": video or []}
    question = as_query({name: value for name, value in fields.items() if value is not None})
    return await _answered(request, served, question, explain=explain)


async def _answered(request: Request, served: ServedLibrary, question: Question, *, explain: bool) -> dict[str, Any]:
    return answer_of(await served.ask(request, question), explained=explain, shown=served.uploads.shown)
