"""Preconditions of writing: a client replaces only the version that it has read (RFC 9110, section 13)."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from pipeline.serve.http.entity_tags import is_known
from pipeline.serve.http.problems import ProblemError

__all__ = ["PRECONDITION_ANSWERS", "expected_version", "versioned"]

_ANY, _NONE = "*", ""
_TAG = re.compile(r'"([\x21\x23-\x7e]{1,100})"')

PRECONDITION_ANSWERS: dict[int | str, dict[str, Any]] = {
    412: {"description": "Another version is there than the one that If-Match names."}
}
"""Answers of routes that write, for their description."""


def expected_version(request: Request) -> str | None:
    """Return the version that a request is to replace.

    Returns:
        A version (If-Match: "VERSION"), "*" for any (If-Match: *), "" for none (If-None-Match: *), or None if the
        request does not say.

    Raises:
        ProblemError: The header has another form.
    """
    match, none_match = (request.headers.get(name) for name in ("if-match", "if-none-match"))
    if match is None:
        if none_match is None:
            return None
        if none_match.strip() == _ANY:
            return _NONE
        raise _malformed("If-None-Match", "*")
    if match.strip() == _ANY:
        return _ANY
    tag = _TAG.fullmatch(match.strip())
    if tag is None:
        raise _malformed("If-Match", 'one entity tag, as "12-3f9a", or *')
    return tag[1]


def versioned(request: Request, content: object, version: str, status: int = HTTPStatus.OK) -> Response:
    """Make a JSON answer whose entity tag is the version for If-Match.

    Args:
        request: The request; a GET request of a client that has this version already gets 304 without a body.
        content: JSON values.
        version: Identity of the content.
        status: The HTTP status.
    """
    etag = f'"{version}"'
    # What a client may see depends on its role.
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"}
    if request.method == "GET" and is_known(request.headers.get("if-none-match", ""), etag):
        return Response(None, HTTPStatus.NOT_MODIFIED, headers)
    return JSONResponse(content, status, headers)


def _malformed(header: str, form: str) -> ProblemError:
    return ProblemError(HTTPStatus.BAD_REQUEST, "bad_precondition", f"{header} must be {form} here")
