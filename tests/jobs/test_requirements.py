from __future__ import annotations

from importlib.metadata import version

from jobs.requirements import missing


def test_missing_finds_nothing_where_all_is_met():
    assert list(missing(["click>=8", "numpy", "none-such; platform_system == 'Plan9'", "x; extra == 'dev'"])) == []


def test_missing_says_what_is_there_and_what_is_needed():
    assert list(missing(["none-such>=2", "click>=99"])) == [
        "none-such: not installed, and >=2 is needed",
        f"click: {version('click')} is installed, and >=99 is needed",
    ]
