"""docs/design/architecture.md: its table of packages is complete, and its two trips lead through few files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "design" / "architecture.md"
PIPELINE = PAGE.parents[2] / "pipeline"
ROOM = re.compile(r"^\| `pipeline/(\w+)/` \| (.*) \|$", re.MULTILINE)
STEP = re.compile(r"^(\d+)\. `(pipeline/[\w/]+\.py)`: ", re.MULTILINE)


def test_each_package_has_a_row() -> None:
    packages = {path.parent.name for path in PIPELINE.glob("*/__init__.py")}
    # Value types share a row with other small modules.
    assert packages - {package for package, _ in ROOM.findall(PAGE.read_text(encoding="utf-8"))} == {"types"}


def test_each_module_that_a_row_names_is_in_its_package() -> None:
    unknown = [
        f"{package}: {name}"
        for package, text in ROOM.findall(PAGE.read_text(encoding="utf-8"))
        for name in re.findall(r"`([a-z_]+)/?`", text)
        if not any((PIPELINE / package).rglob(name)) and not any((PIPELINE / package).rglob(f"{name}.py"))
    ]
    assert unknown == []


@pytest.mark.parametrize(
    ("trip", "most_files"), [("From a URI to a row of the index", 29), ("From a text to a moment", 24)]
)
def test_a_trip_is_short(trip: str, most_files: int) -> None:
    text = PAGE.read_text(encoding="utf-8").partition(f"**{trip}**")[2].partition("**")[0]
    steps = STEP.findall(text)
    assert [int(number) for number, _ in steps] == list(range(1, len(steps) + 1))
    assert 10 < len(steps) == len({file for _, file in steps}) <= most_files
