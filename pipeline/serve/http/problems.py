"""Errors as problem details (RFC 9457)."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from pipeline.client.problem_codes import code_of
from pipeline.errors import (
    ConfigError,
    IndexLockedError,
    MomentseekError,
    QueryError,
    SourceError,
    TextTooLongError,
    UnknownMomentError,
    VersionMismatchError,
    VideoError,
    VideoNotFoundError,
    VideoReadError,
    WeightsUnavailableError,
)
from pipeline.serve.http.hidden_folders import LIBRARY, folder_of, places_of, sees_folders, text_without_folders
from pipeline.serve.http.problem_details import MEDIA_TYPE, problem_content
from pipeline.uris import public_text

__all__ = ["ProblemError", "handle_problems", "problem_response"]

_log = logging.getLogger(__name__)

_RETRY_SECONDS = 2
_STATUSES: tuple[tuple[type[MomentseekError], HTTPStatus], ...] = (
    (UnknownMomentError, HTTPStatus.NOT_FOUND),
    (QueryError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (TextTooLongError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (SourceError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (VersionMismatchError, HTTPStatus.PRECONDITION_FAILED),
    (ConfigError, HTTPStatus.CONFLICT),
    (VideoNotFoundError, HTTPStatus.NOT_FOUND),
    (VideoReadError, HTTPStatus.CONFLICT),
    (VideoError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (IndexLockedError, HTTPStatus.SERVICE_UNAVAILABLE),
    (WeightsUnavailableError, HTTPStatus.SERVICE_UNAVAILABLE),
)


class ProblemError(Exception):
    """A request that gets a problem as its answer.

    Args:
        status: The HTTP status.
        code: What is wrong, as a word for programs, such as "unknown_video".
        detail: What is wrong and what to do, for people.
        retry_seconds: When to try again; None if trying again does not help.
    """

    def __init__(self, status: int, code: str, detail: str, *, retry_seconds: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_seconds = retry_seconds

    def response(self) -> JSONResponse:
        """Make the answer."""
        return problem_response(self.status, self.code, self.detail, retry_seconds=self.retry_seconds)


def problem_response(
    status: int,
    code: str,
    detail: str,
    *,
    retry_seconds: int | None = None,
    headers: dict[str, str] | None = None,
    **members: Any,
) -> JSONResponse:
    """Make an answer of problem details.

    Args:
        status: The HTTP status.
        code: What is wrong, as a word for programs.
        detail: What is wrong and what to do, for people.
        retry_seconds: When to try again, as Retry-After; None if trying again does not help.
        headers: Further headers.
        members: Further members of the problem.
    """
    sent = dict(headers or {})
    if retry_seconds is not None:
        sent["Retry-After"] = str(retry_seconds)
    return JSONResponse({**problem_content(status, code, detail), **members}, status, sent, MEDIA_TYPE)


def handle_problems(app: FastAPI) -> None:
    """Let an application answer every error with problem details."""
    app.add_exception_handler(ProblemError, _of_problem)
    app.add_exception_handler(MomentseekError, _of_momentseek)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, _of_bug)


async def _of_problem(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProblemError)
    return error.response()


async def _of_momentseek(request: Request, error: Exception) -> JSONResponse:
    found = next((status for kind, status in _STATUSES if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
    if found is HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("%s", error)
    retry = _RETRY_SECONDS if found is HTTPStatus.SERVICE_UNAVAILABLE else None
    # By these, a client raises the same error.
    members: dict[str, Any] = {"uri": error.uri, "problem": error.problem} if isinstance(error, VideoError) else {}
    detail = _without_place(request, public_text(str(error)))
    if not sees_folders(request.scope):
        detail = text_without_folders(detail, filter(None, [folder_of(members.get("uri", ""))]))
    return problem_response(found, code_of(error), detail, retry_seconds=retry, **members)


def _without_place(request: Request, text: str) -> str:
    """Replace the place of the library in a message, which only administrators need to know."""
    if request.scope.get("state", {}).get("role") == "admin":
        return text
    for place in places_of(request.app.state.served.library.config.library):
        text = text.replace(place, LIBRARY)
    return text


async def _of_validation(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = [
        {"where": ".".join(map(str, fault["loc"])), "problem": str(fault["msg"])} for fault in error.errors()[:20]
    ]
    detail = "; ".join(f"{fault['where']}: {fault['problem']}" for fault in faults)
    return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", detail, faults=faults)


async def _of_http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return problem_response(error.status_code, code, str(error.detail), headers=dict(error.headers or {}))


async def _of_bug(_request: Request, error: Exception) -> JSONResponse:
    _log.error("unexpected %s", type(error).__name__, exc_info=error)
    detail = "an unexpected error, which is a bug in momentseek; the server's log has the traceback"
    return problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, "bug", detail)
