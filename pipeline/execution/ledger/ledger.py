"""Track each source of a batch from admission to its report; the only writer of the batch's sink."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.errors import ConfigError, MomentIndexError, StoreFullError
from pipeline.execution.ledger.index_writer import RowWriter
from pipeline.execution.ledger.reports import ALREADY_INDEXED, duplicate_report, record_of, report_as_before, report_of
from pipeline.execution.per_video.messages import Failure, Lost, VideoEnd, failure_of
from pipeline.execution.progress import LedgerCounts
from pipeline.execution.protocol import EmbeddingSink
from pipeline.execution.stage_times import Stopwatch
from pipeline.index.validation import check_metadata
from pipeline.types import FrameEmbeddings, IndexedSegment, Scalar, Source, Status, VideoRecord, VideoReport
from pipeline.uris import kept_name

__all__ = ["Ledger"]

# A server needs about as long for many rows as for a few, and the driver is blocked meanwhile.
_WAIT_PER_WRITE = 10
_MAX_ADAPTED_WAIT_SECONDS = 10.0
# Number of known videos whose rows are checked in one request.
_KNOWN_AT_ONCE = 64


@dataclass(frozen=True)
class _StoredVideo:
    """A video that the store holds, and the keys of the rows that the index should have."""

    report: VideoReport
    metadata: Mapping[str, Scalar]
    keys: frozenset[str]


class Ledger:
    """Tracks the sources of one batch: every source that enters gets exactly one report.

    A source enters by `admit` or `fail`. An admitted source must end by `finish` or `fail`. `reports` yields the
    reports of finished videos after their rows are in the index, which is read and written for several videos at once.

    Args:
        sink: Receives the embeddings of the batch.
        rows_per_write: Number of rows that are collected before the index is written.
        max_wait_seconds: Maximum time that a finished video waits for others before its rows are written. If writing
            is slow, it waits up to ten times as long as the last write took, but no more than ten seconds.
    """

    def __init__(self, sink: EmbeddingSink, *, rows_per_write: int, max_wait_seconds: float = 1.0) -> None:
        self._sink = sink
        self._rows_per_write = rows_per_write
        self._max_wait_seconds = max_wait_seconds
        self._started_at: dict[str, float] = {}
        self._duplicates: dict[str, list[Source]] = {}
        # Only the first source of each finished video is stored: a batch may have a hundred thousand videos.
        self._finished: dict[str, Source] = {}
        self._failed: dict[str, VideoReport] = {}
        # Videos that got metadata from this batch; the first metadata given for a video counts.
        self._described: set[str] = set()
        self._known: list[_StoredVideo] = []
        self._writer = RowWriter(sink)
        self._waiting_since = 0.0
        self._reports: list[VideoReport] = []
        self._counts = Counter[Status]()
        self._store_watch = Stopwatch()

    @property
    def counts(self) -> LedgerCounts:
        """Counts and times of the batch so far."""
        return LedgerCounts(
            ended=self._counts.total(),
            failed=self._counts[Status.FAILED],
            skipped=self._counts[Status.SKIPPED],
            store_seconds=self._store_watch.seconds,
            index_seconds=self._writer.seconds,
        )

    def admit(self, source: Source, video_id: str) -> bool:
        """Enter a source whose content is identified; return whether it must be processed.

        Raises:
            ConfigError: Rows cannot be made with this segmentation.
            MomentIndexError: The index cannot be used.
            StoreFullError: There is no space left.
        """
        started = time.monotonic()
        try:
            # The index would reject such metadata after all the work, and at every rebuild.
            check_metadata(source.metadata)
        except MomentIndexError as error:
            self._report_failure(source, str(error), None, started)
            return False
        if video_id in self._duplicates:
            self._duplicates[video_id].append(source)
            return False
        if self._is_known(source, video_id, started):
            return False
        self._started_at[video_id] = started
        self._duplicates[video_id] = []
        return True

    def begin(self, video_id: str) -> None:
        """Restart the clock of an admitted video: its processing begins now."""
        self._started_at[video_id] = time.monotonic()

    def finish(self, source: Source, frames: FrameEmbeddings, end: VideoEnd) -> None:
        """Store a processed video, for its source and all sources with the same content.

        Raises:
            ConfigError: Rows cannot be made with this segmentation.
            StoreFullError: There is no space left, so no other video could be stored either.
        """
        sources = (source, *self._duplicates[frames.video_id])
        names = tuple(dict.fromkeys(kept_name(each.uri) for each in sources))
        described = next((each for each in sources if each.metadata), source)
        self._described.update([frames.video_id] if described.metadata else [])
        record = record_of(names, described, frames, end)
        try:
            with self._store_watch:
                self._sink.store.write(record, frames)
                replaced = self._take_names(record.video_id, names)
            rows = self._sink.rows(frames, record.metadata)
        except (ConfigError, StoreFullError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with one video becomes its report
            problem = failure_of(error, source.uri).problem
            self._report_failure(source, problem, frames.video_id, self._started_at[frames.video_id])
            return
        report = report_of(
            source,
            record,
            frames,
            end=end,
            segments=len(rows),
            elapsed_seconds=time.monotonic() - self._started_at[frames.video_id],
            replaced=replaced,
        )
        self._queue_rows(report, rows)

    def fail(self, source: Source, failure: Failure | Lost, video_id: str | None = None) -> list[Source]:
        """Report a source that could not be processed, and all sources with the same content.

        Returns:
            Sources to enter again: those with the same content under another path, if only this path is the problem.
        """
        started = self._started_at.get(video_id or "", time.monotonic())
        is_path_specific = isinstance(failure, Lost) or failure.is_path_specific
        others = self._duplicates.pop(video_id, []) if is_path_specific and video_id is not None else []
        self._report_failure(source, failure.problem, video_id, started, is_path_specific=is_path_specific)
        return others

    def flush(self) -> None:
        """Write all pending rows to the index, which completes their videos' reports.

        Raises:
            MomentIndexError: The index cannot be used.
        """
        for report, problem in self._writer.write():
            if problem is None:
                self._conclude(report)
            else:
                began = time.monotonic() - report.elapsed_seconds
                self._report_failure(report.source, problem, report.video_id, began)

    def reports(self, *, all_written: bool = False) -> Iterator[VideoReport]:
        """Yield the reports completed since the last call; with `all_written`, the index is written first.

        Raises:
            MomentIndexError: The index cannot be used.
        """
        adapted = min(_WAIT_PER_WRITE * self._writer.last_seconds, _MAX_ADAPTED_WAIT_SECONDS)
        max_wait = max(self._max_wait_seconds, adapted)
        is_due = all_written or time.monotonic() - self._waiting_since > max_wait
        if self._known and (is_due or len(self._known) >= _KNOWN_AT_ONCE):
            self._check_known()
        if is_due or len(self._writer) >= self._rows_per_write:
            self.flush()
        ready, self._reports = self._reports, []
        self._counts.update(report.status for report in ready)
        yield from ready

    def _is_known(self, source: Source, video_id: str, started: float) -> bool:
        """Whether a source needs no work, since its content has ended in this batch or is in the store."""
        if video_id in self._failed:
            self._settle_duplicate(source, self._failed[video_id])
            return True
        try:
            record = self._sink.store.record(video_id)
            if record is None:
                return False
            if video_id in self._finished:
                self._settle_duplicate(source, report_as_before(self._finished[video_id], record))
            else:
                self._revisit(source, record, started)
        except (ConfigError, MomentIndexError, StoreFullError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with one video becomes its report
            self._report_failure(source, failure_of(error, source.uri).problem, video_id, started)
        return True

    def _revisit(self, source: Source, record: VideoRecord, started: float) -> None:
        """Update the name and metadata of a video in the store, and have its rows in the index checked."""
        sink = self._sink
        record, replaced = self._named(record.video_id, source)
        self._described.update([record.video_id] if source.metadata else [])
        frames = sink.store.read(record.video_id)
        problem = ALREADY_INDEXED
        is_changed = bool(source.metadata) and dict(source.metadata) != dict(record.metadata)
        if is_changed:
            record = replace(record, metadata=source.metadata)
            # If this batch ends here, the next one notices missing rows, but not rows with the old metadata.
            sink.delete_rows(record.video_id)
            sink.store.write(record, frames)
            problem += "; its metadata was replaced"
        if record.status is Status.PARTIAL:
            problem += f" (damaged: {record.problem})"
        report = report_of(source, record, frames, end=None, segments=0, elapsed_seconds=time.monotonic() - started)
        report = replace(report, status=Status.SKIPPED, problem=problem, replaced=replaced)
        if is_changed:
            rows = sink.rows(frames, record.metadata)
            self._queue_rows(replace(report, segments=len(rows)), rows)
        else:
            self._start_waiting()
            self._known.append(_StoredVideo(report, record.metadata, sink.row_keys(frames)))
        self._duplicates[record.video_id] = []

    def _check_known(self) -> None:
        """Report the known videos whose rows are in the index, and write the rows of the others."""
        known, self._known = self._known, []
        found = self._sink.written_keys(*(str(video.report.video_id) for video in known))
        has_others = bool(found - frozenset[str]().union(*(video.keys for video in known)))
        for video in known:
            video_id = str(video.report.video_id)
            if (self._sink.written_keys(video_id) == video.keys) if has_others else (video.keys <= found):
                self._conclude(video.report)
            else:
                self._write_again(video)

    def _write_again(self, known: _StoredVideo) -> None:
        report = known.report
        try:
            rows = self._sink.rows(self._sink.store.read(str(report.video_id)), known.metadata)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with one video becomes its report
            problem = failure_of(error, report.source.uri).problem
            self._report_failure(report.source, problem, report.video_id, time.monotonic() - report.elapsed_seconds)
            return
        subject, verb = ("its 1 row", "was") if len(rows) == 1 else (f"its {len(rows)} rows", "were")
        problem = f"{report.problem}; {subject} {verb} missing from the index and {verb} written again"
        self._queue_rows(replace(report, problem=problem, segments=len(rows)), rows)

    def _queue_rows(self, report: VideoReport, rows: Sequence[IndexedSegment]) -> None:
        self._start_waiting()
        self._writer.add(report, rows)

    def _start_waiting(self) -> None:
        if not self._known and self._writer.is_empty:
            self._waiting_since = time.monotonic()

    def _report_failure(
        self, source: Source, problem: str, video_id: str | None, started: float, *, is_path_specific: bool = False
    ) -> None:
        elapsed = time.monotonic() - started
        report = VideoReport(
            source=source, status=Status.FAILED, problem=problem, video_id=video_id, elapsed_seconds=elapsed
        )
        self._conclude(report, is_path_specific=is_path_specific)

    def _conclude(self, report: VideoReport, *, is_path_specific: bool = False) -> None:
        """Complete a report, and those of the sources with the same content."""
        self._reports.append(report)
        if report.video_id is None:
            return
        self._started_at.pop(report.video_id, None)
        if is_path_specific:
            return
        if report.status is Status.FAILED:
            self._failed.setdefault(report.video_id, report)
        else:
            self._finished.setdefault(report.video_id, report.source)
        for duplicate in self._duplicates.pop(report.video_id, []):
            if report.video_id in self._duplicates:
                # An earlier duplicate has made the video be processed again.
                self._duplicates[report.video_id].append(duplicate)
            else:
                self._settle_duplicate(duplicate, report)

    def _settle_duplicate(self, duplicate: Source, first: VideoReport) -> None:
        video_id, metadata = str(first.video_id), first.source.metadata
        replaced: tuple[str, ...] = ()
        if first.status is not Status.FAILED:
            try:
                record, replaced = self._named(video_id, duplicate)
                if duplicate.metadata and video_id not in self._described:
                    self._revisit(duplicate, record, time.monotonic())
                    return
                metadata = record.metadata
            except (ConfigError, MomentIndexError, StoreFullError):
                raise
            except Exception as error:  # noqa: BLE001 - whatever goes wrong with one video becomes its report
                self._report_failure(
                    duplicate, failure_of(error, duplicate.uri).problem, first.video_id, time.monotonic()
                )
                return
        self._reports.append(replace(duplicate_report(duplicate, first, metadata), replaced=replaced))

    def _named(self, video_id: str, source: Source) -> tuple[VideoRecord, tuple[str, ...]]:
        """Add a name to a stored video; return its record, and the videos that had this name before."""
        name = kept_name(source.uri)
        record = self._sink.store.add_name(video_id, name)
        return record, self._take_names(video_id, (name,))

    def _take_names(self, video_id: str, names: Sequence[str]) -> tuple[str, ...]:
        """Assign names to one video only; return the ids of the videos that lost one."""
        return tuple(dict.fromkeys(other for name in names for other in self._sink.store.take_name(video_id, name)))
