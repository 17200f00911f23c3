"""Which spans follow each other: waits that are just long enough, ties, and what certainty makes equal."""

from __future__ import annotations

import pytest

from pipeline.search import sequences
from pipeline.search.localization import Span
from pipeline.search.sequences import Chain, chains


def span(start: float, end: float, score: float = 1.0) -> Span:
    return Span(start, end, start, score)


def starts(found: list[Chain]) -> list[tuple[float, ...]]:
    return [tuple(each.start_seconds for each in chain.spans) for chain in found]


@pytest.mark.parametrize(
    ("start", "follows"), [(12.0, True), (12.000001, False), (2.0, True), (1.0, True), (0.0, False)]
)
def test_the_wait_is_from_the_end_to_the_start_and_at_most_what_is_allowed(start: float, follows: bool) -> None:
    """From 2 s, ten seconds are allowed; a step that runs into the one before must begin later."""
    assert bool(chains([[span(0, 2)], [span(start, 20)]], [10.0])) == follows


@pytest.mark.parametrize(("end", "follows"), [(10.000001, True), (10.0, False), (9.0, False)])
def test_a_step_that_runs_into_the_one_before_must_end_later(end: float, follows: bool) -> None:
    assert bool(chains([[span(0, 10)], [span(4, end)]], [10.0])) == follows


def test_each_step_has_its_own_wait() -> None:
    steps = [[span(0, 1)], [span(5, 6)], [span(26, 27)]]
    assert starts(chains(steps, [4.0, 20.0])) == [(0, 5, 26)]
    assert chains(steps, [4.0, 19.9]) == []
    assert chains(steps, [3.9, 20.0]) == []


def test_a_chain_is_as_strong_as_its_weakest_span_whichever_that_is() -> None:
    for scores in ((1.0, 2.0, 3.0), (2.0, 1.0, 3.0), (3.0, 2.0, 1.0)):
        steps = [[span(10.0 * number, 10.0 * number + 1, score)] for number, score in enumerate(scores)]
        (chain,) = chains(steps, [60.0, 60.0])
        assert chain.score == 1.0


def test_the_strongest_is_taken_over_the_nearest() -> None:
    assert starts(chains([[span(0, 1, 3.0), span(8, 9, 2.0)], [span(10, 11, 4.0)]], [60.0])) == [(0, 10)]


def test_of_equally_strong_ones_the_shortest_wait_in_all_is_taken() -> None:
    """The first step decides nothing by itself: the waits of all steps are added."""
    steps = [[span(0, 1), span(4, 5)], [span(6, 7), span(15, 16)], [span(20, 21)]]
    assert starts(chains(steps, [60.0, 60.0])) == [(4, 6, 20)]
    near = [[span(0, 1, 1.0)], [span(2, 3, 4.0), span(18, 19, 4.0)], [span(20, 21, 4.0)]]
    assert starts(chains(near, [60.0, 60.0]))[0] == (0, 2, 20)


def test_overlapping_spans_have_no_wait_and_no_gain_by_it() -> None:
    """Both waits are nothing: the earlier one is taken, though the other runs further into the step behind it."""
    assert starts(chains([[span(0, 6), span(1, 9)], [span(5, 12)]], [60.0])) == [(0, 5)]


def test_of_equal_waits_the_earliest_is_taken() -> None:
    assert starts(chains([[span(0, 4), span(1, 4)], [span(10, 12)]], [60.0])) == [(0, 10)]


@pytest.mark.parametrize(("near", "taken"), [(5.0, 8.0), (7.0, 8.0), (4.999, 0.0)])
def test_spans_of_five_log_odds_or_more_are_equally_certain(near: float, taken: float) -> None:
    (chain,) = chains([[span(0, 1, 30.0), span(8, 9, near)], [span(10, 11, 30.0)]], [60.0])
    assert chain.spans[0].start_seconds == taken


def test_chains_are_listed_by_what_they_score_and_not_by_certainty() -> None:
    steps = [[span(0, 1, 6.0), span(100, 101, 9.0)], [span(10, 11, 6.0), span(110, 111, 9.0)]]
    assert [chain.score for chain in chains(steps, [20.0])] == [9.0, 6.0]


def test_of_equal_chains_the_one_that_starts_first_is_listed_first() -> None:
    steps = [[span(100, 101), span(0, 1)], [span(110, 111), span(10, 11)]]
    assert starts(chains(steps, [20.0])) == [(0, 10), (100, 110)]


def test_a_span_is_in_one_chain_only() -> None:
    steps = [[span(0, 1, 3.0), span(2, 3, 2.0)], [span(10, 11, 5.0)]]
    assert starts(chains(steps, [60.0])) == [(0, 10)]
    assert starts(chains(list(reversed([[span(0, 1, 3.0)], [span(10, 11, 5.0), span(20, 21, 4.0)]])), [60.0])) == []
    assert starts(chains([[span(0, 1, 3.0)], [span(10, 11, 2.0), span(20, 21, 4.0)]], [60.0])) == [(0, 20)]


def test_what_lost_its_partner_finds_another() -> None:
    """Both later spans are joined to the first at 8 s at first; the weaker one is joined anew, to that at 0 s."""
    steps = [[span(0, 1, 2.0), span(8, 9, 4.0)], [span(10, 11, 4.0), span(12, 13, 3.0)]]
    assert [
        (*pair, chain.score) for pair, chain in zip(starts(chains(steps, [60.0])), chains(steps, [60.0]), strict=True)
    ] == [
        (8, 10, 4.0),
        (0, 12, 2.0),
    ]


def test_weak_spans_make_chains_too() -> None:
    assert [chain.score for chain in chains([[span(0, 1, -9.0)], [span(5, 6, -3.0)]], [60.0])] == [-9.0]


def test_one_step_is_each_of_its_spans() -> None:
    assert starts(chains([[span(4, 5, 1.0), span(0, 1, 2.0)]], [])) == [(0,), (4,)]


@pytest.mark.parametrize("steps", [[[], [span(0, 1)]], [[span(0, 1)], []], [[], []], [[]]])
def test_a_step_that_nothing_answers_makes_no_chain(steps: list[list[Span]]) -> None:
    assert chains(steps, [60.0] * (len(steps) - 1)) == []


def test_of_very_many_spans_the_best_are_joined() -> None:
    assert sequences._MAX_SPANS_PER_STEP == 256
    many = [span(float(number), number + 0.5, 100.0 - number) for number in range(257)]
    assert len(chains([many], [])) == 256
    assert chains([many], [])[-1].score == 100.0 - 255
    equal = [span(float(number), number + 0.5) for number in reversed(range(257))]
    assert starts(chains([equal], []))[-1] == (255,)
