"""Pages of lists: a cursor names the last entry of a page, so that entries that come and go meanwhile move nothing."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Annotated, TypeVar

from fastapi import Query

from pipeline.serve.http.problems import ProblemError

__all__ = ["Cursor", "Limit", "cursor_of", "key_of", "page_of"]

Limit = Annotated[int, Query(ge=1, le=1000, description="Maximum number of entries in the answer.")]
Cursor = Annotated[str | None, Query(max_length=8000, description="`next` of the previous page.")]

T = TypeVar("T")


def page_of(
    entries: Iterable[T], key: Callable[[T], str], limit: int, cursor: str | None, *, descending: bool = False
) -> tuple[list[T], str | None]:
    """Return the entries of a page, in the order of their keys, and the cursor of the next page; None at the end.

    Args:
        entries: All entries.
        key: Identifies an entry, and orders the entries.
        limit: Maximum number of entries.
        cursor: Cursor of this page; None for the first.
        descending: Whether the greatest key comes first.

    Raises:
        ProblemError: The cursor is not one of these.
    """
    after = None if cursor is None else key_of(cursor)
    ordered = sorted(entries, key=key, reverse=descending)
    if after is not None:
        ordered = [one for one in ordered if (key(one) < after if descending else key(one) > after)]
    return ordered[:limit], cursor_of(key(ordered[limit - 1])) if len(ordered) > limit else None


def cursor_of(key: str) -> str:
    """Make the cursor of the entries after one with a key."""
    return base64.urlsafe_b64encode(key.encode("utf-8", "surrogateescape")).decode().rstrip("=")


def key_of(cursor: str) -> str:
    """Return the key that a cursor stands for.

    Raises:
        ProblemError: The cursor is not one of these.
    """
    try:
        content = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return content.decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError) as error:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY, "bad_cursor", "the cursor is not one that this server gave out"
        ) from error
