"""The two trips of docs/design/architecture.md stay short: few files have to be opened to follow the data."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "design" / "architecture.md"
STEP = re.compile(r"^(\d+)\. `(pipeline/[\w/]+\.py)`: ", re.MULTILINE)


@pytest.mark.parametrize(
    ("trip", "most_files"), [("From a URI to a row of the index", 29), ("From a text to a moment", 24)]
)
def test_a_trip_is_short(trip: str, most_files: int) -> None:
    text = PAGE.read_text(encoding="utf-8").partition(f"**{trip}**")[2].partition("**")[0]
    steps = STEP.findall(text)
    assert [int(number) for number, _ in steps] == list(range(1, len(steps) + 1))
    assert 10 < len(steps) == len({file for _, file in steps}) <= most_files
