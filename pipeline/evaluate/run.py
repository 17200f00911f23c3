"""Scoring a library on a labelled set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from pipeline.errors import QueryError
from pipeline.evaluate.labelled import LabelledQuery
from pipeline.evaluate.metrics import moment_metrics, window_ious
from pipeline.types import Moment

__all__ = ["Answer", "Evaluation", "SearchableLibrary", "evaluate"]


class SearchableLibrary(Protocol):
    """What a library must be able to do to be scored."""

    def search(
        self, question: str, *, top: int | None = None, videos: Iterable[str] = (), min_score: float | None = None
    ) -> list[Moment]:
        """The moments that answer a text, best first, none with a lower score than `min_score`."""

    def find(self, *names: str) -> tuple[str, ...]:
        """The ids of the videos that go by these names; QueryError where none does."""


@dataclass(frozen=True)
class Answer:
    """What a library answered to one labelled query.

    Attributes:
        query_id: The query's id.
        text: The question.
        video: The video it is about.
        truth: True windows (start, end) in seconds.
        found: (start, end, score) of the moments, best first.
        first_iou: IoU of the first moment with the true window nearest to it; 0 where there is none.
    """

    query_id: int | str
    text: str
    video: str
    truth: tuple[tuple[float, float], ...]
    found: tuple[tuple[float, float, float], ...]
    first_iou: float


@dataclass(frozen=True)
class Evaluation:
    """Metrics by name, in per cent, and the answers they come from."""

    metrics: dict[str, float]
    answers: tuple[Answer, ...]

    def as_json(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        rows = [asdict(answer) for answer in self.answers]
        return {"queries": len(rows), "metrics": dict(self.metrics), "answers": rows}


def evaluate(library: SearchableLibrary, queries: Sequence[LabelledQuery], *, top: int = 10) -> Evaluation:
    """Ask every query within its video and score the answers.

    Raises:
        QueryError: There is no query, the library is empty, or it misses videos of the set or has several by one name;
            the message names the first.
    """
    if not queries:
        raise QueryError("the labelled set holds no query")
    _check_videos(library, queries)
    answers = tuple(_answer(library, query, top) for query in queries)
    metrics = moment_metrics([answer.found for answer in answers], [answer.truth for answer in answers])
    return Evaluation(metrics, answers)


def _check_videos(library: SearchableLibrary, queries: Sequence[LabelledQuery]) -> None:
    missing = []
    for video in dict.fromkeys(query.video for query in queries):
        try:
            found = library.find(video)
        except QueryError as error:
            missing.append(error)
            continue
        if len(found) > 1:
            raise QueryError(
                f"{len(found)} videos of the library go by {video!r}, which the labelled set names; name one of them by"
                f" its id there: {', '.join(found)}"
            )
    if missing:
        raise QueryError(f"{len(missing)} videos of the labelled set are not in the library, first: {missing[0]}")


def _answer(library: SearchableLibrary, query: LabelledQuery, top: int) -> Answer:
    # The ranking is scored, whatever the least score of an answer is.
    moments = library.search(query.text, top=top, videos=[query.video], min_score=0.0)
    found = tuple((moment.start_seconds, moment.end_seconds, moment.score) for moment in moments)
    ious = window_ious([(start, end) for start, end, _ in found[:1]], query.windows)
    return Answer(query.query_id, query.text, query.video, query.windows, found, float(ious.max(initial=0.0)))
