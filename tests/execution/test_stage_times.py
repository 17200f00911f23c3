from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.execution.stage_times import Stopwatch, timed


@dataclass(frozen=True)
class Item:
    busy_seconds: float = 0.0
    waited_seconds: float = 0.0

    def timed(self, *, busy_seconds: float, waited_seconds: float) -> Item:
        return Item(busy_seconds, waited_seconds)


def test_timed_tells_work_from_waiting():
    @timed
    def work(count: int) -> Iterator[Item]:
        for _ in range(count):
            time.sleep(0.02)
            yield Item()

    items = []
    began = time.perf_counter()
    for item in work(3):
        items.append(item)
        time.sleep(0.1)
    passed = time.perf_counter() - began
    assert [item.busy_seconds >= 0.02 * number for number, item in enumerate(items, 1)] == [True] * 3
    assert items[0].waited_seconds == 0
    assert items[2].waited_seconds >= 0.2
    assert items[2].busy_seconds <= passed - 0.3


def test_timed_closes_what_it_wraps():
    ended = []

    @timed
    def work() -> Iterator[Item]:
        try:
            yield Item()
            yield Item()
        finally:
            ended.append(True)

    items = work()
    next(items)
    items.close()
    assert ended == [True]


def test_a_stopwatch_adds_up_also_what_failed():
    watch = Stopwatch()
    for _ in range(2):
        try:
            with watch:
                time.sleep(0.01)
                raise ValueError
        except ValueError:
            pass
    assert 0.02 <= watch.seconds < 5
