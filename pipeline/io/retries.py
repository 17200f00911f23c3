"""Time limits and retries of remote reads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from pipeline.errors import VideoReadError
from pipeline.io.settings import Fetching

__all__ = ["InterruptedReadError", "retried", "within"]

T = TypeVar("T")


class InterruptedReadError(Exception):
    """A fault that another try may cure, such as a broken connection; never raised out of this package."""


def retried(uri: str, fetching: Fetching, attempt: Callable[[], T]) -> T:
    """Run an attempt, again after each temporary fault, with increasing pauses.

    Raises:
        VideoReadError: The last try failed, too.
    """
    for number in range(1, fetching.tries + 1):
        try:
            return attempt()
        except InterruptedReadError as error:
            if number == fetching.tries:
                times = "once" if number == 1 else f"{number} times"
                # Without its cause: messages of network libraries have the whole URL, credentials included.
                raise VideoReadError(uri, f"{error}; tried {times}, run it again later") from None
            time.sleep(fetching.pause_seconds * 2 ** (number - 1))
    raise AssertionError("Fetching.tries is at least 1")


def within(seconds: float, work: Callable[[], T]) -> T:
    """Run some work with a time limit; past it, the work is abandoned in its own thread.

    File systems of fsspec have timeouts of many names, of minutes, or none.

    Raises:
        InterruptedReadError: It took longer than so many seconds.
        BaseException: Whatever the work raised.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again, by the thread that waits
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True, name="momentseek-fetch")
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise InterruptedReadError(f"no answer came within {seconds:g} s")
    return results[0]
