"""The result of an evaluation, with the scored answers, and its JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.evaluate.bootstrap import Resampling, resampling_of
from pipeline.evaluate.concepts import ConceptScore
from pipeline.evaluate.metrics import MATCHING_RULE
from pipeline.evaluate.rejection import RejectionCurve, RejectionPoint
from pipeline.types import Moment

__all__ = ["Evaluation", "ScoredAnswer", "restored"]


@dataclass(frozen=True)
class ScoredAnswer:
    """The answer of a library to one labelled query, with its scores.

    Attributes:
        query_id: The query's id.
        text: The question.
        video: The video's name in the labelled set.
        video_id: The video's id in the library.
        truth: True windows (start, end) in seconds; empty for an absent query.
        moments: The moments found in this video, best first.
        first_iou: IoU of the first moment with the nearest true window; 0 without a moment or window.
        duration_seconds: The video's length, if the labelled set gives it.
        scores: The query's scores by metric, 0 to 1 or seconds, without metrics that do not apply to it.
    """

    query_id: int | str
    text: str
    video: str
    video_id: str
    truth: tuple[tuple[float, float], ...]
    moments: tuple[Moment, ...]
    first_iou: float
    duration_seconds: float | None = None
    scores: Mapping[str, float] = field(default_factory=dict)

    @property
    def found(self) -> tuple[tuple[float, float, float], ...]:
        """Return (start, end, score) of the moments, best first."""
        return tuple((moment.start_seconds, moment.end_seconds, moment.score) for moment in self.moments)

    @property
    def is_absent(self) -> bool:
        """Whether the query is labelled as absent."""
        return not self.truth

    def as_json(self) -> dict[str, Any]:
        """Convert to JSON types, moments as (start, end, score)."""
        return {
            "query_id": self.query_id,
            "text": self.text,
            "video": self.video,
            "video_id": self.video_id,
            "duration_seconds": self.duration_seconds,
            "truth": self.truth,
            "found": self.found,
            "first_iou": self.first_iou,
            # Not rounded, because restored evaluations are compared with new ones.
            "scores": dict(self.scores),
        }


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation on a labelled set.

    Attributes:
        metrics: Metrics by name, per cent, or seconds if the name ends in "-seconds"; without metrics that do not
            apply.
        intervals: Their 95 % intervals.
        counts: The number of queries that each metric averages.
        resampling: Resampling plan of the intervals.
        rejection: The rejection curve; None unless there are both absent and true queries.
        concepts: Scores by concept, best first.
        concepts_are_named: Whether the labelled set names the concepts; otherwise they are words of the questions.
        answers: The scored answers, in the order of the labelled set.
        rule: The rule that matched moments with true windows.
        min_score: Minimum score of an answer; `answers` holds moments with lower scores as well.
    """

    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    counts: Mapping[str, int]
    resampling: Resampling
    rejection: RejectionCurve | None
    concepts: tuple[ConceptScore, ...]
    concepts_are_named: bool
    answers: tuple[ScoredAnswer, ...]
    rule: str = MATCHING_RULE
    min_score: float = 0.0

    @property
    def absent(self) -> int:
        """Number of queries labelled as absent."""
        return sum(answer.is_absent for answer in self.answers)

    def is_rejected(self, answer: ScoredAnswer) -> bool:
        """Whether all moments of an answer score below `min_score`."""
        return not any(moment.score >= self.min_score for moment in answer.moments)

    def worst(self, count: int = 10) -> tuple[ScoredAnswer, ...]:
        """Return the true queries with the lowest average precision, then the lowest IoU of the first moment."""
        true = [answer for answer in self.answers if not answer.is_absent]
        return tuple(sorted(true, key=lambda answer: (answer.scores["MR-full-mAP"], answer.first_iou))[:count])

    def as_json(self) -> dict[str, Any]:
        """Convert to JSON types."""
        return {
            "rule": self.rule,
            "min_score": self.min_score,
            "queries": len(self.answers),
            "absent": self.absent,
            "metrics": dict(self.metrics),
            "intervals": dict(self.intervals),
            "counts": dict(self.counts),
            "resampling": self.resampling.as_json(),
            "rejection": None if self.rejection is None else self.rejection.as_json(),
            "concepts_are_named": self.concepts_are_named,
            "concepts": [asdict(concept) for concept in self.concepts],
            "answers": [answer.as_json() for answer in self.answers],
        }


def restored(kept: Mapping[str, Any]) -> Evaluation:
    """Rebuild an evaluation from the result of `Evaluation.as_json`. Its moments have only intervals and scores.

    Raises:
        KeyError, TypeError, ValueError: The data has another version, or is no evaluation.
    """
    answers = tuple(map(_answer, kept["answers"]))
    curve = kept["rejection"]
    return Evaluation(
        metrics=kept["metrics"],
        intervals={name: (low, high) for name, (low, high) in kept["intervals"].items()},
        counts=kept["counts"],
        resampling=resampling_of([answer.video_id for answer in answers]),
        rejection=None if curve is None else _curve(curve),
        concepts=tuple(_concept(concept) for concept in kept["concepts"]),
        concepts_are_named=kept["concepts_are_named"],
        answers=answers,
        rule=kept["rule"],
        min_score=kept["min_score"],
    )


def _answer(kept: Mapping[str, Any]) -> ScoredAnswer:
    moments = tuple(
        Moment(
            video_id=kept["video_id"],
            uri=kept["video"],
            start_seconds=start,
            end_seconds=end,
            best_seconds=start,
            score=score,
        )
        for start, end, score in kept["found"]
    )
    return ScoredAnswer(
        query_id=kept["query_id"],
        text=kept["text"],
        video=kept["video"],
        video_id=kept["video_id"],
        truth=tuple((start, end) for start, end in kept["truth"]),
        moments=moments,
        first_iou=kept["first_iou"],
        duration_seconds=kept["duration_seconds"],
        scores=kept["scores"],
    )


def _curve(kept: Mapping[str, Any]) -> RejectionCurve:
    operating = kept["operating"]
    return RejectionCurve(
        points=tuple(RejectionPoint(**point) for point in kept["points"]),
        operating=None if operating is None else RejectionPoint(**operating),
    )


def _concept(kept: Mapping[str, Any]) -> ConceptScore:
    intervals = {name: (low, high) for name, (low, high) in kept["intervals"].items()}
    return ConceptScore(kept["concept"], kept["queries"], kept["metrics"], intervals)
