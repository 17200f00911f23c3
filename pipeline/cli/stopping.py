"""Handle Ctrl-C and SIGTERM while a batch runs."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pipeline.execution import StopRequest

__all__ = ["BATCH_ENDED", "ended_by_sigterm", "stopped_by_signals"]

# The convention of shells: 128 plus the number of the signal.
BATCH_ENDED = 143


@contextmanager
def ended_by_sigterm(what: str = "batch") -> Iterator[None]:
    """End the batch on SIGTERM as an interrupt would: open files are closed, and finished work is kept.

    Args:
        what: The kind of work that ends, for the message.
    """

    def end(number: int, _frame: object) -> None:
        sys.exit(number)

    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, end) if is_main else None
    try:
        yield
    except SystemExit as error:
        if error.code != signal.SIGTERM:
            raise
        click.echo(f"ended by SIGTERM; finished work is kept; run the same {what} again to continue", err=True)
        raise click.exceptions.Exit(BATCH_ENDED) from error
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def stopped_by_signals(on_accepted: Callable[[int, float], None]) -> Iterator[StopRequest]:
    """Turn the first Ctrl-C and the first SIGTERM into a stop request while an executor checks for one.

    After Ctrl-C, videos under way have some seconds to finish. After SIGTERM they have none, since its sender usually
    kills the process soon afterwards. A second signal, or one before the work begins, raises at once. An ignored
    signal stays ignored; shells ignore Ctrl-C for background jobs.

    Args:
        on_accepted: Passed to `StopRequest`.
    """
    from pipeline.execution import StopRequest

    stop = StopRequest(on_accepted)

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        if not stop.is_watched or stop.is_requested:
            raise KeyboardInterrupt
        stop.request(KeyboardInterrupt())

    def terminate(number: int, _frame: FrameType | None) -> None:
        if not stop.is_watched or stop.is_over:
            sys.exit(number)
        stop.request(SystemExit(number), finish_seconds=0.0)

    handlers = {signal.SIGINT: interrupt, signal.SIGTERM: terminate}
    is_main = threading.current_thread() is threading.main_thread()
    before = {
        number: signal.signal(number, handler)
        for number, handler in handlers.items()
        if is_main and signal.getsignal(number) not in (signal.SIG_IGN, None)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
