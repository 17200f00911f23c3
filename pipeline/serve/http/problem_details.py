"""The form of problem details (RFC 9457), without a web framework."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

__all__ = ["MEDIA_TYPE", "problem_content"]

MEDIA_TYPE = "application/problem+json"


def problem_content(status: int, code: str, detail: str) -> dict[str, Any]:
    """Return the members that every problem has.

    Args:
        status: The HTTP status.
        code: What is wrong, as a word for programs.
        detail: What is wrong and what to do, for people.
    """
    title = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Client Closed Request"
    return {"type": "about:blank", "title": title, "status": status, "detail": detail, "code": code}
