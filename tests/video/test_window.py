from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import pytest

from pipeline.video.window import shown_within


@dataclass(frozen=True)
class Shown:
    time: Fraction
    duration: Fraction | None = None


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, [0, 2, 3, 7]),
        (0, 2, [0]),
        (1, 2, [0]),
        (1, 3, [0, 2]),
        (2, 3, [2]),
        (5, 6, [3]),
        (5, None, [3, 7]),
        (7, None, [7]),
        (8, None, [7]),
        (9, None, []),
        (4, 4, []),
        (None, 0, []),
        (-1, 1, [0]),
    ],
)
def test_a_window_holds_what_is_on_screen(start: int | None, end: int | None, expected: list[int]) -> None:
    frames = [Shown(Fraction(time)) for time in (0, 2, 3)] + [Shown(Fraction(7), Fraction(2))]
    first, last = (None if bound is None else Fraction(bound) for bound in (start, end))
    assert [frame.time for frame in shown_within(frames, first, last)] == expected
