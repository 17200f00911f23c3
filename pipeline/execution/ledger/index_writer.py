"""Write the rows of several videos to the index in one call."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import FingerprintMismatchError, IndexLockedError, MomentIndexError
from pipeline.execution.protocol import EmbeddingSink
from pipeline.execution.stage_times import Stopwatch
from pipeline.types import IndexedSegment, VideoReport

__all__ = ["RowWriter"]


@dataclass(frozen=True)
class _PendingVideo:
    """A video that is in the store, but whose rows are not in the index yet."""

    report: VideoReport
    rows: Sequence[IndexedSegment]


class RowWriter:
    """Collects the rows of videos and writes them together; its length is the number of pending rows.

    Args:
        sink: Receives the rows.

    Attributes:
        last_seconds: Time that the last write took.
    """

    def __init__(self, sink: EmbeddingSink) -> None:
        self._sink = sink
        self._pending: list[_PendingVideo] = []
        self._rows = 0
        self._watch = Stopwatch()
        self.last_seconds = 0.0

    def __len__(self) -> int:
        return self._rows

    @property
    def is_empty(self) -> bool:
        """Whether no video is pending; a pending video may have no rows."""
        return not self._pending

    @property
    def seconds(self) -> float:
        """Time spent writing."""
        return self._watch.seconds

    def add(self, report: VideoReport, rows: Sequence[IndexedSegment]) -> None:
        """Add a video's rows, and the report that it gets once they are written."""
        self._pending.append(_PendingVideo(report, rows))
        self._rows += len(rows)

    def write(self) -> list[tuple[VideoReport, str | None]]:
        """Write all pending rows; return each video's report, and the reason if its rows could not be written.

        Raises:
            MomentIndexError: The index cannot be used.
        """
        pending, self._pending, self._rows = self._pending, [], 0
        if not pending:
            return []
        before = self.seconds
        try:
            return self._written(pending)
        finally:
            self.last_seconds = self.seconds - before

    def _written(self, pending: Sequence[_PendingVideo]) -> list[tuple[VideoReport, str | None]]:
        try:
            self._write(pending)
        except (FingerprintMismatchError, IndexLockedError):
            raise
        except MomentIndexError as error:
            if os.strerror(errno.ENOSPC) in str(error):
                raise
            # The rows of one video may be the cause, unless the index is unusable altogether.
            self._sink.check()
            return [(video.report, self._problem_alone(video)) for video in pending]
        return [(video.report, None) for video in pending]

    def _problem_alone(self, video: _PendingVideo) -> str | None:
        try:
            self._write([video])
        except MomentIndexError as error:
            return str(error)
        return None

    def _write(self, videos: Sequence[_PendingVideo]) -> None:
        with self._watch:
            self._sink.write_rows({str(video.report.video_id): video.rows for video in videos})
