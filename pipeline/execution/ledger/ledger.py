"""Tracks each source of a batch from admission to its report; the only writer of the batch's sink."""

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

# A server takes about as long to write many rows as a few, and nothing else is done meanwhile.
_WAITS_FOR_A_WRITE = 10
_LONGEST_WAIT_SECONDS = 10.0
# Known videos whose rows are looked for in one go.
_KNOWN_AT_ONCE = 64


@dataclass(frozen=True)
class _Known:
    """A video that the store holds, of which the index is to be asked for these rows."""

    report: VideoReport
    metadata: Mapping[str, Scalar]
    keys: frozenset[str]


class Ledger:
    """Tracks the sources of one batch: every source that is entered gets exactly one report.

    A source is entered by `admit` or `fail`. One that was admitted must end by `finish` or `fail`. Reports come out of
    `reports`, those of written videos after their rows are in the index, which is asked and written in batches.

    Args:
        sink: Takes the embeddings of the batch.
        rows_per_write: Rows that are gathered before the index is written.
        patience_seconds: A written video waits no longer than this for others, or than ten times what the last writing
            took, but for no more than ten seconds.
    """

    def __init__(self, sink: EmbeddingSink, *, rows_per_write: int, patience_seconds: float = 1.0) -> None:
        self._sink = sink
        self._rows_per_write = rows_per_write
        self._patience_seconds = patience_seconds
        self._started_at: dict[str, float] = {}
        self._duplicates: dict[str, list[Source]] = {}
        # Of a hundred thousand finished videos, only the first source of each is stored.
        self._finished: dict[str, Source] = {}
        self._failed: dict[str, VideoReport] = {}
        # Of which videos this batch has said the metadata: the first that says any counts.
        self._described: set[str] = set()
        self._known: list[_Known] = []
        self._writer = RowWriter(sink)
        self._oldest = 0.0
        self._reports: list[VideoReport] = []
        self._counts = Counter[Status]()
        self._store_watch = Stopwatch()

    @property
    def counts(self) -> LedgerCounts:
        """Counts and times of the batch until now."""
        return LedgerCounts(
            ended=self._counts.total(),
            failed=self._counts[Status.FAILED],
            skipped=self._counts[Status.SKIPPED],
            store_seconds=self._store_watch.seconds,
            index_seconds=self._writer.seconds,
        )

    def admit(self, source: Source, video_id: str) -> bool:
        """Enter a source whose content is known; whether it must be worked on now.

        Raises:
            ConfigError: Its rows cannot be made with this segmentation.
            MomentIndexError: The index cannot be used.
            StoreFullError: There is no space left.
        """
        started = time.monotonic()
        try:
            # The index would refuse it after all the work, and again whenever it is rebuilt.
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
        """Restart the clock of an admitted video: the work on it begins now."""
        self._started_at[video_id] = time.monotonic()

    def finish(self, source: Source, frames: FrameEmbeddings, end: VideoEnd) -> None:
        """Store a processed video, for its source and all sources with the same content.

        Raises:
            ConfigError: Its rows cannot be made with this segmentation.
            StoreFullError: There is no space left; no other video could be kept either.
        """
        named = (source, *self._duplicates[frames.video_id])
        names = tuple(dict.fromkeys(kept_name(each.uri) for each in named))
        described = next((each for each in named if each.metadata), source)
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
        self._await_writing(report, rows)

    def fail(self, source: Source, failure: Failure | Lost, video_id: str | None = None) -> list[Source]:
        """Report a source that could not be processed, and all sources with the same content.

        Returns:
            Those that are to be entered again: the same content at another place, where only this place is to blame.
        """
        started = self._started_at.get(video_id or "", time.monotonic())
        is_of_place = isinstance(failure, Lost) or failure.is_of_place
        others = self._duplicates.pop(video_id, []) if is_of_place and video_id is not None else []
        self._report_failure(source, failure.problem, video_id, started, is_of_place=is_of_place)
        return others

    def flush(self) -> None:
        """Write all waiting rows to the index, which makes their videos' reports ready.

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
        """The reports that are ready since the last call; with `all_written` the index is written first.

        Raises:
            MomentIndexError: The index cannot be used.
        """
        longer = min(_WAITS_FOR_A_WRITE * self._writer.last_seconds, _LONGEST_WAIT_SECONDS)
        patience = max(self._patience_seconds, longer)
        is_due = all_written or time.monotonic() - self._oldest > patience
        if self._known and (is_due or len(self._known) >= _KNOWN_AT_ONCE):
            self._ask_for_known()
        if is_due or len(self._writer) >= self._rows_per_write:
            self.flush()
        ready, self._reports = self._reports, []
        self._counts.update(report.status for report in ready)
        yield from ready

    def _is_known(self, source: Source, video_id: str, started: float) -> bool:
        """Whether a source needs no work, as its content has ended in this batch or is in the store."""
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
        """A video that the store holds: note its name and metadata, and see that the index has its rows."""
        sink = self._sink
        record, replaced = self._named(record.video_id, source)
        self._described.update([record.video_id] if source.metadata else [])
        frames = sink.store.read(record.video_id)
        problem = ALREADY_INDEXED
        renewed = bool(source.metadata) and dict(source.metadata) != dict(record.metadata)
        if renewed:
            record = replace(record, metadata=source.metadata)
            # Gone rows are missed by the next batch if this one ends here; rows with the old metadata would not be.
            sink.delete_rows(record.video_id)
            sink.store.write(record, frames)
            problem += "; its metadata was replaced"
        if record.status is Status.PARTIAL:
            problem += f" (damaged: {record.problem})"
        report = report_of(source, record, frames, end=None, segments=0, elapsed_seconds=time.monotonic() - started)
        report = replace(report, status=Status.SKIPPED, problem=problem, replaced=replaced)
        if renewed:
            rows = sink.rows(frames, record.metadata)
            self._await_writing(replace(report, segments=len(rows)), rows)
        else:
            self._note_wait()
            self._known.append(_Known(report, record.metadata, sink.row_keys(frames)))
        self._duplicates[record.video_id] = []

    def _ask_for_known(self) -> None:
        """Let out the reports of known videos whose rows the index has, and write those that it misses."""
        known, self._known = self._known, []
        found = self._sink.written_keys(*(str(each.report.video_id) for each in known))
        has_others = bool(found - frozenset[str]().union(*(each.keys for each in known)))
        for each in known:
            video_id = str(each.report.video_id)
            if (self._sink.written_keys(video_id) == each.keys) if has_others else (each.keys <= found):
                self._conclude(each.report)
            else:
                self._write_again(each)

    def _write_again(self, known: _Known) -> None:
        report = known.report
        try:
            rows = self._sink.rows(self._sink.store.read(str(report.video_id)), known.metadata)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with one video becomes its report
            problem = failure_of(error, report.source.uri).problem
            self._report_failure(report.source, problem, report.video_id, time.monotonic() - report.elapsed_seconds)
            return
        said = "its 1 row was" if len(rows) == 1 else f"its {len(rows)} rows were"
        missing = f"{report.problem}; {said} missing from the index and {said.rpartition(' ')[2]} written again"
        self._await_writing(replace(report, problem=missing, segments=len(rows)), rows)

    def _await_writing(self, report: VideoReport, rows: Sequence[IndexedSegment]) -> None:
        self._note_wait()
        self._writer.add(report, rows)

    def _note_wait(self) -> None:
        if not self._known and self._writer.is_empty:
            self._oldest = time.monotonic()

    def _report_failure(
        self, source: Source, problem: str, video_id: str | None, started: float, *, is_of_place: bool = False
    ) -> None:
        elapsed = time.monotonic() - started
        report = VideoReport(
            source=source, status=Status.FAILED, problem=problem, video_id=video_id, elapsed_seconds=elapsed
        )
        self._conclude(report, is_of_place=is_of_place)

    def _conclude(self, report: VideoReport, *, is_of_place: bool = False) -> None:
        """Let a report out, and those of the sources with the same content."""
        self._reports.append(report)
        if report.video_id is None:
            return
        self._started_at.pop(report.video_id, None)
        if is_of_place:
            return
        if report.status is Status.FAILED:
            self._failed.setdefault(report.video_id, report)
        else:
            self._finished.setdefault(report.video_id, report.source)
        for duplicate in self._duplicates.pop(report.video_id, []):
            if report.video_id in self._duplicates:
                # One before it had the video worked on once more.
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
        """The record of a kept video that was found at a place, and the videos that were there before."""
        name = kept_name(source.uri)
        record = self._sink.store.add_name(video_id, name)
        return record, self._take_names(video_id, (name,))

    def _take_names(self, video_id: str, names: Sequence[str]) -> tuple[str, ...]:
        """Assign names to one video only; return the ids of the videos that lost one."""
        return tuple(dict.fromkeys(other for name in names for other in self._sink.store.take_name(video_id, name)))
