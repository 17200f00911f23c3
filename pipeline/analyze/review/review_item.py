"""Items of the review queue, and their JSON Lines format."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.analyze.marks.mark import LONGEST_TEXT, MOST_SECONDS, Mark, Verdict
from pipeline.errors import QueryError
from pipeline.parsing import shown
from pipeline.store.file_name_patterns import VIDEO_ID
from pipeline.types.record_json import parsed

__all__ = ["ReviewItem", "is_marked", "mark_of", "read_flags"]


@dataclass(frozen=True)
class ReviewItem:
    """A part of a video to be reviewed by a person.

    Attributes:
        video_id: The video's id.
        start_seconds: Start of the part.
        end_seconds: End of the part, excluded; equal to the start for a single frame.
        subject: The subject of the review.
        score: Probability that the part shows the subject, 0 to 1; None if unknown.
        reason: The reason for the review.
    """

    video_id: str
    start_seconds: float
    end_seconds: float
    subject: str
    score: float | None = None
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return its fields as JSON values."""
        return asdict(self)


def mark_of(item: ReviewItem, verdict: Verdict, *, by: str, note: str = "") -> Mark:
    """Make the mark that answers an item."""
    return Mark(item.video_id, item.start_seconds, item.end_seconds, item.subject, verdict, by=by, note=note)


def is_marked(item: ReviewItem, marks: Iterable[Mark], *, reach_seconds: float = 0.0) -> bool:
    """Whether a mark of the same video and subject touches an item.

    Args:
        item: The item.
        marks: Marks of any video and subject.
        reach_seconds: Extent of a mark beyond its own part.
    """
    return any(
        mark.video_id == item.video_id
        and mark.subject.casefold() == item.subject.casefold()
        and mark.start_seconds - reach_seconds <= item.end_seconds
        and mark.end_seconds + reach_seconds >= item.start_seconds
        for mark in marks
    )


def read_flags(lines: Iterable[str | bytes], origin: str, *, subject: str | None = None) -> list[ReviewItem]:
    """Read flagged parts from JSON Lines, one object per line; other fields are ignored.

    Args:
        lines: Objects with video_id, start_seconds, end_seconds and, optionally, subject, score and reason.
        origin: Name of the source in messages.
        subject: Subject of lines without one.

    Raises:
        QueryError: A line is invalid; the message names it.
    """
    items = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            items.append(_flag(parsed(line), subject))
        except ValueError as error:
            raise QueryError(f"{origin}, line {number}: not a flagged part: {error}") from error
    return items


def _flag(fields: Mapping[str, Any], subject: str | None) -> ReviewItem:
    texts = {"video_id": fields.get("video_id"), "subject": fields.get("subject", subject)}
    texts["reason"] = fields.get("reason", "flagged")
    for name, text in texts.items():
        if not isinstance(text, str) or len(text) > LONGEST_TEXT:
            raise ValueError(f"{name} cannot be {shown(text)}")
    start, end = (_number(fields, name) for name in ("start_seconds", "end_seconds"))
    if not VIDEO_ID.fullmatch(texts["video_id"]) or not texts["subject"].strip():
        raise ValueError(f"video_id {shown(texts['video_id'])} or subject {shown(texts['subject'])} is not one")
    if not 0 <= start <= end <= MOST_SECONDS:
        raise ValueError(f"start_seconds {start} and end_seconds {end} are not a part of a video")
    score = None if fields.get("score") is None else _number(fields, "score")
    return ReviewItem(texts["video_id"], start, end, " ".join(texts["subject"].split()), score, texts["reason"])


def _number(fields: Mapping[str, Any], name: str) -> float:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} cannot be {shown(value)}")
    return float(value)
