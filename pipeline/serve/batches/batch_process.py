"""Process of a batch that the server started, with its events and reports."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from pipeline.parsing import ParseError, parse_json
from pipeline.run_config import RunConfig
from pipeline.run_id import RUN_ID_VARIABLE
from pipeline.types import Source

__all__ = ["BatchEvent", "BatchProcess"]

_MOST_REPORTS = 10_000
"""Number of reports that are kept for clients that come later; a client may have missed earlier ones."""

_FINISH_SECONDS = 20.0
"""Time that a batch has to stop by itself: its videos under way have ten seconds, and then it writes its report."""


@dataclass(frozen=True)
class BatchEvent:
    """Something that happened in a batch.

    Attributes:
        number: Its number, from 1.
        kind: "progress", of which only the latest is kept; "report", for each source; "executor", where the batch runs;
            "stopping", when a request to stop is obeyed; or "over", the last one.
        fields: JSON values.
    """

    number: int
    kind: str
    fields: dict[str, Any]


class BatchProcess:
    """Starts a batch in a process of its own, and follows its events in a thread.

    The process is stopped by the end of its standard input, and so also if the server is killed.

    Args:
        run_id: Id of its run.
        config: Configuration of the library.
        sources: The sources.
        on_over: Called in the thread once the process has ended.
        folder: The folder that relative paths in the sources and the configuration start from; None for this process's.

    Attributes:
        run_id: As given.
        sources: Number of sources.
        started_at: When it was started, in UTC.
        outcome: "running", "finished", "interrupted" or "failed".
        problem: Why it failed.
        counts: Number of reports by status.
        is_stopping: Whether it was asked to stop.
    """

    def __init__(
        self,
        run_id: str,
        config: RunConfig,
        sources: Sequence[Source],
        on_over: Callable[[], None],
        *,
        folder: Path | None = None,
    ) -> None:
        self.run_id = run_id
        self.sources = len(sources)
        self.started_at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        self.outcome = "running"
        self.problem: str | None = None
        self.counts: Counter[str] = Counter()
        self.is_stopping = False
        self._on_over = on_over
        self._number = 0
        self._latest: BatchEvent | None = None
        self._kept: deque[BatchEvent] = deque(maxlen=_MOST_REPORTS)
        self._lock = threading.Lock()
        job = {
            "config": config.model_dump(mode="json"),
            "sources": [{"uri": source.uri, "metadata": dict(source.metadata)} for source in sources],
        }
        reading, writing = os.pipe()
        try:
            self._process = _started(run_id, writing, folder)
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        self._thread = threading.Thread(
            target=self._follow, args=(os.fdopen(reading, "rb"), json.dumps(job).encode() + b"\n"), daemon=True
        )
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.outcome != "running"

    @property
    def progress(self) -> dict[str, Any] | None:
        """The latest progress; None before the first."""
        latest = self._latest
        return None if latest is None else latest.fields

    def events_after(self, number: int) -> list[BatchEvent]:
        """Return the events after the one with a number, in order."""
        with self._lock:
            found = [event for event in self._kept if event.number > number]
            if self._latest is not None and self._latest.number > number:
                found.append(self._latest)
        return sorted(found, key=lambda event: event.number)

    def stop(self) -> None:
        """Ask the batch to stop: no further video is started, and those under way have ten seconds to finish."""
        self.is_stopping = True
        self._close_input()

    def close(self) -> None:
        """Stop the batch and wait for its end; one that does not stop by itself is ended."""
        self.stop()
        for end in (None, signal.SIGTERM, signal.SIGKILL):
            if end is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, end)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_FINISH_SECONDS)
                break
        self._thread.join(_FINISH_SECONDS)

    def _follow(self, events: IO[bytes], job: bytes) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            # ValueError if it was stopped already.
            self._process.stdin.write(job)
            self._process.stdin.flush()
        outcome: dict[str, Any] | None = None
        with events:
            for line in events:
                with contextlib.suppress(ParseError, KeyError, TypeError):
                    event = parse_json(line)
                    if event["event"] == "over":
                        outcome = event["data"]
                    else:
                        self._add(event["event"], event["data"])
        self._end(self._process.wait(), outcome)

    def _close_input(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def _end(self, status: int, outcome: dict[str, Any] | None) -> None:
        self._close_input()
        if outcome is None:
            problem = f"the batch's process ended with status {status}; the server's log may say more"
            outcome = {"outcome": "interrupted" if self.is_stopping else "failed", "problem": problem, "code": None}
        self.problem = outcome["problem"]
        self._add("over", {"run_id": self.run_id, **outcome, "counts": dict(self.counts)})
        self.outcome = outcome["outcome"]
        self._on_over()

    def _add(self, kind: str, fields: dict[str, Any]) -> None:
        with self._lock:
            self._number += 1
            event = BatchEvent(self._number, kind, fields)
            if kind == "progress":
                self._latest = event
            else:
                self._kept.append(event)
            if kind == "report":
                self.counts[str(fields["status"])] += 1


def _started(run_id: str, descriptor: int, folder: Path | None) -> subprocess.Popen[bytes]:
    """Start the process; an interrupt of the server's terminal does not reach it."""
    # Python must find this package, and nothing in the folder in which the server was started.
    place = os.pathsep.join(filter(None, (str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH"))))
    return subprocess.Popen(  # noqa: S603 - a module of this package
        [sys.executable, "-P", "-m", "pipeline.serve.batches.batch_worker", str(descriptor)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        pass_fds=[descriptor],
        env={**os.environ, RUN_ID_VARIABLE: run_id, "PYTHONPATH": place},
        start_new_session=True,
        cwd=folder,
    )
