from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from pipeline.execution.prefetch import prefetched


def test_items_come_in_their_order() -> None:
    assert list(prefetched(range(100), ahead=3)) == list(range(100))
    assert list(prefetched([], ahead=1)) == []


def test_an_error_comes_where_it_was_raised() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise KeyError("here")

    items = prefetched(failing(), ahead=2)
    assert next(items) == 1
    with pytest.raises(KeyError, match="here"):
        next(items)


def test_no_more_are_made_than_wanted_ahead() -> None:
    made = []

    def counting() -> Iterator[int]:
        for number in range(50):
            made.append(number)
            yield number

    items = prefetched(counting(), ahead=2)
    next(items)
    time.sleep(0.2)
    assert len(made) <= 4
    items.close()


def test_closing_ends_the_thread_and_the_items() -> None:
    has_ended = threading.Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            has_ended.set()

    items = prefetched(endless(), ahead=1)
    next(items)
    items.close()
    assert has_ended.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_the_next_item_is_made_while_the_last_is_used() -> None:
    begun = [threading.Event() for _ in range(5)]

    def making() -> Iterator[int]:
        for number, event in enumerate(begun):
            event.set()
            yield number

    for number in prefetched(making(), ahead=1):
        # Nobody asks for the next one before this one is used.
        assert all(event.wait(60) for event in begun[number + 1 : number + 2])
