"""Reads answers and videos from the JSON of a server."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from pipeline.errors import ServerError
from pipeline.search.answer import Absence, Answer, Explanation, Incomplete
from pipeline.search.query import Query
from pipeline.types import Moment

__all__ = ["answer_from", "moment_from"]

T = TypeVar("T")


def answer_from(fields: Mapping[str, Any], query: Query) -> Answer:
    """Read an answer with its explanation; its `curves` are empty.

    Args:
        fields: The JSON object.
        query: The question.

    Raises:
        ServerError: The object is not an answer.
    """
    try:
        return Answer(
            query=query,
            moments=tuple(map(moment_from, fields["moments"])),
            found=int(fields["found"]),
            top=int(fields["top"]),
            min_score=float(fields["min_score"]),
            nearest=None if fields["nearest"] is None else moment_from(fields["nearest"]),
            curves={},
            explanation=_read(Explanation, fields["explanation"]),
            unknown_words=tuple(map(str, fields["unknown_words"])),
            notes=tuple(map(str, fields["notes"])),
            absences=tuple(_read(Absence, each) for each in fields.get("absences", ())),
            videos=int(fields.get("videos", 0)),
            videos_without=int(fields.get("videos_without", 0)),
            incomplete=None if fields["incomplete"] is None else _read(Incomplete, fields["incomplete"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ServerError(f"the server's answer cannot be read ({type(error).__name__}: {error})") from error


def moment_from(fields: Mapping[str, Any]) -> Moment:
    """Read a moment with its steps and copies.

    Raises:
        ServerError: The object is not a moment.
    """
    return _read(Moment, fields)


def _read(kind: type[T], fields: Any) -> T:
    try:
        found: T = _adapter(cast(Any, kind)).validate_python(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ServerError(f"the server's answer cannot be read: {kind.__name__}: {where}: {first['msg']}") from error
    return found


@cache
def _adapter(kind: Any) -> Any:
    return TypeAdapter(kind)
