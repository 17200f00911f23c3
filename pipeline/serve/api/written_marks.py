"""JSON of marks in the API, read and written by several routes."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.analyze.marks.mark import Mark, Verdict
from pipeline.errors import QueryError
from pipeline.library.analysis.marks import mark_store, remove_marks, write_marks
from pipeline.serve.http.problems import ProblemError
from pipeline.serve.served_library import ServedLibrary
from pipeline.types.moment_id import MomentId
from pipeline.uris import public_name

__all__ = ["VerdictBody", "delete_mark", "find_mark", "mark_json", "part_of", "put_mark"]

_POINT = re.compile(r"(?P<video>.+)@(?P<at>[0-9][0-9e.+-]{0,30}),(?P=at)")


class VerdictBody(BaseModel):
    """A person's verdict: whether the part shows the subject."""

    model_config = ConfigDict(extra="forbid")

    verdict: Literal["yes", "no"]
    note: str = Field(default="", max_length=500)


def part_of(text: str) -> MomentId:
    """Parse the id of a moment, or of a point in time, which is a moment that ends where it starts.

    Raises:
        ProblemError: It is neither.
    """
    point = _POINT.fullmatch(text)
    if point is None:
        return MomentId.parse(text)
    # Checked as the start of a longer part.
    start = MomentId.parse(f"{point['video']}@{point['at']},1e9")
    return MomentId(start.video_id, start.start_seconds, start.start_seconds)


def put_mark(served: ServedLibrary, part: MomentId, subject: str, body: VerdictBody, by: str) -> tuple[Mark, bool]:
    """Write a mark; a mark with the same verdict and note is left as it is.

    Returns:
        The mark, and whether there was none.

    Raises:
        ProblemError: The library has no such video.
        QueryError: The subject is empty or too long, or the video has no such part.
    """
    mark = _mark(part, subject, Verdict(body.verdict), by=by, note=body.note)
    known = find_mark(served, part, subject)
    if known is not None and (known.verdict, known.note) == (mark.verdict, mark.note):
        return known, False
    record = served.record(part.video_id)
    if part.start_seconds > record.duration_seconds:
        raise QueryError(
            f"the video {part.video_id} ends at {record.duration_seconds:.3f} s; it has no second"
            f" {part.start_seconds:g}"
        )
    write_marks(served.library, [mark])
    return mark, known is None


def find_mark(served: ServedLibrary, part: MomentId, subject: str) -> Mark | None:
    """Read the mark of a part and a subject; None if there is none.

    Raises:
        QueryError: The subject is empty or too long.
    """
    name = _mark(part, subject, Verdict.YES).file_name
    found = mark_store(served.library).survey(subject, part.video_id)[0]
    return next((mark for mark in found if mark.file_name == name), None)


def delete_mark(served: ServedLibrary, part: MomentId, subject: str) -> None:
    """Remove a mark.

    Raises:
        ProblemError: There is none.
        QueryError: The subject is empty or too long.
    """
    if not remove_marks(served.library, [_mark(part, subject, Verdict.YES)]):
        raise ProblemError(HTTPStatus.NOT_FOUND, "unknown_mark", "this part has no mark of this subject")


def mark_json(served: ServedLibrary, mark: Mark) -> dict[str, Any]:
    """Convert a mark to JSON values."""
    record = served.library.store.record(mark.video_id)
    return {
        "id": str(MomentId(mark.video_id, mark.start_seconds, mark.end_seconds)),
        **mark.as_json(),
        "video": None if record is None else public_name(record.last_name),
        "is_gone": record is None,
    }


def _mark(part: MomentId, subject: str, verdict: Verdict, *, by: str = "", note: str = "") -> Mark:
    try:
        return Mark(*part, subject, verdict, by=by, note=note)
    except ValueError as error:
        raise QueryError(f"it cannot be marked: {error}") from error
