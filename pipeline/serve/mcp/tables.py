"""The texts and the structured content that the tools return."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.render.text import counted, file_name, printable, score_text
from pipeline.search import Answer
from pipeline.timecode import format_seconds
from pipeline.types import Moment, VideoRecord
from pipeline.types.moment_id import MomentId

__all__ = ["EVIDENCE", "answer_fields", "answer_text", "table", "video_fields"]

EVIDENCE = (
    "Scores are retrieval evidence from a vision-language model, 0 to 1: how likely the best frame shows the thing."
    " They do not confirm that it does; look at the frames with view_moment before you rely on a moment."
)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return printable(text).replace("|", "\\|")


def answer_text(answer: Answer, coverage: str, sheet_problem: str) -> str:
    """Describe an answer: its moments, or that nothing matches, and what was not searched.

    Args:
        answer: The answer.
        coverage: What could not be searched because it is not indexed; empty if everything was.
        sheet_problem: Why there is no contact sheet; empty if there is one or nothing to show.
    """
    parts = [_moments_text(answer) if answer.moments else _nothing_text(answer, coverage)]
    if answer.unknown_words:
        parts.append(f"The model does not know: {', '.join(answer.unknown_words)}. Use other words.")
    skipped = [one for one in answer.explanation.skipped if one.is_broken]
    if skipped:
        parts.append(f"Not searched: {counted(len(skipped), 'video')} with broken files (momentseek index verify).")
    if answer.explanation.hint:
        parts.append(printable(answer.explanation.hint))
    parts += [*map(printable, answer.notes), coverage, sheet_problem and f"No contact sheet: {sheet_problem}", EVIDENCE]
    return "\n\n".join(part for part in parts if part)


def _moments_text(answer: Answer) -> str:
    rows = []
    for number, moment in enumerate(answer.moments):
        rank = str(answer.first_rank + number)
        interval = f"{format_seconds(moment.start_seconds)} - {format_seconds(moment.end_seconds)}"
        best, score = format_seconds(moment.best_seconds), score_text(moment.score)
        recorded = "" if moment.recorded_at is None else moment.recorded_at.isoformat(timespec="seconds")
        name = f"{file_name(moment.uri)}{' (file gone)' if moment.is_gone else ''}"
        rows.append([rank, score, str(MomentId.of(moment)), name, interval, best, recorded])
    shown = table(["#", "score", "moment_id", "video", "from - to", "best frame", "recorded"], rows)
    last = answer.first_rank + len(answer.moments) - 1
    count = f"{counted(answer.found, 'moment matches', 'moments match')} {printable(str(answer.query))!r}"
    more = f"; page={answer.query.page + 1} shows more" if last < answer.found else ""
    return f"{count}; shown: {answer.first_rank}-{last}{more}.\n\n{shown}"


def _nothing_text(answer: Answer, coverage: str) -> str:
    question = printable(str(answer.query))
    if answer.found:
        return f"There is no page {answer.query.page}: {counted(answer.found, 'moment matches', 'moments match')}."
    searched = "the videos that were searched" if coverage else "all indexed videos were searched"
    text = f"No result: nothing matches {question!r} (minimum score {answer.min_score:g}); {searched}."
    if answer.nearest is not None:
        nearest = answer.nearest
        text += (
            f" The nearest moment is {MomentId.of(nearest)} in {file_name(nearest.uri)}, with score"
            f" {score_text(nearest.score)}: probably not what was asked. Other words or a lower min_score may help."
        )
    return text


def answer_fields(answer: Answer, coverage: str) -> dict[str, Any]:
    """Convert an answer to structured content."""
    return {
        "found": answer.found,
        "page": answer.query.page,
        "min_score": answer.min_score,
        "moments": [_moment_fields(moment) for moment in answer.moments],
        "nearest": None if answer.nearest is None or answer.moments else _moment_fields(answer.nearest),
        "unknown_words": list(answer.unknown_words),
        "not_indexed": coverage,
        "scores_are": "retrieval evidence, not confirmation",
    }


def _moment_fields(moment: Moment) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "moment_id": str(MomentId.of(moment)),
        "video_id": moment.video_id,
        "video": file_name(moment.uri),
        "start_seconds": moment.start_seconds,
        "end_seconds": moment.end_seconds,
        "best_seconds": moment.best_seconds,
        "score": round(moment.score, 4),
    }
    if moment.recorded_at is not None:
        fields["recorded_at"] = moment.recorded_at.isoformat()
    if moment.steps:
        fields["steps"] = [str(MomentId.of(step)) for step in moment.steps]
    return fields


def video_fields(record: VideoRecord) -> dict[str, Any]:
    """Convert a video's record to structured content; the location of its file is left out."""
    return {
        "video_id": record.video_id,
        "video": file_name(record.last_name),
        "whole_video": str(MomentId(record.video_id, 0.0, record.duration_seconds)),
        "status": str(record.status),
        "duration_seconds": record.duration_seconds,
        "sampled_frames": record.frame_count,
        "metadata": dict(record.metadata),
    }
