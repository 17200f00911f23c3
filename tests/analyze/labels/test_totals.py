from __future__ import annotations

from datetime import datetime

import pytest

from pipeline.analyze.labels.totals import LabelCounter, LabelTotal, seconds_by_hour
from pipeline.analyze.labels.tracks import LabelInterval, LabelTrack


def track(label: str, *spans: tuple[float, float]) -> LabelTrack:
    return LabelTrack(label, tuple(LabelInterval(start, end, start, 0.9) for start, end in spans))


def test_totals_of_several_videos() -> None:
    counter = LabelCounter(["person", "car", "bus"])
    counter.add(None, 100.0, [track("person", (0, 10), (20, 40)), track("car")])
    counter.add(None, 100.0, [track("person", (0, 20)), track("car", (5, 6))])
    assert counter.totals(with_absent=True) == [
        LabelTotal(None, "person", 2, 3, 50.0, 0.25),
        LabelTotal(None, "car", 1, 1, 1.0, 0.005),
        LabelTotal(None, "bus", 0, 0, 0.0, 0.0),
    ]


def test_groups_are_in_order_and_what_has_none_is_last() -> None:
    counter = LabelCounter(["person"])
    for group in ("yard", None, "gate", "gate"):
        counter.add(group, 10.0, [track("person", (0, 5))])
    found = [(total.group, total.videos, total.share) for total in counter.totals(with_absent=False)]
    assert found == [("gate", 2, 0.5), ("yard", 1, 0.5), (None, 1, 0.5)]


def test_a_group_without_time_has_no_share() -> None:
    counter = LabelCounter(["person"])
    counter.add("a", 0.0, [track("person", (0, 0.1))])
    assert [total.share for total in counter.totals(with_absent=False)] == [0.0]


@pytest.mark.parametrize(
    ("begins", "start", "end", "expected"),
    [
        ("2026-11-20T08:30:00", 0, 60, {8: 60}),
        ("2026-11-20T08:59:30", 0, 60, {8: 30, 9: 30}),
        ("2026-11-20T23:30:00+01:00", 600, 3600, {23: 1200, 0: 1800}),
        ("2026-11-20T23:30:00", 3600, 3601.5, {0: 1.5}),
        ("2026-11-20T00:00:00", 0, 86_400, dict.fromkeys(range(24), 3600)),
        ("2026-11-20T12:30:00", 0, 2 * 86_400 + 3600, {**dict.fromkeys(range(24), 7200), 12: 9000, 13: 9000}),
        ("2026-11-20T12:30:00", 5, 5, {}),
    ],
)
def test_seconds_by_hour(begins: str, start: float, end: float, expected: dict[int, float]) -> None:
    found = dict(seconds_by_hour(datetime.fromisoformat(begins), start, end))
    assert found == pytest.approx(expected)
    assert sum(found.values()) == pytest.approx(end - start)


def test_by_hour_an_interval_counts_in_each_hour_and_is_shared_among_them() -> None:
    counter = LabelCounter(["person"])
    for _ in range(2):
        counter.add_by_hour(datetime(2026, 11, 20, 8, 30), 3600.0, [track("person", (1790, 1810), (3000, 3030))])
    assert counter.totals(with_absent=False) == [
        LabelTotal(8, "person", 2, 2, 20.0, 20 / 3600),
        LabelTotal(9, "person", 2, 4, 80.0, 80 / 3600),
    ]


def test_a_video_that_claims_to_last_for_ages_takes_no_time() -> None:
    counter = LabelCounter(["person"])
    counter.add_by_hour(datetime(2026, 11, 20), 2.0**50, [track("person", (0, 2.0**50))])
    assert len(counter.totals(with_absent=False)) == 24


def test_groups_of_any_name_are_ordered() -> None:
    counter = LabelCounter(["person"])
    for group in ("yard", None, "", "3"):
        counter.add(group, 10.0, [track("person", (0, 1))])
    assert [total.group for total in counter.totals(with_absent=False)] == ["", "3", "yard", None]
