"""Measures how long the stages of a batch work, and how long they wait for each other."""

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
    """Seconds that stages took since the batch began, all workers of a kind added up.

    A reader decodes, waits for room ahead of the encoder, or has nothing to do; an encoder loads the model, encodes, or
    has nothing to do; the driver writes.

    Attributes:
        decode: Readers decoded, sampled and preprocessed.
        wait: Readers were ahead of the encoder, and waited for it.
        load: Encoders started and loaded the model.
        encode: Encoders encoded.
        store: The driver wrote frame embeddings.
        index: The driver wrote rows of the index.
        reader_slots: Time that there was for readers: the batch's, times how many there were.
        encoder_slots: Time that there was for encoders.
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
    """What a stage hands on, and what can carry how long it took."""

    def timed(self, *, busy_seconds: float, waited_seconds: float) -> Self:
        """The same, made in so many seconds of work and of waiting since its video was begun."""


P = ParamSpec("P")
T = TypeVar("T", bound=Timed)


def timed(stage: Callable[P, Iterator[T]]) -> Callable[P, Generator[T]]:
    """Have what a generator yields say how long the generator worked on it.

    Work is the time inside of the generator; waiting is the time until it is asked for the next thing, which is what
    whoever takes them leaves it to wait.
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
                left = time.perf_counter()
                busy += left - resumed
                yield item.timed(busy_seconds=busy, waited_seconds=waited)
                resumed = time.perf_counter()
                waited += resumed - left

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
