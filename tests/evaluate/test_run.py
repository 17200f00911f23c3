from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from pipeline.errors import QueryError
from pipeline.evaluate import LabelledQuery, evaluate
from pipeline.types import Moment


class FixedLibrary:
    """Answers every question with the same moments of the video that is asked about."""

    def __init__(self, *windows: tuple[float, float]) -> None:
        self.windows = windows
        self.asked: list[tuple[str, int | None, tuple[str, ...]]] = []

    def search(
        self, question: str, *, top: int | None = None, videos: Iterable[str] = (), min_score: float | None = None
    ) -> list[Moment]:
        names = tuple(videos)
        assert min_score == 0, "the whole ranking is scored"
        self.asked.append((question, top, names))
        return [
            Moment(video_id=names[0], uri="x", start_seconds=a, end_seconds=b, best_seconds=a, score=1 - n / 10)
            for n, (a, b) in enumerate(self.windows)
        ]

    def find(self, *names: str) -> tuple[str, ...]:
        if any(not name.startswith("park") for name in names):
            raise QueryError(f"no video {names[0]!r}")
        return ("park1", "park2") if names == ("park",) else names


QUERIES = [LabelledQuery(1, "a dog", "park1", ((0, 4),)), LabelledQuery("b", "a cat", "park2", ((2, 4), (8, 9)))]


def test_evaluate_asks_each_query_within_its_video() -> None:
    library = FixedLibrary((0, 4))
    evaluate(library, QUERIES, top=5)
    assert library.asked == [("a dog", 5, ("park1",)), ("a cat", 5, ("park2",))]


def test_evaluate_scores_and_keeps_the_answers() -> None:
    result = evaluate(FixedLibrary((0, 4), (8, 9)), QUERIES)
    assert result.metrics["MR-full-R1@0.5"] == 100
    assert result.metrics["MR-full-R1@0.7"] == 50
    assert [answer.first_iou for answer in result.answers] == [1, 0.5]
    assert result.answers[1].found == ((0, 4, 1), (8, 9, 0.9))


def test_an_evaluation_is_json() -> None:
    data = json.loads(json.dumps(evaluate(FixedLibrary(), QUERIES).as_json()))
    assert data["queries"] == 2
    assert data["metrics"]["MR-full-mAP"] == 0
    assert data["answers"][0] == {
        "query_id": 1,
        "text": "a dog",
        "video": "park1",
        "truth": [[0, 4]],
        "found": [],
        "first_iou": 0,
    }


def test_videos_that_are_missing_are_named_before_anything_is_asked() -> None:
    library = FixedLibrary((0, 4))
    with pytest.raises(QueryError, match=r"1 videos of the labelled set are not in the library.*'zoo'"):
        evaluate(library, [*QUERIES, LabelledQuery(3, "a lion", "zoo", ((0, 1),))])
    assert library.asked == []


def test_a_name_of_several_videos_is_refused_before_anything_is_asked() -> None:
    library = FixedLibrary((0, 4))
    with pytest.raises(QueryError, match=r"2 videos of the library go by 'park'.*park1, park2"):
        evaluate(library, [*QUERIES, LabelledQuery(3, "a lion", "park", ((0, 1),))])
    assert library.asked == []


def test_no_query_is_refused() -> None:
    with pytest.raises(QueryError, match="no query"):
        evaluate(FixedLibrary(), [])
