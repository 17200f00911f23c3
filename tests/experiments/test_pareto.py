from __future__ import annotations

from pipeline.experiments.results import pareto_front


def test_what_costs_more_and_is_no_better_is_left_out() -> None:
    assert pareto_front({"a": (50, 1), "b": (50, 2), "c": (60, 3), "d": (55, 4)}) == {"a", "c"}


def test_what_is_better_at_the_same_cost_beats() -> None:
    assert pareto_front({"a": (50, 1), "b": (60, 1)}) == {"b"}


def test_equals_do_not_beat_each_other() -> None:
    assert pareto_front({"a": (50, 1), "b": (50, 1)}) == {"a", "b"}
