"""Record a running batch: write its report and page at the beginning, every minute and at the end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from pipeline.errors import StoreError, StoreFullError
from pipeline.run_id import job_id, new_run_id, running
from pipeline.runs.aggregator import RunAggregator
from pipeline.runs.log import RunLog
from pipeline.runs.page_file import RunPages
from pipeline.runs.report import Outcome, RunFacts, RunReport
from pipeline.types import Status, VideoReport
from pipeline.uris import public_name, public_text

if TYPE_CHECKING:
    from pipeline.encode import Encoder
    from pipeline.execution import OnProgress, ProgressEvent
    from pipeline.run_config import RunConfig
    from pipeline.types import Source

__all__ = ["RunRecorder", "begin_run"]

_log = logging.getLogger(__name__)

_INTERVAL_SECONDS = 60.0
_MIN_INTERVAL_SECONDS = 0.1
_FIRST_SOURCES = 20


def begin_run(
    config: RunConfig,
    encoder: Encoder,
    batch: Sequence[Source],
    on_progress: OnProgress | None = None,
    *,
    began: float | None = None,
) -> RunRecorder:
    """Make the recorder of a run over a batch.

    Args:
        config: The configuration of the batch.
        encoder: The encoder of the batch.
        batch: All sources of the batch.
        on_progress: Called with every progress event that the recorder gets.
        began: When the work on the batch began, by `time.monotonic`; None for now.

    Raises:
        ConfigError: MOMENTSEEK_RUN_ID is not a valid id.
        StoreError: The library's runs cannot be listed.
    """
    log = RunLog(config.library)
    facts = RunFacts(
        run_id=log.free_id(new_run_id()),
        job_id=job_id(),
        momentseek=version("momentseek"),
        library=config.library,
        encoder=encoder.description,
        fingerprints={
            "sampling": config.sampling_fingerprint,
            "encoder": encoder.fingerprint,
            "segmentation": config.segmentation_fingerprint,
        },
        configuration=config.model_dump(mode="json"),
        sources=len(batch),
        first_sources=tuple(source.uri for source in batch[:_FIRST_SOURCES]),
    )
    return RunRecorder(facts, log, RunPages(config.library), on_progress=on_progress, began=began)


class RunRecorder:
    """Writes a run's report and page when it begins, every minute, and at its end. A context manager.

    While no events arrive, a thread keeps writing the report, so that only a run whose process is gone, or which cannot
    reach the library, stops updating it. If a report cannot be written, that is logged, and the run continues. A run
    without sources writes no report.

    Args:
        facts: The facts about the run.
        log: Stores the reports.
        pages: Stores the pages.
        on_progress: Called with every event passed to `progress`.
        began: When the work on the batch began, by `time.monotonic`; None for now.

    Attributes:
        run_id: Id of the run.
    """

    def __init__(
        self,
        facts: RunFacts,
        log: RunLog,
        pages: RunPages,
        *,
        on_progress: OnProgress | None = None,
        began: float | None = None,
    ) -> None:
        self.run_id = facts.run_id
        self._is_empty = facts.sources == 0
        self._aggregator = RunAggregator(facts, name_of=public_name, began=began)
        self._log = log
        self._pages = pages
        self._running = running(facts.run_id)
        self._on_progress = on_progress
        self._written_at = 0.0
        self._lock = threading.RLock()
        self._is_over = threading.Event()
        self._heartbeat = threading.Thread(target=self._beat, name="run-report", daemon=True)

    def progress(self, event: ProgressEvent) -> None:
        """Record a progress event of the batch."""
        with self._lock:
            self._aggregator.add_progress(event)
            self._write_if_due()
        if self._on_progress is not None:
            self._on_progress(event)

    def ended(self, report: VideoReport) -> None:
        """Record the report of a source."""
        name = public_name(report.source.uri)
        level = logging.WARNING if report.status is Status.FAILED else logging.INFO
        about = {"uri": name, "video_id": report.video_id, "status": report.status}
        reason = f": {report.problem}" if report.problem else ""
        _log.log(level, "%r is %s%s", name, report.status, reason, extra=about)
        with self._lock:
            self._aggregator.add_report(report)
            self._write_if_due()

    def __enter__(self) -> RunRecorder:
        self._running.__enter__()
        self._write("running")
        if not self._is_empty:
            self._heartbeat.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._is_over.set()
        if self._heartbeat.is_alive():
            self._heartbeat.join()
        if kind is None:
            self._write("finished")
        elif issubclass(kind, Exception):
            self._write("failed", public_text(" ".join(str(error).split())) or kind.__name__)
        else:
            self._write("interrupted")
        self._running.__exit__(None, None, None)

    def _beat(self) -> None:
        while not self._is_over.wait(max(_INTERVAL_SECONDS, _MIN_INTERVAL_SECONDS)):
            with self._lock:
                self._write_if_due()

    def _write_if_due(self) -> None:
        if time.monotonic() - self._written_at >= _INTERVAL_SECONDS:
            self._write("running")

    def _write(self, outcome: Outcome, problem: str | None = None) -> None:
        if self._is_empty:
            return
        try:
            self._write_files(self._aggregator.report(outcome, problem, heartbeat_seconds=_INTERVAL_SECONDS))
        except (StoreError, ValueError) as error:
            # ValueError occurs only for text that is not Unicode: a library whose path is not UTF-8.
            level = logging.WARNING if outcome == "running" else logging.ERROR
            _log.log(level, "the report of run %s: %s", self.run_id, error)
        self._written_at = time.monotonic()

    def _write_files(self, report: RunReport) -> None:
        try:
            self._log.write(report)
        except StoreFullError:
            if report.outcome == "running":
                raise
            # On a full disk, the final report matters more than the page, which frees enough space for it.
            self._pages.delete(report.run_id)
            self._log.write(report)
        self._pages.write(report)
