"""The process of a batch: `python -m pipeline.serve.batches.batch_worker DESCRIPTOR`.

The first line of standard input is the job, a JSON object of the configuration and the sources. The batch is stopped
when standard input ends: because the server asks for it, or because the server is gone. Events are written to the open
file DESCRIPTOR, a JSON object a line, so that what libraries print does not come between them.
"""

from __future__ import annotations

import _thread
import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import IO, Any

from pipeline.client.problem_codes import code_of
from pipeline.config import validate
from pipeline.errors import MomentseekError
from pipeline.execution import ExecutorChoice, ProgressEvent, StopRequest
from pipeline.execution.time_left import seconds_left
from pipeline.library import Library
from pipeline.parsing import MOST_JSON_BYTES, parse_json
from pipeline.run_config import RunConfig, with_plugins
from pipeline.types import Source, VideoReport
from pipeline.types.report_json import report_json
from pipeline.uris import public_name, public_text

__all__ = ["BatchEvents", "main", "run_batch"]

_INTERVAL_SECONDS = 0.2
_LOOK_SECONDS = 0.05
_PATIENCE_SECONDS = 5.0
"""How long a stop waits for the executor to notice it before the main thread is interrupted."""


class BatchEvents:
    """Writes the events of a batch. A server that is gone does not end the batch, which then stops by itself.

    Args:
        file: Where they are written.
        videos: Number of videos in the batch.
    """

    def __init__(self, file: IO[str], videos: int) -> None:
        self._file = file
        self._videos = videos
        self._began = time.monotonic()
        self._written_at = float("-inf")
        self._pending: ProgressEvent | None = None
        self._lock = threading.Lock()

    def progress(self, event: ProgressEvent) -> None:
        """Write the progress of the batch, a few times a second at most; the last one is written at the end."""
        self._pending = event
        if time.monotonic() - self._began - self._written_at >= _INTERVAL_SECONDS:
            self._write_progress()

    def executor(self, choice: ExecutorChoice) -> None:
        """Write where the batch runs, and why."""
        self._write("executor", {"choice": str(choice)})

    def stopping(self, under_way: int, seconds: float) -> None:
        """Write how long the videos under way may still take after a request to stop."""
        self._write("stopping", {"under_way": under_way, "finish_seconds": seconds})

    def ended(self, report: VideoReport) -> None:
        """Write the report of a source."""
        self._write("report", report_json(report))

    def over(self, outcome: str, error: MomentseekError | None = None) -> None:
        """Write how the batch ended.

        Args:
            outcome: "finished", "interrupted" or "failed".
            error: Why it failed.
        """
        self._write_progress()
        problem = None if error is None else public_text(str(error))
        self._write("over", {"outcome": outcome, "problem": problem, "code": None if error is None else code_of(error)})

    def _write_progress(self) -> None:
        event, self._pending = self._pending, None
        if event is None:
            return
        self._written_at = elapsed = time.monotonic() - self._began
        left = seconds_left(event, self._videos)
        fields = {**asdict(event), "active": list(map(public_name, event.active))}
        self._write("progress", {"videos": self._videos, "elapsed_seconds": elapsed, "seconds_left": left, **fields})

    def _write(self, kind: str, fields: Mapping[str, Any]) -> None:
        with self._lock:
            try:
                self._file.write(json.dumps({"event": kind, "data": fields}) + "\n")
                self._file.flush()
            except OSError:
                return


def run_batch(job: Mapping[str, Any], events: BatchEvents, stop: StopRequest) -> None:
    """Run a batch, and write its events."""
    try:
        config = with_plugins(validate(RunConfig, job["config"]))
        sources = [Source(source["uri"], source["metadata"]) for source in job["sources"]]
        with Library.open(config) as library:
            work = library.index(sources, on_progress=events.progress, on_choice=events.executor, stop=stop)
            for report in work:
                events.ended(report)
        events.over("finished")
    except KeyboardInterrupt:
        events.over("interrupted")
    except MomentseekError as error:
        events.over("failed", error)


def _stop_at_the_end_of(descriptor: int, stop: StopRequest) -> Callable[[], None]:
    """Make a function that waits for the end of an open file, and then stops the batch."""

    def wait() -> None:
        # Not by a buffered reader, whose lock would be held when this process ends.
        while os.read(descriptor, 4096):
            pass
        stop.request(KeyboardInterrupt())
        # An exception in the middle of an import leaves a package half imported, and some code catches it.
        until = time.monotonic() + _PATIENCE_SECONDS
        while not stop.is_watched and not stop.is_obeyed:
            if time.monotonic() > until:
                # A model is still being loaded, or Ray started: nothing can be lost.
                _thread.interrupt_main()
                return
            time.sleep(_LOOK_SECONDS)

    return wait


def main() -> None:
    """Run the batch that standard input describes."""
    descriptor = int(sys.argv[1])
    # Processes that the batch starts must not keep it open.
    os.set_inheritable(descriptor, False)
    # A shell's background job ignores it, and so would this process.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    job = parse_json(sys.stdin.buffer.readline(), most_bytes=MOST_JSON_BYTES)
    # What a server that is gone has not read is in the way of closing the file.
    with contextlib.suppress(BrokenPipeError), os.fdopen(descriptor, "w", encoding="utf-8") as file:
        events = BatchEvents(file, len(job["sources"]))
        stop = StopRequest(events.stopping)
        threading.Thread(target=_stop_at_the_end_of(sys.stdin.fileno(), stop), daemon=True).start()
        run_batch(job, events, stop)


if __name__ == "__main__":
    main()
