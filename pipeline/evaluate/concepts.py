"""Scores by concept: how well a library answers questions about each concept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.evaluate.bootstrap import intervals, resampling_of
from pipeline.evaluate.labels import LabelledQuery
from pipeline.evaluate.metrics import means

__all__ = ["CONCEPT_METRICS", "ConceptScore", "concept_scores", "words_of"]

Floats = npt.NDArray[np.float64]

CONCEPT_METRICS = ("MR-full-mAP", "MR-full-R1@0.5")
_LEAST_QUERIES = 3
_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        """a an the of in on at to into onto from by for with without and or not no is are was were be being it its this
        that there who which where while as then up down out off over his her their he she they him them some someone
        somebody something one two other another video picture photo footage shot scene image person people""",
    )
)


@dataclass(frozen=True)
class ConceptScore:
    """The scores of the queries about a concept.

    Attributes:
        concept: A concept named by the labelled set, or a word of the questions.
        queries: Number of true queries about it.
        metrics: The metrics in `CONCEPT_METRICS` by name, per cent.
        intervals: Their confidence intervals (low, high).
    """

    concept: str
    queries: int
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]


def concept_scores(
    queries: Sequence[LabelledQuery], videos: Sequence[str], columns: Mapping[str, Floats]
) -> tuple[ConceptScore, ...]:
    """Score each concept with at least three true queries, best mAP first, then by name.

    If no query of the set names concepts, the words of the questions are used.

    Args:
        queries: The labelled set.
        videos: Id of the video of each query.
        columns: Scores by metric, float64 (Q,).
    """
    are_named = any(query.concepts for query in queries)
    members: dict[str, list[int]] = {}
    for number, query in enumerate(queries):
        if not query.is_absent:
            for concept in query.concepts if are_named else words_of(query.text):
                members.setdefault(concept, []).append(number)
    found = [
        _scored(concept, numbers, videos, columns)
        for concept, numbers in members.items()
        if len(numbers) >= _LEAST_QUERIES
    ]
    return tuple(sorted(found, key=lambda score: (-score.metrics[CONCEPT_METRICS[0]], score.concept)))


def words_of(text: str) -> tuple[str, ...]:
    """Extract the content words of a question, in lower case, each once."""
    words: Iterable[str] = re.findall(r"[^\W\d_]+(?:['-][^\W\d_]+)*", text.lower())
    return tuple(dict.fromkeys(word for word in words if len(word) > 1 and word not in _STOP_WORDS))


def _scored(concept: str, numbers: Sequence[int], videos: Sequence[str], columns: Mapping[str, Floats]) -> ConceptScore:
    own = {name: columns[name][list(numbers)] for name in CONCEPT_METRICS}
    how = resampling_of([videos[number] for number in numbers])
    return ConceptScore(concept, len(numbers), means(own), intervals(own, how))
