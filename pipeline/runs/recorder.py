"""Records a running batch: writes its report and page at the beginning, every minute and at the end."""

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
_SHORTEST_SECONDS = 0.1
_SOURCES_NAMED = 20


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
        config: As the batch is run with.
        encoder: Of the batch.
        batch: All its sources.
        on_progress: Told what the recorder is told.
        began: When the work on the batch began, by `time.monotonic`; None for now.

    Raises:
        ConfigError: MOMENTSEEK_RUN_ID is no id.
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
        first_sources=tuple(source.uri for source in batch[:_SOURCES_NAMED]),
    )
    return RunRecorder(facts, log, RunPages(config.library), on_progress=on_progress, began=began)


class RunRecorder:
    """Writes a run's report and page when it begins, every minute, and at its end. A context manager.

    A thread writes it where nothing is heard of the batch for as long, so that only a run whose process is gone, or
    does not reach the library, falls silent. A report that cannot be written is noted in the log, and the run goes on.
    A run of no source leaves none.

    Args:
        facts: What is known of the run.
        log: Takes the reports.
        pages: Takes the pages.
        on_progress: Told what `progress` is told.
        began: When the work on the batch began, by `time.monotonic`; None for now.

    Attributes:
        run_id: By which the run is told from others.
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
        self._written = 0.0
        self._books = threading.RLock()
        self._is_over = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="run-report", daemon=True)

    def progress(self, event: ProgressEvent) -> None:
        """Record a progress event of the batch."""
        with self._books:
            self._aggregator.take_progress(event)
            self._write_if_due()
        if self._on_progress is not None:
            self._on_progress(event)

    def ended(self, report: VideoReport) -> None:
        """Record the report of a source."""
        name = public_name(report.source.uri)
        level = logging.WARNING if report.status is Status.FAILED else logging.INFO
        about = {"uri": name, "video_id": report.video_id, "status": report.status}
        why = f": {report.problem}" if report.problem else ""
        _log.log(level, "%r is %s%s", name, report.status, why, extra=about)
        with self._books:
            self._aggregator.take_report(report)
            self._write_if_due()

    def __enter__(self) -> RunRecorder:
        self._running.__enter__()
        self._write("running")
        if not self._is_empty:
            self._heart.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._is_over.set()
        if self._heart.is_alive():
            self._heart.join()
        if kind is None:
            self._write("finished")
        elif issubclass(kind, Exception):
            self._write("failed", public_text(" ".join(str(error).split())) or kind.__name__)
        else:
            self._write("interrupted")
        self._running.__exit__(None, None, None)

    def _beat(self) -> None:
        while not self._is_over.wait(max(_INTERVAL_SECONDS, _SHORTEST_SECONDS)):
            with self._books:
                self._write_if_due()

    def _write_if_due(self) -> None:
        if time.monotonic() - self._written >= _INTERVAL_SECONDS:
            self._write("running")

    def _write(self, outcome: Outcome, problem: str | None = None) -> None:
        if self._is_empty:
            return
        try:
            self._write_files(self._aggregator.report(outcome, problem, heartbeat_seconds=_INTERVAL_SECONDS))
        except (StoreError, ValueError) as error:
            # Text that is no text is the one ValueError: a library whose path is no UTF-8.
            level = logging.WARNING if outcome == "running" else logging.ERROR
            _log.log(level, "the report of run %s: %s", self.run_id, error)
        self._written = time.monotonic()

    def _write_files(self, report: RunReport) -> None:
        try:
            self._log.write(report)
        except StoreFullError:
            if report.outcome == "running":
                raise
            # That the run is over matters more than its page, whose space is enough.
            self._pages.delete(report.run_id)
            self._log.write(report)
        self._pages.write(report)
