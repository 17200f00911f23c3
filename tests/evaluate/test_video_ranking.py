from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.evaluate import LabelledQuery, ndcg
from pipeline.evaluate.video_ranking import ranking_column

SECOND, THIRD = 1 / math.log2(3), 1 / math.log2(4)


@pytest.mark.parametrize(
    ("ranked", "relevant", "value"),
    [
        (["a", "b"], {"a"}, 1.0),
        (["b", "a"], {"a"}, SECOND),
        (["b", "c", "a"], {"a"}, THIRD),
        (["b", "a", "c"], {"a", "c"}, (SECOND + THIRD) / (1 + SECOND)),
        (["a"], {"a", "c"}, 1 / (1 + SECOND)),
        ([], {"a"}, 0.0),
        ([*"bcdefghijk", "a"], {"a"}, 0.0),
        (list("abcdefghij"), set("abcdefghijklm"), 1.0),
    ],
)
def test_ndcg(ranked: list[str], relevant: set[str], value: float) -> None:
    assert ndcg(ranked, relevant) == pytest.approx(value)


def test_all_videos_of_a_text_are_relevant_and_it_counts_once() -> None:
    queries = [
        LabelledQuery(1, "A dog", "a", ((0, 1),)),
        LabelledQuery(2, "a dog", "b", ((0, 1),)),
        LabelledQuery(3, "a dog", "c", ()),
        LabelledQuery(4, "a cat", "c", ()),
        LabelledQuery(5, "a lion", "c", ((0, 1),)),
    ]
    asked = []

    def ranked(text: str) -> list[str]:
        asked.append(text)
        return ["c", "b", "a"]

    column = ranking_column(queries, ["a", "b", "c", "c", "c"], ranked)
    assert column[[0, 4]].tolist() == pytest.approx([(SECOND + THIRD) / (1 + SECOND), 1.0])
    assert np.isnan(column[1:4]).all()
    assert asked == ["A dog", "a lion"]
