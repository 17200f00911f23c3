"""When cuts are known, what counts as a shot, a pause or a flash: at the bounds of each."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from synthetic_films import film, shot

from pipeline.sampling import CutDetection
from pipeline.sampling.shots.detector import FRAMES_BEHIND, Cut, _is_apart, _is_blank, _Slot, adaptive_threshold


@pytest.mark.parametrize(
    ("rate", "frames_later"), [(10, 3), (25, 3), (30, 3), (60, 6), (120, 11), (600, FRAMES_BEHIND)]
)
def test_a_cut_is_known_three_frames_and_nine_hundredths_of_a_second_later(rate: int, frames_later: int) -> None:
    pictures = [*shot(1, 90), *shot(2, 40)]
    frames = film(pictures, [Fraction(number, rate) for number in range(len(pictures))])
    one_pass = CutDetection(min_shot_seconds=0.0).begin()
    known = [(frame.number, cut) for frame in frames for cut in one_pass.feed(frame)]
    assert known == [(90 + frames_later, Fraction(90, rate))]
    assert one_pass.undecided_since > frames[90].time


@pytest.mark.parametrize(
    ("start", "least", "after_blank", "is_shot"),
    [
        ("0.4", "0.6", False, True),
        ("0.401", "0.6", False, False),
        ("0.8", "0.6", True, True),
        ("0.801", "0.6", True, False),
        # Where shots may be shorter than a pause, so may pauses.
        ("0.9", "0.1", True, True),
        ("0.901", "0.1", True, False),
        ("1", "0", False, True),
    ],
)
def test_a_shot_lasts_for_the_least_time_and_a_pause_for_a_fifth_of_a_second(
    start: str, least: str, after_blank: bool, is_shot: bool
) -> None:
    assert Cut(Fraction(1), after_blank).ends_shot(Fraction(start), Fraction(least)) == is_shot


@pytest.mark.parametrize(
    ("slots", "hundredths", "is_over"),
    [(3, "9", True), (3, "8.9", False), (2, "50", False), (4, "9", True), (3, "12", True)],
)
def test_a_flash_is_over_after_three_slots_and_nine_hundredths_of_a_second(
    slots: int, hundredths: str, is_over: bool
) -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    first = _Slot(7, Fraction(1), picture)
    assert _is_apart(first, _Slot(7 + slots, 1 + Fraction(hundredths) / 100, picture)) == is_over


def test_a_picture_that_shows_nothing_differs_by_less_than_four_levels() -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[0] = 8
    assert not _is_blank(picture)
    picture[0] = 7
    assert _is_blank(picture)


def test_a_threshold_that_is_not_given_is_the_detectors() -> None:
    assert adaptive_threshold(CutDetection()) == 2.5
    assert adaptive_threshold(CutDetection(threshold=0.5)) == 0.5


def test_nothing_is_found_where_nothing_was_fed() -> None:
    one_pass = CutDetection().begin()
    assert (one_pass.finish(), one_pass.cuts, one_pass.found) == ((), (), ())


@pytest.mark.parametrize("detector", ["adaptive", "content"])
def test_the_first_frame_has_the_colours_of_those_that_follow(detector: str) -> None:
    picture = np.zeros((36, 64, 3), np.uint8)
    picture[:, :, 0], picture[10:20, 10:30, 0] = 230, 120
    one_pass = CutDetection.model_validate({"detector": detector, "min_shot_seconds": 0.0}).begin()
    for frame in film([picture] * 20):
        one_pass.feed(frame)
    one_pass.finish()
    assert one_pass.cuts == ()
