"""What a library keeps of its runs: `runs/{run id}.json`, and the same as a page beside it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from pydantic import ValidationError

from pipeline.errors import QueryError, StoreError, StoreFullError
from pipeline.run_id import job_id, new_run_id, running
from pipeline.runs.aggregator import RunAccount
from pipeline.runs.report import Outcome, RunFacts, RunReport
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.store.file_forms import RUN_ID
from pipeline.types import Status, VideoReport
from pipeline.uris import public_name, public_text

if TYPE_CHECKING:
    from pipeline.encode import Encoder
    from pipeline.execution import OnProgress, ProgressEvent
    from pipeline.run_config import RunConfig
    from pipeline.types import Source

__all__ = ["RunLog", "RunRecorder", "begin_run"]

_log = logging.getLogger(__name__)

_FOLDER = "runs"
_INTERVAL_SECONDS = 60.0
_SHORTEST_SECONDS = 0.1
_SOURCES_NAMED = 20


class RunLog:
    """The reports of a library's runs, below `{root_url}/runs/`. Constructing it touches nothing.

    A report that says "running", and was not written again for several times as long as it should have been, is read as
    "lost": its process was killed, or its machine is gone.

    Args:
        root_url: The library's folder or URL.
    """

    def __init__(self, root_url: str) -> None:
        self._root_url = root_url

    def write(self, report: RunReport) -> None:
        """Keep a report, in place of an older one of the same run.

        Raises:
            StoreError: It, or its page, could not be written. On a full disk the page of a run that is over is removed
                to make room for the report.
        """
        from pipeline.runs.page import run_page

        place, content = AtomicFolder(self._root_url), report.model_dump_json(indent=1).encode()
        try:
            place.write(_file(report.run_id, "json"), content)
        except StoreFullError:
            if report.outcome == "running":
                raise
            # That the run is over matters more than its page, whose space is enough.
            place.delete(_file(report.run_id, "html"))
            place.write(_file(report.run_id, "json"), content)
        place.write(_file(report.run_id, "html"), run_page(report).encode())

    def free_id(self, run_id: str) -> str:
        """This id, or with a number behind it where there is such a run already.

        Raises:
            StoreError: The runs cannot be listed.
        """
        known, free, number = set(self._ids()), run_id, 1
        while free in known:
            number += 1
            free = f"{run_id}-{number}"
        return free

    def page_of(self, run_id: str) -> str:
        """Where the page of a run is."""
        return f"{self._root_url.rstrip('/')}/{_file(run_id, 'html')}"

    def read(self, run_id: str) -> RunReport:
        """The report of a run.

        Raises:
            QueryError: There is no such run.
            StoreError: It cannot be read.
        """
        known = self._ids()
        if run_id not in known:
            latest = f"the latest is {max(known)}" if known else "it has none yet"
            raise QueryError(f"the library {self._root_url!r} has no run {run_id!r}; {latest}")
        return self._read(run_id)

    def latest(self) -> RunReport:
        """The report of the run that was begun last.

        Raises:
            QueryError: There is none.
            StoreError: One cannot be read.
        """
        reports = list(self)
        if not reports:
            raise QueryError(f"the library {self._root_url!r} has no run yet")
        return reports[-1]

    def __iter__(self) -> Iterator[RunReport]:
        """All reports, oldest first.

        Raises:
            StoreError: They cannot be listed, or one cannot be read.
        """
        yield from sorted(map(self._read, self._ids()), key=lambda report: (report.started_at, report.run_id))

    def _ids(self) -> list[str]:
        try:
            names = AtomicFolder(self._root_url).list(_FOLDER, ".json")
        except OSError as error:
            raise StoreError(f"{self._root_url}/{_FOLDER}: cannot be listed: {error}") from error
        ids = [name.removeprefix(f"{_FOLDER}/").removesuffix(".json") for name in names]
        return [run_id for run_id in ids if RUN_ID.fullmatch(run_id)]

    def _read(self, run_id: str) -> RunReport:
        name = _file(run_id, "json")
        try:
            place = AtomicFolder(self._root_url)
            report = RunReport.model_validate_json(place.read(name))
            if report.run_id != run_id:
                raise ValueError(f"it is the report of run {report.run_id[:100]!r}")  # noqa: TRY301 - as pydantic says it
            if report.outcome != "running":
                return report
            return report.judged(now=datetime.now(UTC), written_at=place.written_at(name))
        except (OSError, ArithmeticError, TypeError, ValueError) as error:
            said = f"{error.error_count()} faults" if isinstance(error, ValidationError) else str(error)
            raise StoreError(f"{self._root_url}/{name}: is broken or of another version ({said}); delete it") from error


def begin_run(
    config: RunConfig,
    encoder: Encoder,
    batch: Sequence[Source],
    on_progress: OnProgress | None = None,
    *,
    began: float | None = None,
) -> RunRecorder:
    """What keeps the books of a run over a batch.

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
    return RunRecorder(facts, log, on_progress=on_progress, began=began)


class RunRecorder:
    """Writes a run's report when it begins, every minute, and at its end, however it ends. A context manager.

    A thread writes it where nothing is heard of the batch for as long, so that only a run whose process is gone, or
    does not reach the library, falls silent. A report that cannot be written is noted in the log, and the run goes on.
    A run of no source leaves none.

    Args:
        facts: What is known of the run.
        log: Where reports are kept.
        on_progress: Told what `progress` is told.
        began: When the work on the batch began, by `time.monotonic`; None for now.

    Attributes:
        run_id: By which the run is told from others.
    """

    def __init__(
        self,
        facts: RunFacts,
        log: RunLog,
        *,
        on_progress: OnProgress | None = None,
        began: float | None = None,
    ) -> None:
        self.run_id = facts.run_id
        self._is_empty = facts.sources == 0
        self._account = RunAccount(facts, name_of=public_name, began=began)
        self._runs = log
        self._running = running(facts.run_id)
        self._on_progress = on_progress
        self._written = 0.0
        self._books = threading.RLock()
        self._is_over = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="run-report", daemon=True)

    def progress(self, event: ProgressEvent) -> None:
        """The batch says how far it is."""
        with self._books:
            self._account.take_progress(event)
            self._write_if_due()
        if self._on_progress is not None:
            self._on_progress(event)

    def ended(self, report: VideoReport) -> None:
        """A source has ended."""
        name = public_name(report.source.uri)
        level = logging.WARNING if report.status is Status.FAILED else logging.INFO
        about = {"uri": name, "video_id": report.video_id, "status": report.status}
        why = f": {report.problem}" if report.problem else ""
        _log.log(level, "%r is %s%s", name, report.status, why, extra=about)
        with self._books:
            self._account.take_report(report)
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
            self._runs.write(self._account.report(outcome, problem, heartbeat_seconds=_INTERVAL_SECONDS))
        except (StoreError, ValueError) as error:
            # Text that is no text is the one ValueError: a library whose path is no UTF-8.
            level = logging.WARNING if outcome == "running" else logging.ERROR
            _log.log(level, "the report of run %s: %s", self.run_id, error)
        self._written = time.monotonic()


def _file(run_id: str, suffix: str) -> str:
    return f"{_FOLDER}/{run_id}.{suffix}"
