"""Measure how long the stages of a batch work, and how long they wait for each other."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import ParamSpec, Protocol, Self, TypeVar

__all__ = ["StageSeconds", "Stopwatch", "Timed", "timed"]


@dataclass(frozen=True, kw_only=True)
class StageSeconds:
    """Time that each stage took since the batch began, added up over all its workers, in seconds.

    A reader decodes, waits until the encoder catches up, or is idle; an encoder loads the model, encodes, or is idle;
    the driver writes.

    Attributes:
        decode: Readers decoded, sampled and preprocessed.
        wait: Readers waited because they were ahead of the encoder.
        load: Encoders started and loaded the model.
        encode: Encoders encoded.
        store: The driver wrote frame embeddings.
        index: The driver wrote rows of the index.
        reader_slots: Time available to readers: the batch's elapsed time multiplied by the number of readers.
        encoder_slots: Time available to encoders, likewise.
    """

    decode: float = 0.0
    wait: float = 0.0
    load: float = 0.0
    encode: float = 0.0
    store: float = 0.0
    index: float = 0.0
    reader_slots: float = 0.0
    encoder_slots: float = 0.0


class Timed(Protocol):
    """An item that a stage passes on, and that can carry the time it took."""

    def timed(self, *, busy_seconds: float, waited_seconds: float) -> Self:
        """Return a copy with the time of work and of waiting since its video was begun."""


P = ParamSpec("P")
T = TypeVar("T", bound=Timed)


def timed(stage: Callable[P, Iterator[T]]) -> Callable[P, Generator[T]]:
    """Add the times of a generator to the items that it yields.

    Time inside the generator counts as work, time until its next item is requested as waiting for the consumer.
    """

    @functools.wraps(stage)
    def with_times(*arguments: P.args, **keywords: P.kwargs) -> Generator[T]:
        busy = waited = 0.0
        with ExitStack() as stack:
            items = stage(*arguments, **keywords)
            if isinstance(items, Generator):
                stack.enter_context(closing(items))
            resumed = time.perf_counter()
            for item in items:
                suspended = time.perf_counter()
                busy += suspended - resumed
                yield item.timed(busy_seconds=busy, waited_seconds=waited)
                resumed = time.perf_counter()
                waited += resumed - suspended

    return with_times


class Stopwatch:
    """Adds up the time spent in its `with` blocks, which must not be nested.

    Attributes:
        seconds: Sum of all blocks that have ended.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._started = 0.0

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *exc: object) -> None:
        self.seconds += time.perf_counter() - self._started
