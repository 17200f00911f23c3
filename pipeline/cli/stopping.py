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

# 128 and the signal's number, as shells count.
BATCH_ENDED = 143


@contextmanager
def ended_by_sigterm(what: str = "batch") -> Iterator[None]:
    """Let SIGTERM end the batch as an interrupt would: what is open is closed, and what was written stays.

    Args:
        what: Is ended, for people.
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
        click.echo(f"ended by SIGTERM; what is done is kept, and the same {what} again goes on from there", err=True)
        raise click.exceptions.Exit(BATCH_ENDED) from error
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def stopped_by_signals(on_taken: Callable[[int, float], None]) -> Iterator[StopRequest]:
    """Turn the first Ctrl-C and the first SIGTERM into a request to stop, while an executor looks at one.

    After Ctrl-C, videos under way have some seconds to finish. After SIGTERM they have none, since its sender usually
    kills the process soon afterwards. A second signal, and one before the work begins, raises at once. A signal that is
    ignored, as Ctrl-C is in the background of a shell, stays ignored.

    Args:
        on_taken: As of `StopRequest`.
    """
    from pipeline.execution import StopRequest

    stop = StopRequest(on_taken)

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        if not stop.is_watched or stop.is_asked:
            raise KeyboardInterrupt
        stop.ask(KeyboardInterrupt())

    def terminate(number: int, _frame: FrameType | None) -> None:
        if not stop.is_watched or stop.is_over:
            sys.exit(number)
        stop.ask(SystemExit(number), finish_seconds=0.0)

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
