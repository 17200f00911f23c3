"""Routes by which a browser logs in with a token, and learns what it may do."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse

from pipeline.serve.http.access_tokens import allows
from pipeline.serve.http.problems import ProblemError
from pipeline.serve.http.sessions import COOKIE, cookie_value
from pipeline.serve.served_library import Served

__all__ = ["routes"]

routes = APIRouter(tags=["session"])

_MOST_FIELDS = 10


@routes.post("/login", include_in_schema=False)
async def login(request: Request, served: Served) -> RedirectResponse:
    """Begin a session with a token from a form, and go on to `next`."""
    try:
        form = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", "not a form of this page") from error
    place = _place_of(form.get("next", ["/"])[0])
    if served.sessions is None:
        return RedirectResponse(place, HTTPStatus.SEE_OTHER)
    session = served.sessions.begin(form.get("token", [""])[0].strip())
    if session is None:
        return RedirectResponse(f"/login?{urlencode({'wrong': 1, 'next': place})}", HTTPStatus.SEE_OTHER)
    response = RedirectResponse(place, HTTPStatus.SEE_OTHER)
    response.set_cookie(
        COOKIE, session, httponly=True, samesite="strict", secure=request.url.scheme == "https", path="/"
    )
    return response


@routes.post("/logout", include_in_schema=False)
async def logout(request: Request, served: Served) -> RedirectResponse:
    """End the session."""
    if served.sessions is not None:
        served.sessions.end(cookie_value(request.headers.get("cookie", ""), COOKIE))
    response = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return response


@routes.get("/api/v1/session")
async def session(request: Request, served: Served) -> dict[str, Any]:
    """Say whose token this request carries, and what it allows: search, review or admin.

    `can_index` is true if the client may start batches, and a folder is allowed from which it can index videos.
    """
    state = request.state
    has_folders = bool(served.settings.source_folders) or getattr(state, "is_owner", False)
    return {
        "name": state.client_name,
        "role": state.role,
        "needs_token": served.sessions is not None,
        "can_index": allows(state.role, "admin") and has_folders,
    }


def _place_of(text: str) -> str:
    """Return a place of this server to go on to; an address of another site becomes the start page."""
    is_local = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if is_local else "/"
