"""An evaluation from the JSON that it was kept as."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.evaluate.concepts import ConceptScore
from pipeline.evaluate.evaluation import Answer, Evaluation
from pipeline.evaluate.rejection import RejectionCurve, RejectionPoint
from pipeline.evaluate.resampling import resampling_of
from pipeline.types import Moment

__all__ = ["restored"]


def restored(kept: Mapping[str, Any]) -> Evaluation:
    """What `Evaluation.as_json` was made of; of its moments, intervals and scores are left.

    Raises:
        KeyError, TypeError, ValueError: It is of another version, or of something else.
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


def _answer(kept: Mapping[str, Any]) -> Answer:
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
    return Answer(
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
