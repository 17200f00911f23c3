"""Marks: a person's verdict on whether a part of a video shows a subject."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pipeline.parsing import is_unicode, shown
from pipeline.store.file_name_patterns import VIDEO_ID

__all__ = ["Mark", "Verdict", "mark_from", "now", "subject_key"]

LONGEST_TEXT = 500
"""Maximum length of a subject, a note or a person's name, in characters."""
MOST_SECONDS = 1e9
"""Maximum time in a video: thirty years, far above any length."""
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")


class Verdict(StrEnum):
    """A person's verdict on a part of a video."""

    YES = "yes"
    NO = "no"


@dataclass(frozen=True)
class Mark:
    """A person's verdict on whether a part of a video shows a subject.

    A mark refers to a video's content and to times on its playback clock, not to rows of an index or to sampled frames.
    It stays valid when the video is sampled, encoded or indexed again.

    Attributes:
        video_id: The video's id.
        start_seconds: Start of the part.
        end_seconds: End of the part, excluded; equal to the start for a point in time.
        subject: The subject, such as "person in hard hat"; white space is normalised.
        verdict: Whether the part shows the subject.
        by: Name of the person; may be empty.
        marked_at: Time of the verdict in UTC, such as "2026-11-21T17:00:00Z".
        note: A remark; may be empty.

    Raises:
        ValueError: A field is empty, too long, out of range or has the wrong format.
    """

    video_id: str
    start_seconds: float
    end_seconds: float
    subject: str
    verdict: Verdict
    by: str = ""
    marked_at: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "subject", " ".join(self.subject.split()))
        object.__setattr__(self, "marked_at", self.marked_at or now())
        if not VIDEO_ID.fullmatch(self.video_id):
            raise ValueError(f"video_id {shown(self.video_id)} is not the id of a video")
        times = self.start_seconds, self.end_seconds
        if not all(math.isfinite(time) for time in times) or not 0 <= times[0] <= times[1] <= MOST_SECONDS:
            raise ValueError(f"start_seconds {times[0]} and end_seconds {times[1]} are not a part of a video")
        if not self.subject:
            raise ValueError("the subject is empty; give the question's subject, such as 'person in hard hat'")
        for name in ("subject", "by", "note"):
            text = getattr(self, name)
            if len(text) > LONGEST_TEXT or not is_unicode(text):
                raise ValueError(f"{name} {shown(text)} is not UTF-8, or longer than {LONGEST_TEXT} characters")
        if not _TIME.fullmatch(self.marked_at):
            raise ValueError(f"marked_at {shown(self.marked_at)} is not a time of the form 2026-11-21T17:00:00Z")

    @property
    def file_name(self) -> str:
        """File name from hashes of the subject and the interval: a new verdict replaces an earlier one."""
        interval = f"{self.start_seconds:.3f}-{self.end_seconds:.3f}"
        digest = hashlib.sha256(f"{self.subject.casefold()} {interval}".encode()).hexdigest()[:16]
        return f"{subject_key(self.subject)}-{digest}.json"

    def as_json(self) -> dict[str, Any]:
        """Return its fields as JSON values."""
        return {**asdict(self), "verdict": str(self.verdict)}


def subject_key(subject: str) -> str:
    """Hash a subject as 8 hex digits, ignoring case and the amount of white space."""
    return hashlib.sha256(" ".join(subject.split()).casefold().encode()).hexdigest()[:8]


def now() -> str:
    """Return the current time in UTC, in the format of marks."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def mark_from(fields: Mapping[str, Any]) -> Mark:
    """Read a mark from JSON values.

    Raises:
        ValueError: A field is missing, unknown, of the wrong type or out of range.
    """
    names = set(Mark.__dataclass_fields__)
    if unknown := sorted(fields.keys() - names):
        raise ValueError(f"unknown field {shown(unknown[0])}; a mark has {', '.join(Mark.__dataclass_fields__)}")
    if lacking := [name for name in ("video_id", "start_seconds", "end_seconds", "subject") if name not in fields]:
        raise ValueError(f"{lacking[0]} is missing")
    verdict = fields.get("verdict")
    if verdict not in tuple(Verdict):
        raise ValueError(f"verdict is yes or no, not {shown(verdict)}")
    texts = {name: _text(name, fields[name]) for name in ("by", "marked_at", "note") if name in fields}
    start, end = (_seconds(fields[name]) for name in ("start_seconds", "end_seconds"))
    video_id, subject = (_text(name, fields[name]) for name in ("video_id", "subject"))
    return Mark(video_id, start, end, subject, Verdict(verdict), **texts)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} is not a text but {shown(value)}")  # noqa: TRY004 - callers expect one kind
    return value


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{shown(value)} is not a number of seconds")  # noqa: TRY004 - callers expect one kind
    return float(value)
