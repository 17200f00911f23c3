"""Prefetches the items of an iterator in a thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import Generic, TypeVar

__all__ = ["prefetched"]

T = TypeVar("T")


def prefetched(items: Iterable[T], *, ahead: int) -> Generator[T]:
    """Yield the items in order from a thread that makes at most `ahead` of them in advance.

    Decoders and models let go of Python's lock while they compute, so that one thread decodes while another encodes.
    An exception of `items` is raised where it would have been. Closing the generator ends the thread, and `items` if it
    is a generator, after the item that is in the making.
    """
    thread = _Maker(items, ahead)
    thread.start()
    try:
        yield from thread.made()
    finally:
        thread.stop()


class _Maker(threading.Thread, Generic[T]):
    def __init__(self, items: Iterable[T], ahead: int) -> None:
        super().__init__(name="prefetch", daemon=True)
        self._items = items
        self._made: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(maxsize=max(1, ahead))
        self._is_unwanted = threading.Event()

    def run(self) -> None:
        last: BaseException | None = None
        try:
            if isinstance(self._items, Generator):
                with closing(self._items):
                    self._make()
            else:
                self._make()
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that asked
            last = error
        self._made.put(last)

    def made(self) -> Iterator[T]:
        while True:
            item = self._made.get()
            if isinstance(item, BaseException):
                raise item
            if item is None:
                return
            yield item[0]

    def stop(self) -> None:
        self._is_unwanted.set()
        while self.is_alive():
            # A full queue would keep the thread from seeing that it is over.
            try:
                self._made.get(timeout=0.05)
            except queue.Empty:
                continue

    def _make(self) -> None:
        for item in self._items:
            self._made.put((item,))
            if self._is_unwanted.is_set():
                return
