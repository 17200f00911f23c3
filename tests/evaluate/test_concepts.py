from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluate import LabelledQuery
from pipeline.evaluate.concepts import concept_scores, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A person in a Hard Hat, hat off", ("hard", "hat")),
        ("someone with 3 hi-vis vests", ("hi-vis", "vests")),
        ("ein Hund läuft über die Straße", ("ein", "hund", "läuft", "über", "die", "straße")),
    ],
)
def test_words_of_a_question(text: str, words: tuple[str, ...]) -> None:
    assert words_of(text) == words


def query(number: int, text: str, *concepts: str, absent: bool = False) -> LabelledQuery:
    return LabelledQuery(number, text, "v", () if absent else ((0.0, 1.0),), concepts=concepts)


def columns(*scores: float) -> dict[str, np.ndarray]:
    return {"MR-full-mAP": np.array(scores), "MR-full-R1@0.5": np.round(scores)}


def test_concepts_are_named_by_the_set_and_best_first() -> None:
    queries = [
        *(query(number, "a dog", "night") for number in range(3)),
        *(query(number, "a dog", "day", "night") for number in range(3, 6)),
        query(6, "a dog", "rare"),
        *(query(number, "a dog", "gone", absent=True) for number in range(7, 10)),
    ]
    scores = columns(0.1, 0.2, 0.3, 0.9, 0.9, 0.9, 1, np.nan, np.nan, np.nan)
    day, night = concept_scores(queries, ["v"] * 10, scores)
    assert (day.concept, day.queries, day.metrics) == ("day", 3, {"MR-full-mAP": 90.0, "MR-full-R1@0.5": 100.0})
    assert day.intervals["MR-full-mAP"] == (90.0, 90.0)
    assert (night.concept, night.queries, night.metrics["MR-full-mAP"]) == ("night", 6, 55.0)


def test_concepts_are_words_where_the_set_names_none() -> None:
    queries = [query(number, text) for number, text in enumerate(["a red car", "red cars", "the red bus", "a car"])]
    [red] = concept_scores(queries, ["v"] * 4, columns(1, 1, 0.5, 0))
    assert (red.concept, red.queries, red.metrics["MR-full-mAP"]) == ("red", 3, 83.33)
