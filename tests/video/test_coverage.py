from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given as given_examples
from hypothesis import settings
from hypothesis import strategies as st

from pipeline.video.coverage import Coverage

TENTH = Fraction(1, 10)


def given(coverage: Coverage, *tenths: int) -> Coverage:
    for tenth in tenths:
        coverage.give(tenth * TENTH, TENTH)
    return coverage


def test_an_empty_pass_covers_nothing() -> None:
    coverage = Coverage(TENTH)
    assert (coverage.is_empty, coverage.covered_seconds, coverage.end_time, coverage.damage) == (True, 0.0, 0, ())


def test_a_long_frame_covers_its_time_on_screen() -> None:
    coverage = given(Coverage(TENTH), 0, 1, 30)
    assert coverage.covered_seconds == pytest.approx(3.1)
    assert coverage.end_time == Fraction(31, 10)


def test_a_gap_where_something_was_lost_is_not_covered() -> None:
    coverage = Coverage(TENTH)
    coverage.lose("a picture cannot be decoded", Fraction(2))
    given(coverage, 0, 1, 30)
    assert coverage.covered_seconds == pytest.approx(0.3)
    assert coverage.end_time == Fraction(31, 10)


def test_a_loss_at_an_unknown_time_is_in_the_next_gap() -> None:
    coverage = given(Coverage(TENTH), 0)
    coverage.lose("the file cannot be read on", None)
    given(coverage, 20, 21)
    assert coverage.covered_seconds == pytest.approx(0.3)


def test_faults_that_follow_each_other_are_one_sentence() -> None:
    coverage = Coverage(TENTH)
    for tenth in (10, 11, 9):
        coverage.lose("a picture cannot be decoded", tenth * TENTH, "bad data")
    coverage.lose("a picture cannot be decoded", Fraction(60), "bad data")
    coverage.note("the data is damaged", None)
    assert coverage.damage == (
        "from 0.900 s to 1.100 s, a picture cannot be decoded (3 times): bad data",
        "at 60.000 s, a picture cannot be decoded: bad data",
        "at an unknown time, the data is damaged",
    )


def test_notes_are_bounded() -> None:
    coverage = Coverage(TENTH)
    for second in range(0, 4000, 2):
        coverage.lose("a picture cannot be decoded", Fraction(second))
    assert len(coverage.damage) == 51
    assert coverage.damage[-1] == "1950 more faults"


def test_an_early_end_is_noted_and_a_tiny_one_is_not() -> None:
    coverage = given(Coverage(TENTH), *range(32))
    coverage.check_end(Fraction(35, 10))
    assert coverage.damage == ()
    coverage.check_end(Fraction(10))
    assert coverage.damage == ("it ends at 3.200 s, but its container states 10.000 s",)


@pytest.mark.parametrize(("nominal", "expected"), [(Fraction(1, 8), Fraction(1, 8)), (None, Fraction(1, 25))])
def test_a_frame_without_a_duration_is_shown_as_long_as_usual(nominal: Fraction | None, expected: Fraction) -> None:
    coverage = Coverage(nominal)
    coverage.give(Fraction(0), None)
    assert coverage.end_time == expected


def test_skipped_frames_behind_the_last_one_count() -> None:
    coverage = given(Coverage(TENTH), 0)
    coverage.lasts_until(Fraction(5))
    assert (coverage.end_time, coverage.covered_seconds) == (5, 5.0)


def test_an_unknown_loss_is_in_one_gap_and_not_in_the_next() -> None:
    coverage = given(Coverage(TENTH), 0)
    coverage.lose("the file cannot be read on", None)
    # A gap of 2 s, which holds the loss; a frame that is shown for 3 s.
    given(coverage, 20, 21, 51)
    assert coverage.covered_seconds == pytest.approx(0.1 + 0.1 + 3.0 + 0.1)


def test_two_unknown_losses_are_in_two_gaps() -> None:
    coverage = given(Coverage(TENTH), 0)
    for tenth in (20, 50):
        coverage.lose("the file cannot be read on", None)
        given(coverage, tenth)
    assert coverage.covered_seconds == pytest.approx(0.3)


def test_read_errors_apart_are_two_losses_and_two_gaps() -> None:
    coverage = given(Coverage(TENTH), 0)
    coverage.lose("the file cannot be read on", TENTH, "input/output error")
    given(coverage, 20)
    coverage.lose("the file cannot be read on", Fraction(21, 10), "input/output error")
    given(coverage, 50, 51)
    assert coverage.covered_seconds == pytest.approx(0.4)
    assert coverage.damage == (
        "at 0.100 s, the file cannot be read on: input/output error",
        "at 2.100 s, the file cannot be read on: input/output error",
    )


@pytest.mark.parametrize(("tenth", "is_missing"), [(9, False), (10, False), (11, True), (19, True), (20, False)])
def test_a_loss_is_missing_between_two_frames_and_not_at_their_own_times(tenth: int, is_missing: bool) -> None:
    coverage = Coverage(TENTH)
    coverage.lose("a picture cannot be decoded", tenth * TENTH)
    given(coverage, 9, 10, 20, 40)
    # The frame at 2 s lasts for 2 s, and what was lost at its own time is no part of that.
    assert coverage.covered_seconds == pytest.approx(0.1 + (0.1 if is_missing else 1.0) + 2.0 + 0.1)


def test_losses_of_one_time_are_in_one_gap() -> None:
    coverage = Coverage(TENTH)
    for _ in range(3):
        coverage.lose("a picture cannot be decoded", Fraction(1))
    given(coverage, 0, 20, 40)
    assert coverage.covered_seconds == pytest.approx(0.1 + 2.0 + 0.1)
    assert coverage.damage == ("at 1.000 s, a picture cannot be decoded (3 times)",)


def test_losses_are_told_in_any_order() -> None:
    coverage = Coverage(TENTH)
    for second in (5, 1, 3):
        coverage.lose("a picture cannot be decoded", Fraction(second))
    given(coverage, 0, 20, 40, 60, 80)
    assert coverage.covered_seconds == pytest.approx(3 * 0.1 + 2.0 + 0.1)


def test_a_gap_shorter_than_a_frame_covers_no_more_than_itself() -> None:
    coverage = Coverage(TENTH)
    coverage.lose("a picture cannot be decoded", Fraction(1, 20))
    coverage.give(Fraction(0), Fraction(5))
    coverage.give(TENTH, Fraction(1))
    assert coverage.covered_seconds == pytest.approx(1.1)


def test_losses_are_remembered_in_bounded_memory() -> None:
    coverage = Coverage(TENTH)
    for second in range(1002):
        coverage.lose("a picture cannot be decoded", Fraction(2 * second + 1))
    given(coverage, 1, *range(20, 20 * 1003, 20))
    # Each of the first 1000 gaps holds a loss; of the two others it is not known any more.
    assert coverage.covered_seconds == pytest.approx(1000 * 0.1 + 2 * 2.0 + 0.1)


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [(Fraction(5), Fraction(6), 1), (Fraction(6), Fraction(5), 1), (Fraction(5), Fraction(6001, 1000), 2)],
)
def test_faults_a_second_apart_follow_each_other(first: Fraction, second: Fraction, count: int) -> None:
    coverage = Coverage(TENTH)
    coverage.note("the data is damaged", first)
    coverage.note("the data is damaged", second)
    assert len(coverage.damage) == count


def test_a_run_of_faults_goes_on_from_its_last_one() -> None:
    coverage = Coverage(TENTH)
    for tenth in (0, 8, 16, 24):
        coverage.note("the data is damaged", tenth * TENTH)
    assert coverage.damage == ("from 0.000 s to 2.400 s, the data is damaged (4 times)",)


def test_faults_of_another_kind_or_reason_are_sentences_of_their_own() -> None:
    coverage = Coverage(TENTH)
    coverage.lose("a picture cannot be decoded", Fraction(1), "bad data")
    coverage.lose("a picture cannot be decoded", Fraction(1), "no memory")
    coverage.note("the data is damaged", Fraction(1), "no memory")
    assert len(coverage.damage) == 3


def test_a_fault_without_a_time_joins_the_run_and_leaves_its_times() -> None:
    coverage = Coverage(TENTH)
    coverage.note("the data is damaged", None)
    coverage.note("the data is damaged", Fraction(7))
    coverage.note("the data is damaged", None)
    coverage.note("the data is damaged", Fraction(13, 2))
    assert coverage.damage == ("from 6.500 s to 7.000 s, the data is damaged (4 times)",)


def test_fifty_kinds_of_faults_are_listed() -> None:
    coverage = Coverage(TENTH)
    for number in range(50):
        coverage.note(f"fault {number}", Fraction(0))
    assert len(coverage.damage) == 50
    coverage.note("another", Fraction(0))
    assert coverage.damage[50:] == ("1 more faults",)


def test_damage_that_is_going_to_be_met_again_is_forgotten() -> None:
    coverage = given(Coverage(TENTH), *range(32))
    for number in range(60):
        coverage.lose(f"fault {number}", Fraction(number))
    coverage.lose("the file cannot be read on", None)
    coverage.check_end(Fraction(10))
    coverage.forget_damage()
    assert coverage.damage == ()
    given(coverage, 60)
    assert coverage.covered_seconds == pytest.approx(6.1)


@pytest.mark.parametrize(
    ("nominal", "tolerated"),
    [
        (Fraction(1, 25), Fraction(1, 4)),
        (Fraction(1, 12), Fraction(1, 4)),
        (Fraction(1, 10), Fraction(3, 10)),
        (None, Fraction(1, 4)),
    ],
)
def test_an_end_may_be_early_by_a_quarter_of_a_second_or_three_frames(
    nominal: Fraction | None, tolerated: Fraction
) -> None:
    coverage = Coverage(nominal)
    coverage.give(Fraction(0), Fraction(3))
    coverage.check_end(3 + tolerated)
    assert coverage.damage == ()
    coverage.check_end(3 + tolerated + Fraction(1, 1000))
    assert coverage.damage == (f"it ends at 3.000 s, but its container states {float(3 + tolerated) + 0.001:.3f} s",)


def test_what_else_was_read_of_a_file_counts_for_its_end() -> None:
    coverage = given(Coverage(TENTH), *range(32))
    coverage.check_end(Fraction(10), Fraction(10))
    assert coverage.damage == ()
    coverage.check_end(Fraction(10), Fraction(5))
    assert coverage.damage == ("it ends at 5.000 s, but its container states 10.000 s",)


def test_without_other_streams_the_pictures_alone_reach_the_stated_end() -> None:
    coverage = given(Coverage(TENTH), 0, 1)
    coverage.check_end(Fraction(1))
    assert coverage.damage == ("it ends at 0.200 s, but its container states 1.000 s",)


def test_an_end_is_expected_only_where_a_frame_came_and_the_container_says_one() -> None:
    empty = Coverage(TENTH)
    empty.check_end(Fraction(10))
    assert empty.damage == ()
    coverage = given(Coverage(TENTH), 0)
    coverage.check_end(None)
    assert coverage.damage == ()
    assert not coverage.is_empty


def test_a_frame_lasts_as_its_container_says_or_as_usual_or_as_the_one_before() -> None:
    coverage = Coverage(TENTH)
    coverage.give(Fraction(0), Fraction(2))
    assert coverage.end_time == 2
    for duration in (None, Fraction(0), Fraction(-1)):
        coverage.give(coverage.end_time, duration)
        assert coverage.end_time == 2 + TENTH * (1 if duration is None else 2 if duration == 0 else 3)


def test_without_a_usual_duration_a_frame_lasts_as_long_as_the_last_step() -> None:
    coverage = Coverage(None)
    coverage.give(Fraction(1), None)
    coverage.give(Fraction(3), None)
    assert coverage.end_time == 5
    # The step over a gap says nothing: the frame before it does.
    coverage.lose("a picture cannot be decoded", Fraction(4))
    coverage.give(Fraction(10), None)
    assert coverage.end_time == 12


def test_what_is_skipped_reaches_no_further_back_than_what_is_given_out() -> None:
    coverage = given(Coverage(TENTH), 0)
    coverage.lasts_until(Fraction(5))
    coverage.lasts_until(Fraction(3))
    assert coverage.end_time == 5
    given(coverage, 60)
    assert coverage.end_time == Fraction(61, 10)


@given_examples(
    tenths=st.lists(st.integers(0, 60), min_size=1, max_size=12, unique=True).map(sorted),
    lost=st.lists(st.integers(0, 60), max_size=8),
)
@settings(max_examples=60, deadline=None)
def test_a_step_is_covered_unless_something_was_lost_in_it(tenths: list[int], lost: list[int]) -> None:
    coverage = Coverage(TENTH)
    for tenth in lost:
        coverage.lose("a picture cannot be decoded", tenth * TENTH)
    given(coverage, *tenths)
    expected = sum(
        1 if any(before < tenth < after for tenth in lost) else after - before for before, after in pairwise(tenths)
    )
    assert coverage.covered_seconds == pytest.approx((expected + 1) / 10)
