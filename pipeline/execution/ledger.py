"""What becomes of each source: looked up, written to store and index, reported. The one writer of a batch."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from pipeline.errors import ConfigError, FingerprintMismatchError, IndexLockedError, MomentIndexError
from pipeline.execution.stage_times import Stopwatch
from pipeline.execution.stages import Stages
from pipeline.execution.video_work import VideoEnd, failure_of, place_of, record_of, report_of
from pipeline.index.arguments import check_metadata
from pipeline.rows import remove_other_rows, segment_rows
from pipeline.types import FrameEmbeddings, IndexedSegment, Scalar, Source, Status, VideoRecord, VideoReport

__all__ = ["Ledger", "LedgerCounts"]


@dataclass(frozen=True)
class _Written:
    """A video that is in the store and whose rows are not in the index yet."""

    report: VideoReport
    rows: list[IndexedSegment]


@dataclass(frozen=True, kw_only=True)
class LedgerCounts:
    """What the ledger has seen so far.

    Attributes:
        ended: Sources that have their report.
        failed: Those of them that failed.
        skipped: Those of them that needed no work.
        store_seconds: Time spent writing embeddings.
        index_seconds: Time spent writing rows.
    """

    ended: int = 0
    failed: int = 0
    skipped: int = 0
    store_seconds: float = 0.0
    index_seconds: float = 0.0


class Ledger:
    """Keeps the books of one batch: every source that is entered leaves as exactly one report.

    A source is entered by `admit` or `fail`. One that was admitted must end by `finish` or `fail`. Reports come out of
    `reports`, those of written videos after their rows are in the index, which is written in batches.

    Args:
        stages: Store, index and what makes rows.
        rows_per_write: Rows that are gathered before the index is written.
        patience_seconds: A written video waits no longer than this for others.
    """

    def __init__(self, stages: Stages, *, rows_per_write: int, patience_seconds: float = 1.0) -> None:
        self._stages = stages
        self._rows_per_write = rows_per_write
        self._patience_seconds = patience_seconds
        self._started: dict[str, float] = {}
        self._twins: dict[str, list[Source]] = {}
        self._ended: dict[str, VideoReport] = {}
        self._written: list[_Written] = []
        self._oldest = 0.0
        self._reports: list[VideoReport] = []
        self._counts = Counter[Status]()
        self._store_watch, self._index_watch = Stopwatch(), Stopwatch()

    @property
    def counts(self) -> LedgerCounts:
        """How far the batch is."""
        return LedgerCounts(
            ended=self._counts.total(),
            failed=self._counts[Status.FAILED],
            skipped=self._counts[Status.SKIPPED],
            store_seconds=self._store_watch.seconds,
            index_seconds=self._index_watch.seconds,
        )

    def admit(self, source: Source, video_id: str) -> bool:
        """Enter a source whose content is known; whether it must be worked on now.

        Raises:
            ConfigError: Its rows cannot be made with this segmentation.
        """
        started = time.monotonic()
        try:
            # The index would refuse it after all the work, and again whenever it is rebuilt.
            check_metadata(source.metadata)
        except MomentIndexError as error:
            self._report_failure(source, str(error), None, started)
            return False
        if video_id in self._twins:
            self._twins[video_id].append(source)
            return False
        if video_id in self._ended:
            self._settle_twin(source, self._ended[video_id])
            return False
        try:
            record = self._stages.store.record(video_id)
            if record is not None:
                self._revisit(source, record, started)
                return False
        except ConfigError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with one video becomes its report
            self._report_failure(source, failure_of(error, source.uri).problem, video_id, started)
            return False
        self._started[video_id] = started
        self._twins[video_id] = []
        return True

    def begin(self, video_id: str) -> None:
        """The work on an admitted video begins now, if later than it was admitted."""
        self._started[video_id] = time.monotonic()

    def finish(self, source: Source, frames: FrameEmbeddings, end: VideoEnd) -> None:
        """Keep a video that was worked on, and those that turned out to be the same.

        Raises:
            ConfigError: Its rows cannot be made with this segmentation.
        """
        names = tuple(dict.fromkeys(map(place_of, (source, *self._twins[frames.video_id]))))
        record = record_of(names, source, frames, end)
        try:
            with self._store_watch:
                self._stages.store.write(record, frames)
            rows = self._rows(frames, record.metadata)
        except ConfigError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with one video becomes its report
            self.fail(source, failure_of(error, source.uri).problem, frames.video_id)
            return
        report = report_of(
            source,
            record,
            frames,
            end=end,
            segments=len(rows),
            elapsed_seconds=time.monotonic() - self._started[frames.video_id],
        )
        self._await_write(report, rows)

    def fail(self, source: Source, problem: str, video_id: str | None = None) -> None:
        """End a source that could not be worked on, and those that turned out to be the same."""
        self._report_failure(source, problem, video_id, self._started.get(video_id or "", time.monotonic()))

    def flush(self) -> None:
        """Write all waiting rows to the index, which makes their videos' reports ready.

        Raises:
            MomentIndexError: The index cannot be used.
        """
        written, self._written = self._written, []
        if not written:
            return
        try:
            self._write(written)
        except (FingerprintMismatchError, IndexLockedError):
            raise
        except MomentIndexError:
            # One video's rows may be to blame; an index that does not even count is to blame itself.
            self._stages.index.count()
            for each in written:
                self._write_alone(each)
        else:
            for each in written:
                self._conclude(each.report)

    def reports(self, *, all_written: bool = False) -> Iterator[VideoReport]:
        """The reports that are ready since the last call; with `all_written` the index is written first.

        Raises:
            MomentIndexError: The index cannot be used.
        """
        rows = sum(len(each.rows) for each in self._written)
        is_due = rows >= self._rows_per_write or time.monotonic() - self._oldest > self._patience_seconds
        if self._written and (all_written or is_due):
            self.flush()
        ready, self._reports = self._reports, []
        self._counts.update(report.status for report in ready)
        yield from ready

    def _revisit(self, source: Source, record: VideoRecord, started: float) -> None:
        """A video that the store holds: note its name and metadata, and see that the index has its rows."""
        stages = self._stages
        record = stages.store.add_name(record.video_id, place_of(source))
        frames = stages.store.read(record.video_id)
        problem = "already indexed"
        renewed = bool(source.metadata) and dict(source.metadata) != dict(record.metadata)
        if renewed:
            record = replace(record, metadata=source.metadata)
            # Gone rows are missed by the next batch if this one ends here; rows with the old metadata would not be.
            stages.index.delete_video(record.video_id)
            stages.store.write(record, frames)
            problem += "; its metadata was replaced"
        rows = self._rows(frames, record.metadata)
        missing = stages.index.keys_of(record.video_id) != {row.key for row in rows}
        if missing:
            problem += f"; its {len(rows)} rows were missing from the index and were written again"
        if record.status is Status.PARTIAL:
            problem += f" (damaged: {record.problem})"
        report = report_of(source, record, frames, end=None, segments=0, elapsed_seconds=time.monotonic() - started)
        is_written = missing or renewed
        report = replace(report, status=Status.SKIPPED, problem=problem, segments=len(rows) if is_written else 0)
        if is_written:
            self._twins[record.video_id] = []
            self._await_write(report, rows)
        else:
            self._conclude(report)

    def _rows(self, frames: FrameEmbeddings, metadata: Mapping[str, Scalar]) -> list[IndexedSegment]:
        stages = self._stages
        return segment_rows(
            frames,
            segmenter=stages.segmenter,
            aggregator=stages.aggregator,
            segmentation_fingerprint=stages.segmentation_fingerprint,
            metadata=metadata,
        )

    def _await_write(self, report: VideoReport, rows: list[IndexedSegment]) -> None:
        if not self._written:
            self._oldest = time.monotonic()
        self._written.append(_Written(report, rows))

    def _write(self, written: list[_Written]) -> None:
        index = self._stages.index
        with self._index_watch:
            for each in written:
                remove_other_rows(index, str(each.report.video_id), each.rows)
            index.upsert([row for each in written for row in each.rows])

    def _write_alone(self, written: _Written) -> None:
        try:
            self._write([written])
        except MomentIndexError as error:
            report = written.report
            self._report_failure(report.source, str(error), report.video_id, time.monotonic() - report.elapsed_seconds)
        else:
            self._conclude(written.report)

    def _report_failure(self, source: Source, problem: str, video_id: str | None, started: float) -> None:
        elapsed = time.monotonic() - started
        report = VideoReport(
            source=source, status=Status.FAILED, problem=problem, video_id=video_id, elapsed_seconds=elapsed
        )
        self._conclude(report)

    def _conclude(self, report: VideoReport) -> None:
        """Let a report out, and those of the sources with the same content."""
        self._reports.append(report)
        if report.video_id is None:
            return
        self._started.pop(report.video_id, None)
        self._ended.setdefault(report.video_id, report)
        for twin in self._twins.pop(report.video_id, []):
            self._settle_twin(twin, report)

    def _settle_twin(self, twin: Source, first: VideoReport) -> None:
        same = f"same content as {first.source.uri!r}" if twin.uri != first.source.uri else "named twice in this batch"
        if first.status is Status.FAILED:
            self._reports.append(
                replace(first, source=twin, problem=f"{same}, which failed: {first.problem}", elapsed_seconds=0.0)
            )
            return
        try:
            self._stages.store.add_name(str(first.video_id), place_of(twin))
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with one video becomes its report
            self._report_failure(twin, failure_of(error, twin.uri).problem, first.video_id, time.monotonic())
            return
        self._reports.append(
            replace(
                first,
                source=twin,
                status=Status.SKIPPED,
                problem=same,
                frames_decoded=0,
                frames_seen=0,
                segments=0,
                elapsed_seconds=0.0,
            )
        )
