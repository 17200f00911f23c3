"""Prefetch the items of an iterator in a thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import Generic, TypeVar, cast

__all__ = ["prefetched"]

T = TypeVar("T")


def prefetched(items: Iterable[T], *, ahead: int) -> Generator[T]:
    """Yield the items in order from a thread that produces at most `ahead` of them in advance.

    The thread begins with this call, not with the first item that is asked for.

    Decoders and models release Python's global lock while they compute, so that one thread decodes while another
    encodes. An exception of `items` is raised in its place in the order. Closing the generator ends the thread, and
    `items` if it is a generator, after the item in progress.
    """
    producer = _Producer(items, ahead)
    producer.start()
    results = _consumed(producer)
    # A generator that has not begun would not end the thread when it is closed.
    next(results)
    return cast("Generator[T]", results)


def _consumed(producer: _Producer[T]) -> Generator[T | None]:
    try:
        yield None
        yield from producer.results()
    finally:
        producer.stop()


class _Producer(threading.Thread, Generic[T]):
    def __init__(self, items: Iterable[T], ahead: int) -> None:
        super().__init__(name="prefetch", daemon=True)
        self._items = items
        self._results: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(maxsize=max(1, ahead))
        self._is_cancelled = threading.Event()

    def run(self) -> None:
        last: BaseException | None = None
        try:
            if isinstance(self._items, Generator):
                with closing(self._items):
                    self._produce()
            else:
                self._produce()
        except BaseException as error:  # noqa: BLE001 - raised again in the consuming thread
            last = error
        self._results.put(last)

    def results(self) -> Iterator[T]:
        while True:
            item = self._results.get()
            if isinstance(item, BaseException):
                raise item
            if item is None:
                return
            yield item[0]

    def stop(self) -> None:
        self._is_cancelled.set()
        while self.is_alive():
            # The thread may be blocked by a full queue.
            try:
                self._results.get(timeout=0.05)
            except queue.Empty:
                continue

    def _produce(self) -> None:
        for item in self._items:
            self._results.put((item,))
            if self._is_cancelled.is_set():
                return
