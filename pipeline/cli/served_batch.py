"""Runs a batch in a server, and shows it as `momentseek index` shows its own."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from pipeline.cli.console.batch_output import say_executor, say_stopping
from pipeline.cli.console.json_log import say

if TYPE_CHECKING:
    from pipeline.cli.console.progress_bar import LiveBar, ProgressLines
    from pipeline.client.batch import ServedBatch
    from pipeline.client.client import Client
    from pipeline.types import Source, VideoReport

__all__ = ["served_reports", "start_batch", "start_own_batch"]

_MOST_SOURCES = 100_000
"""Number of sources that a server takes."""


def start_own_batch(client: Client, sources: Sequence[Source], settings: Sequence[str]) -> ServedBatch | None:
    """Start a batch in the server of this user; None, with a note, if the server does not take it.

    Args:
        client: A client at the server's private socket.
        sources: The videos, by names relative to the working folder.
        settings: Overrides of settings.

    Raises:
        MomentseekError: A setting or a source is invalid.
    """
    from pipeline.client.connection import NoServerError, RefusedError
    from pipeline.uris import is_remote

    if len(sources) > _MOST_SOURCES or any(is_remote(source.uri) for source in sources):
        return None
    try:
        return start_batch(client, sources, settings=settings, folder=str(Path.cwd()))
    except (NoServerError, RefusedError) as error:
        say(f"note: the server does not run this batch, so this command does ({error})")
        return None


def start_batch(
    client: Client, sources: Sequence[Source], *, settings: Sequence[str] = (), folder: str | None = None
) -> ServedBatch:
    """Start a batch in a server, as `Client.start_batch`; a signal meanwhile stops it as soon as it is known.

    Raises:
        KeyboardInterrupt, SystemExit: A signal arrived.
        MomentseekError: As for `Client.start_batch`.
    """
    with _stopped_by_signals(None) as stopped_by:
        batch = client.start_batch(sources, settings=settings, folder=folder)
    if number := stopped_by():
        batch.stop()
        raise SystemExit(number) if number == signal.SIGTERM else KeyboardInterrupt
    return batch


@contextmanager
def served_reports(batch: ServedBatch, bar: LiveBar | ProgressLines) -> Iterator[Iterator[VideoReport]]:
    """Follow a batch of a server: its reports, with its progress on a bar.

    After the first Ctrl-C, the batch is stopped, and followed to its end; a second one leaves at once, as does SIGTERM.
    If the caller fails, the batch is stopped, too.

    Raises:
        KeyboardInterrupt: The batch was stopped by Ctrl-C.
        BatchStoppedError: The batch was stopped by someone else.
        MomentseekError: The batch failed, or the server is gone.
    """
    from pipeline.client.batch import BatchStoppedError

    with _stopped_by_signals(batch.stop) as stopped_by:
        try:
            yield batch.reports(_shown_on(bar))
        except BatchStoppedError:
            if stopped_by():
                raise KeyboardInterrupt from None
            raise
        finally:
            if not batch.is_over and not stopped_by():
                batch.stop()


def _shown_on(bar: LiveBar | ProgressLines) -> Callable[[str, Mapping[str, Any]], None]:
    """Make a function that shows the events of a batch other than its reports."""
    from pipeline.cli.console.progress_bar import progress_event

    def show(kind: str, fields: Mapping[str, Any]) -> None:
        if kind == "progress":
            event = progress_event({name: value for name, value in fields.items() if name != "seconds_left"})
            if event is not None:
                bar.update(event)
        elif kind == "executor":
            say_executor(bar, fields["choice"])
        elif kind == "stopping":
            say_stopping(bar, int(fields["under_way"]), float(fields["finish_seconds"]), again="leaves at once")

    return show


@contextmanager
def _stopped_by_signals(stop: Callable[[], None] | None) -> Iterator[Callable[[], int]]:
    """Stop a batch of a server at the first Ctrl-C, and leave at the second one, or at SIGTERM.

    An ignored signal stays ignored; shells ignore Ctrl-C for background jobs.

    Args:
        stop: Stops the batch; None while the server is starting it, when the first signal is only recorded.

    Yields:
        A function that returns the number of the first signal; 0 if there was none.
    """
    first = 0

    def end(number: int, _frame: FrameType | None) -> None:
        nonlocal first
        is_second, first = first > 0, first or number
        if not is_second and stop is not None:
            stop()
        if number == signal.SIGTERM and (is_second or stop is not None):
            sys.exit(number)
        if is_second:
            raise KeyboardInterrupt

    is_main = threading.current_thread() is threading.main_thread()
    before = {
        number: signal.signal(number, end)
        for number in (signal.SIGINT, signal.SIGTERM)
        if is_main and signal.getsignal(number) not in (signal.SIG_IGN, None)
    }
    try:
        yield lambda: first
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
