from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.timecode import format_seconds, grid_time, next_grid_number, parse_seconds

NTSC = Fraction(30_000, 1001)
RATES = st.sampled_from([Fraction(1), Fraction(25), NTSC, Fraction(24_000, 1001), Fraction(1, 3), Fraction(5, 2)])
TIMES = st.fractions(min_value=-100, max_value=10**6, max_denominator=90_000)


@given(time=TIMES, rate=RATES, start=st.sampled_from([Fraction(0), Fraction(7, 3), Fraction(-2)]))
@settings(max_examples=40, deadline=None)
def test_the_next_point_is_the_first_at_or_after_a_time(time: Fraction, rate: Fraction, start: Fraction) -> None:
    number = next_grid_number(time, rate, start)
    assert number >= 0
    assert grid_time(number, rate, start) >= time
    assert number == 0 or grid_time(number - 1, rate, start) < time


@given(number=st.integers(0, 10**7), rate=RATES, start=st.sampled_from([Fraction(0), Fraction(7, 3)]))
@settings(max_examples=30, deadline=None)
def test_a_time_on_a_point_is_that_point(number: int, rate: Fraction, start: Fraction) -> None:
    time = grid_time(number, rate, start)
    assert next_grid_number(time, rate, start) == number
    assert next_grid_number(time + Fraction(1, 10**9), rate, start) == number + 1


def test_without_a_start_a_grid_begins_at_zero() -> None:
    assert (grid_time(0, NTSC), grid_time(3, Fraction(2)), grid_time(3, Fraction(2), Fraction(1))) == (0, 1.5, 2.5)
    assert (next_grid_number(Fraction(0), NTSC), next_grid_number(Fraction(-5), NTSC)) == (0, 0)


def test_an_hour_at_29_97_frames_a_second_is_counted_without_drift() -> None:
    # Drop-frame timecode leaves out 108 of 108 000 numbers an hour: frame 107 892 is the first of the second hour.
    assert grid_time(107_892, NTSC) == Fraction(107_892 * 1001, 30_000)
    assert format_seconds(float(grid_time(107_892, NTSC))) == "59:59.996"
    assert next_grid_number(Fraction(3600), NTSC) == 107_893
    assert grid_time(107_892 * 24, NTSC) == Fraction(107_892 * 24 * 1001, 30_000)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "0:00.000"),
        (0.0004, "0:00.000"),
        (0.0006, "0:00.001"),
        (9.999, "0:09.999"),
        (59.9994, "0:59.999"),
        (59.9996, "1:00.000"),
        (60.0, "1:00.000"),
        (75.5, "1:15.500"),
        (3599.9994, "59:59.999"),
        (3599.9996, "1:00:00.000"),
        (3600.0, "1:00:00.000"),
        (3661.001, "1:01:01.001"),
        (36_000.0, "10:00:00.000"),
        (2.0**53, "2501999792983:36:32.000"),
        (2.0**53 + 2, "2501999792983:36:34.000"),
    ],
)
def test_seconds_as_a_clock_shows_them(seconds: float, shown: str) -> None:
    assert format_seconds(seconds) == shown


def test_no_number_of_seconds_is_too_large_to_be_shown() -> None:
    assert len(format_seconds(1.7e308)) > 300


@pytest.mark.parametrize("seconds", [-1.0, -5e-324, float("nan"), float("inf"), float("-inf")])
def test_what_is_no_time_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="finite and not negative"):
        format_seconds(seconds)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("75.5", 75.5),
        ("600", 600.0),
        ("1:15.5", 75.5),
        ("01:15.5", 75.5),
        (" 1:15.5\n", 75.5),
        ("59:59.999", 3599.999),
        ("0:01:15.5", 75.5),
        ("2:03:04.25", 7384.25),
        ("100:59:59", 363_599.0),
        ("75:00", 4500.0),
        ("99:00", 5940.0),
        ("0:0", 0.0),
    ],
)
def test_times_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "write seconds"),
        ("abc", "write seconds"),
        ("-1", "write seconds"),
        ("1.", "write seconds"),
        (".5", "write seconds"),
        ("1:2:3:4", "write seconds"),
        ("100:00", "write seconds"),
        ("1:100:00", "write seconds"),
        ("1:60", "must be below 60"),
        ("1:60.0", "must be below 60"),
        ("0:00:60", "must be below 60"),
        ("1:60:00", "must be below 60"),
        ("9" * 400, "a number of 400 characters"),
    ],
)
def test_what_is_no_clock_time_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_seconds(text)


@given(milliseconds=st.integers(0, 10**9))
@settings(max_examples=40, deadline=None)
def test_what_is_shown_is_read_as_the_same_time(milliseconds: int) -> None:
    shown = format_seconds(milliseconds / 1000)
    assert parse_seconds(shown) == pytest.approx(milliseconds / 1000, abs=1e-9)
