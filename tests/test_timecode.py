from __future__ import annotations

import pytest

from pipeline.timecode import format_seconds


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.0, "0:00.000"), (75.5, "1:15.500"), (3600.0, "1:00:00.000"), (2.0**53, "2501999792983:36:32.000")],
)
def test_seconds_as_a_clock_shows_them(seconds: float, shown: str) -> None:
    assert format_seconds(seconds) == shown


def test_no_number_of_seconds_is_too_large_to_be_shown() -> None:
    assert len(format_seconds(1.7e308)) > 300


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_what_is_no_time_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="finite and not negative"):
        format_seconds(seconds)
