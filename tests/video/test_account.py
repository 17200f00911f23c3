from __future__ import annotations

from fractions import Fraction

import pytest

from pipeline.video.account import Account

TENTH = Fraction(1, 10)


def given(account: Account, *tenths: int) -> Account:
    for tenth in tenths:
        account.give(tenth * TENTH, TENTH)
    return account


def test_an_empty_account_covers_nothing() -> None:
    account = Account(TENTH)
    assert (account.is_empty, account.covered_seconds, account.end_time, account.damage) == (True, 0.0, 0, ())


def test_a_long_frame_covers_its_time_on_screen() -> None:
    account = given(Account(TENTH), 0, 1, 30)
    assert account.covered_seconds == pytest.approx(3.1)
    assert account.end_time == Fraction(31, 10)


def test_a_gap_where_something_was_lost_is_not_covered() -> None:
    account = Account(TENTH)
    account.lose("a picture cannot be decoded", Fraction(2))
    given(account, 0, 1, 30)
    assert account.covered_seconds == pytest.approx(0.3)
    assert account.end_time == Fraction(31, 10)


def test_a_loss_at_an_unknown_time_is_in_the_next_gap() -> None:
    account = given(Account(TENTH), 0)
    account.lose("the file cannot be read on", None)
    given(account, 20, 21)
    assert account.covered_seconds == pytest.approx(0.3)


def test_faults_that_follow_each_other_are_one_sentence() -> None:
    account = Account(TENTH)
    for tenth in (10, 11, 9):
        account.lose("a picture cannot be decoded", tenth * TENTH, "bad data")
    account.lose("a picture cannot be decoded", Fraction(60), "bad data")
    account.note("the data is damaged", None)
    assert account.damage == (
        "from 0.900 s to 1.100 s, a picture cannot be decoded (3 times): bad data",
        "at 60.000 s, a picture cannot be decoded: bad data",
        "at an unknown time, the data is damaged",
    )


def test_notes_are_bounded() -> None:
    account = Account(TENTH)
    for second in range(0, 4000, 2):
        account.lose("a picture cannot be decoded", Fraction(second))
    assert len(account.damage) == 51
    assert account.damage[-1] == "1950 faults more"


def test_an_early_end_is_noted_and_a_tiny_one_is_not() -> None:
    account = given(Account(TENTH), *range(32))
    account.check_end(Fraction(35, 10))
    assert account.damage == ()
    account.check_end(Fraction(10))
    assert account.damage == ("it ends at 3.200 s, its container says 10.000 s",)


@pytest.mark.parametrize(("nominal", "expected"), [(Fraction(1, 8), Fraction(1, 8)), (None, Fraction(1, 25))])
def test_a_frame_without_a_duration_is_shown_as_long_as_usual(nominal: Fraction | None, expected: Fraction) -> None:
    account = Account(nominal)
    account.give(Fraction(0), None)
    assert account.end_time == expected


def test_skipped_frames_behind_the_last_one_count() -> None:
    account = given(Account(TENTH), 0)
    account.lasts_until(Fraction(5))
    assert (account.end_time, account.covered_seconds) == (5, 5.0)
