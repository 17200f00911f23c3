from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from fixed_library import QUERIES, FixedLibrary

from pipeline.errors import ConfigError
from pipeline.evaluate import Evaluation, LabelledQuery, compare, evaluate, holm, question_differences


def evaluation(ends: Sequence[float], *, videos: int = 2) -> Evaluation:
    """Answers to as many questions, each from 0 to its end, where from 0 to 10 is right."""
    names = [f"park{number % videos + 1}" for number in range(len(ends))]
    queries = [LabelledQuery(n, f"text {n}", name, ((0.0, 10.0),)) for n, name in enumerate(names)]
    answers = {f"text {number}": [(0.0, end)] for number, end in enumerate(ends)}
    return evaluate(FixedLibrary(of_text=answers, indexed=sorted(set(names))), queries, ranks_videos=False)


def test_a_clear_gain_is_told_from_chance() -> None:
    rng = random.Random(1)
    before = [rng.uniform(3, 9) for _ in range(40)]
    found = compare(evaluation(before), evaluation([end + 0.8 for end in before]))["MR-full-mIoU"]
    assert (found.queries, found.better, found.worse) == (40, 40, 0)
    assert found.difference == pytest.approx(8, abs=0.02)
    assert found.after - found.before == pytest.approx(found.difference, abs=0.02)
    assert found.interval == (pytest.approx(8, abs=0.02), pytest.approx(8, abs=0.02))
    assert found.p_value < 0.001


def test_luck_is_not() -> None:
    rng = random.Random(2)
    one, other = ([rng.uniform(3, 9) for _ in range(40)] for _ in range(2))
    found = compare(evaluation(one), evaluation(other))["MR-full-mIoU"]
    assert found.interval[0] < 0 < found.interval[1]
    assert found.p_value > 0.05


def test_the_same_answers_do_not_differ() -> None:
    found = compare(evaluation([5, 6]), evaluation([5, 6]))
    assert {difference.p_value for difference in found.values()} == {1.0}
    assert {difference.difference for difference in found.values()} == {0.0}


def test_what_two_questions_say_is_not_certain() -> None:
    # Two signs can fall in four ways, two of which are as great.
    found = compare(evaluation([5, 6]), evaluation([9, 10]))["MR-full-mIoU"]
    assert found.p_value == pytest.approx(0.5, abs=0.02)


def test_questions_of_a_video_are_flipped_together_where_there_are_ten() -> None:
    before, after = [5.0] * 100, [5.0 + (1 if number % 10 < 6 else -1) for number in range(100)]
    together = compare(evaluation(before, videos=10), evaluation(after, videos=10))["MR-full-mIoU"]
    alone = compare(evaluation(before, videos=2), evaluation(after, videos=2))["MR-full-mIoU"]
    assert together.difference == alone.difference
    assert together.p_value > 0.5
    assert alone.p_value < 0.1


def test_seconds_are_compared_where_both_have_them() -> None:
    found = compare(evaluation([5, 12]), evaluation([8, 10]))["MR-full-end-error-seconds"]
    assert (found.before, found.after, found.difference, found.worse) == (3.5, 1.0, -2.5, 2)


def test_other_rules_or_questions_are_refused() -> None:
    one, other = evaluation([5, 6]), evaluation([5, 6, 7])
    with pytest.raises(ConfigError, match="1 questions are not the same in both evaluations, first: qid 2"):
        compare(one, other)
    with pytest.raises(ConfigError, match="matched by 'qvhighlights/1' and by 'other/1'"):
        compare(one, replace(one, rule="other/1"))
    with pytest.raises(ConfigError, match="first: qid 0"):
        compare(one, evaluate(FixedLibrary(), [replace(query, query_id=n) for n, query in enumerate(QUERIES)]))


def test_p_values_of_several_comparisons_are_raised_as_holm_says() -> None:
    # His own scheme, by hand: the least times 3, the next times 2, and none below one before it.
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_questions_are_ordered_by_how_much_they_rose() -> None:
    found = question_differences(evaluation([5, 9, 8, 4]), evaluation([6, 7, 8, 9]), "MR-full-mIoU")
    assert [(one.query_id, other.query_id) for one, other, _ in found] == [(3, 3), (0, 0), (2, 2), (1, 1)]
    assert [rise for *_, rise in found] == pytest.approx([0.5, 0.1, 0.0, -0.2])


def test_questions_without_the_metric_are_left_out() -> None:
    assert question_differences(evaluation([5]), evaluation([6]), "no-such-metric") == []
