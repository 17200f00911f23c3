"""Groups that keep neighbours together, and the threshold that divides yes from no."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.analyze.concepts.cross_validation import balanced_threshold, example_groups, judge
from pipeline.analyze.concepts.examples import Example
from pipeline.analyze.concepts.linear_probe import LinearProbe
from pipeline.analyze.marks import Mark, Verdict


def example(video_id: str, at: float, axis: int, *, yes: bool = True) -> Example:
    vector = np.zeros(64, np.float32)
    vector[axis] = 1
    return Example(Mark(video_id, at, at, "x", Verdict.YES if yes else Verdict.NO), vector[None])


def test_marks_near_in_time_or_of_the_same_picture_are_one_group() -> None:
    examples = [
        example("a", 0, 0),
        example("a", 9, 1),
        example("a", 18, 2),
        example("a", 60, 3),
        example("b", 0, 4),
        example("c", 0, 4),
        example("c", 8, 5),
    ]
    groups = example_groups(examples)
    assert groups[0] == groups[1] == groups[2]
    assert groups[4] == groups[5] == groups[6]
    assert len(set(groups.tolist())) == 3


def test_neighbours_of_the_other_verdict_are_another_group() -> None:
    groups = example_groups([example("a", 0, 0), example("a", 1, 0, yes=False), example("a", 2, 0)])
    assert groups[0] == groups[2] != groups[1]


@pytest.mark.parametrize(
    ("yes", "no", "expected"),
    [
        ([2, 3, 4], [-1, -2], 0.0),
        ([2, 3, 4], [0.0, -2], 0.5),
        ([5, 6], [1, 3], 3.5),
        ([-4, -3], [-8, -6], -4.5),
        ([-1, 5, 6], [-2, -3, 4], -1.25),
    ],
)
def test_the_threshold_is_the_starts_own_where_that_divides_best(
    yes: list[float], no: list[float], expected: float
) -> None:
    log_odds = np.asarray([*yes, *no], np.float64)
    found = balanced_threshold(log_odds, np.arange(len(log_odds)) < len(yes))
    assert found == pytest.approx(expected)


def test_neighbours_do_not_judge_one_another() -> None:
    # Each group has a direction of its own: what is learned of one says nothing of the others.
    examples = [example(name, at, axis, yes=axis < 4) for axis, name in enumerate("abcdefgh") for at in (0, 1, 2)]

    def fit(known: object) -> LinearProbe:
        weights = np.full(64, -1.0)
        for one in known:  # type: ignore[attr-defined]
            weights[one.vectors[0].argmax()] = 5.0 if one.is_shown else -5.0
        return LinearProbe(weights, 0.0)

    groups = example_groups(examples)
    assert len(set(groups.tolist())) == 8
    honest = judge(examples, groups, fit)
    leaking = judge(examples, np.arange(len(examples)), fit)
    assert (leaking.precision, leaking.recall) == (1.0, 1.0)
    assert honest.recall < 0.6 or (honest.precision or 0) < 0.6
