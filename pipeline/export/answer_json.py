"""Answers as JSON; docs/reference/answer-json.md describes the fields."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pipeline.search import Answer
from pipeline.search.answer import Absence, Skipped
from pipeline.types import Moment

__all__ = ["absence_json", "answer_json", "moment_json"]


def moment_json(moment: Moment) -> dict[str, Any]:
    """Convert a moment with its steps and copies to JSON types; exact times become texts such as "1/12800"."""
    fields = asdict(moment)
    _say_times(fields)
    return fields


def _say_times(fields: dict[str, Any]) -> None:
    fields["time_base"] = str(fields["time_base"])
    fields["recorded_at"] = fields["recorded_at"] and fields["recorded_at"].isoformat(timespec="milliseconds")
    for part in (*fields["steps"], *fields["copies"]):
        _say_times(part)


def absence_json(absence: Absence) -> dict[str, Any]:
    """Convert an absence to JSON types."""
    fields = asdict(absence)
    fields["recorded_at"] = fields["recorded_at"] and fields["recorded_at"].isoformat(timespec="milliseconds")
    return fields


def answer_json(answer: Answer, *, explained: bool = False) -> dict[str, Any]:
    """Convert an answer to JSON types.

    Args:
        answer: The answer.
        explained: Whether to include its explanation.
    """
    fields = {
        "question": str(answer.query),
        "query": answer.query.model_dump(mode="json", exclude_defaults=True),
        "found": answer.found,
        "first_rank": answer.first_rank,
        "min_score": answer.min_score,
        "moments": list(map(moment_json, answer.moments)),
        "nearest": None if answer.nearest is None else moment_json(answer.nearest),
        "unknown_words": list(answer.unknown_words),
        "incomplete": None if answer.incomplete is None else asdict(answer.incomplete),
    }
    if answer.query.none:
        fields["absences"] = list(map(absence_json, answer.absences))
        fields |= {"videos": answer.videos, "videos_without": answer.videos_without}
    if explained:
        explanation = answer.explanation
        fields["explanation"] = {
            "terms": list(map(asdict, explanation.terms)),
            "filters": explanation.filters,
            "candidates": list(map(asdict, explanation.candidates)),
            "dropped": [{"why": one.why, "moment": moment_json(one.moment)} for one in explanation.dropped],
            "skipped": list(map(_skipped_json, explanation.skipped)),
            "hint": explanation.hint,
        }
    return fields


def _skipped_json(skipped: Skipped) -> dict[str, Any]:
    """Convert a skipped video; `is_broken`, `has_no_date` and `is_unlabelled` are included only if true."""
    return {name: value for name, value in asdict(skipped).items() if value is not False}
