"""Which cuts are kept of those that were found."""

from __future__ import annotations

from fractions import Fraction

import pytest

from pipeline.sampling.shots.detector import Cut
from pipeline.sampling.shots.search import _spaced


@pytest.mark.parametrize(
    ("tenths", "least", "kept"),
    [
        ((6, 12, 18), 6, [6, 12, 18]),
        ((5, 6, 11, 12), 6, [6, 12]),
        # A cut is measured from the last one that was kept.
        ((6, 10, 12, 17, 18), 6, [6, 12, 18]),
        ((0, 1, 2), 0, [0, 1, 2]),
        ((), 6, []),
    ],
)
def test_cuts_keep_the_least_distance(tenths: tuple[int, ...], least: int, kept: list[int]) -> None:
    cuts = [Cut(Fraction(tenth, 10), follows_blank=False) for tenth in tenths]
    assert _spaced(cuts, Fraction(least, 10)) == tuple(Fraction(tenth, 10) for tenth in kept)


def test_a_pause_may_be_shorter_than_a_shot() -> None:
    cuts = [Cut(Fraction(1), follows_blank=False), Cut(Fraction(6, 5), follows_blank=True)]
    assert _spaced(cuts, Fraction(3, 5)) == (1, Fraction(6, 5))
