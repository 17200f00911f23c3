"""The threat table of docs/design/security.md names tests and modules that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent.parent
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (PROJECT / "docs" / "design" / "security.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| Threat")
]
TESTS = {path.name: path.read_text() for path in (PROJECT / "tests").rglob("test_*.py")}


def test_there_is_a_table():
    assert len(ROWS) > 20


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_each_threat_is_attacked(row):
    named = re.findall(r"`(test_[^`]+)`", row[3])
    assert named
    for name in named:
        assert name in TESTS if name.endswith(".py") else any(f"def {name}(" in text for text in TESTS.values()), name


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_each_promise_is_kept_by_a_file(row):
    for name in re.findall(r"`([^`]+\.(?:py|lock))`", row[2]):
        assert (PROJECT / "pipeline" / name).is_file() or (PROJECT / name).is_file(), name
