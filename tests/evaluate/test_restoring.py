from __future__ import annotations

import json
from dataclasses import replace

from fixed_library import ABSENT, FixedLibrary

from pipeline.evaluate import LabelledQuery, compare, evaluate
from pipeline.evaluate.evaluation import restored


def test_a_restored_evaluation_is_as_good_as_the_one_that_was_kept() -> None:
    queries = [LabelledQuery(n, f"text {n}", "park1", ((0, 4), (10, 14), (20, 24)), 30.0) for n in range(24)]
    fresh = evaluate(FixedLibrary((0, 4)), [*queries, ABSENT], min_score=0.4)
    # One of three moments is found: an average precision that no decimal number says.
    assert 1 / 3 - round(fresh.answers[0].scores["MR-full-mAP"], 6) > 1e-9
    kept = restored(json.loads(json.dumps(fresh.as_json())))
    assert {(one.better, one.worse, one.p_value) for one in compare(kept, fresh).values()} == {(0, 0, 1.0)}
    # Of a moment, its best frame and its place are not kept.
    assert [replace(answer, moments=()) for answer in kept.answers] == [
        replace(answer, moments=()) for answer in fresh.answers
    ]
    assert replace(kept, answers=()) == replace(fresh, answers=())
