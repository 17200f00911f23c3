"""JSON of answers, moments and videos in the API: that of the command line, with ids and addresses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pipeline.export.answer_json import answer_json
from pipeline.search import Answer
from pipeline.types import VideoRecord
from pipeline.types.moment_id import MomentId
from pipeline.types.video_json import video_json
from pipeline.uris import public_name, public_text

__all__ = ["answer_of", "video_of", "without_credentials"]


def answer_of(answer: Answer, *, explained: bool = False, shown: Callable[[str], str] = str) -> dict[str, Any]:
    """Convert an answer to JSON types; moments and absences get an `id`, and their locations lose credentials.

    Args:
        answer: The answer.
        explained: Whether to include its explanation.
        shown: Rewrites the terms of the explanation, in which uploads are files.
    """
    fields = {**answer_json(answer, explained=explained), "top": answer.top, "notes": list(answer.notes)}
    found = [*fields["moments"], *fields.get("absences", ())]
    if fields["nearest"] is not None:
        found.append(fields["nearest"])
    if explained:
        for dropped in fields["explanation"]["dropped"]:
            found.append(dropped["moment"])
            dropped["why"] = public_text(dropped["why"])
        for term in (*fields["explanation"]["terms"], *fields["explanation"]["candidates"]):
            term["term"] = shown(term["term"])
        for skipped in fields["explanation"]["skipped"]:
            skipped["uri"] = public_name(skipped["uri"])
    for one in found:
        _identify(one)
    return fields


def _identify(fields: dict[str, Any]) -> None:
    fields["id"] = str(MomentId(fields["video_id"], fields["start_seconds"], fields["end_seconds"]))
    fields["uri"] = public_name(fields["uri"])
    for part in (*fields.get("steps", ()), *fields.get("copies", ())):
        _identify(part)


def video_of(record: VideoRecord) -> dict[str, Any]:
    """Convert a video's record to JSON types; its locations lose credentials."""
    shown = without_credentials(record)
    rate = record.info.average_rate
    rates = {"frames_per_second": None if rate is None else float(rate)}
    return {**video_json(shown), "name": shown.last_name, **rates}


def without_credentials(record: VideoRecord) -> VideoRecord:
    """Return a video's record whose locations have no credentials."""
    return replace(
        record,
        names=tuple(map(public_name, record.names)),
        former_names=tuple(map(public_name, record.former_names)),
        info=replace(record.info, uri=public_name(record.info.uri)),
    )
