"""One moment after another."""

from __future__ import annotations

import numpy as np

from pipeline.search.localization import Span
from pipeline.search.sequences import chains


def test_chains_take_the_strongest_then_the_nearest_and_share_no_span() -> None:
    first = [Span(0, 2, 1, 5.0), Span(6, 8, 7, 5.0), Span(20, 22, 21, 1.0)]
    second = [Span(10, 12, 11, 3.0), Span(30, 31, 30, 9.0)]
    found = chains([first, second], [20.0])
    starts = [[span.start_seconds for span in chain.spans] for chain in found]
    assert starts == [[6, 10], [20, 30]]
    assert [chain.score for chain in found] == [3.0, 1.0]


def test_a_chain_takes_no_span_from_what_the_rest_can_make() -> None:
    first = [Span(0, 2, 1, 4.0), Span(20, 22, 21, 3.0)]
    second = [Span(10, 12, 11, 4.0), Span(30, 32, 31, 4.0)]
    found = chains([first, second], [60.0])
    assert [[span.start_seconds for span in chain.spans] for chain in found] == [[0, 10], [20, 30]]


def test_chains_are_the_best_one_after_another() -> None:
    """Against a search of all pairs."""
    rng = np.random.default_rng(7)
    for _ in range(50):
        starts = np.sort(rng.uniform(0, 200, (2, 12)), axis=1)
        steps = [[Span(s, s + 4, s, float(score)) for s, score in zip(row, rng.normal(3, 2, 12), strict=True)]
                 for row in starts]  # fmt: skip
        left = {(a, b) for a in steps[0] for b in steps[1] if a.start_seconds < b.start_seconds <= a.end_seconds + 30}
        expected = []
        while left:
            best = max(
                left, key=lambda p: (min(p[0].score, p[1].score, 5.0), -max(0, p[1].start_seconds - p[0].end_seconds))
            )
            expected.append(best)
            left = {pair for pair in left if pair[0] != best[0] and pair[1] != best[1]}
        assert {chain.spans for chain in chains(steps, [30.0])} == set(expected)


def test_of_certain_chains_the_one_with_the_shortest_wait_is_taken() -> None:
    (chain,) = chains([[Span(0, 2, 1, 12.0), Span(6, 8, 7, 9.0)], [Span(10, 12, 11, 30.0)]], [20.0])
    assert chain.spans[0].start_seconds == 6


def test_a_step_must_begin_and_end_later_than_the_one_before() -> None:
    assert chains([[Span(0, 10, 5, 1.0)], [Span(2, 8, 5, 1.0)]], [60.0]) == []
    assert len(chains([[Span(0, 10, 5, 1.0)], [Span(8, 12, 9, 1.0)]], [60.0])) == 1
