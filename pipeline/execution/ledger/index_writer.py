"""Writes the rows of several videos to the index in one call."""

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
class _Waiting:
    """A video that is in the store and whose rows are not in the index yet."""

    report: VideoReport
    rows: Sequence[IndexedSegment]


class RowWriter:
    """Collects the rows of videos and writes them together; its length is the number of pending rows.

    Args:
        sink: Where they go.

    Attributes:
        last_seconds: Time that the last writing took.
    """

    def __init__(self, sink: EmbeddingSink) -> None:
        self._sink = sink
        self._waiting: list[_Waiting] = []
        self._rows = 0
        self._watch = Stopwatch()
        self.last_seconds = 0.0

    def __len__(self) -> int:
        return self._rows

    @property
    def is_empty(self) -> bool:
        """Whether no video is pending; a pending video may have no rows."""
        return not self._waiting

    @property
    def seconds(self) -> float:
        """Time spent writing."""
        return self._watch.seconds

    def add(self, report: VideoReport, rows: Sequence[IndexedSegment]) -> None:
        """Add a video's rows, and the report that it gets once they are written."""
        self._waiting.append(_Waiting(report, rows))
        self._rows += len(rows)

    def write(self) -> list[tuple[VideoReport, str | None]]:
        """Write all pending rows; return each video's report, and why its rows could not be written or None.

        Raises:
            MomentIndexError: The index cannot be used.
        """
        waiting, self._waiting, self._rows = self._waiting, [], 0
        if not waiting:
            return []
        before = self.seconds
        try:
            return self._written(waiting)
        finally:
            self.last_seconds = self.seconds - before

    def _written(self, waiting: Sequence[_Waiting]) -> list[tuple[VideoReport, str | None]]:
        try:
            self._write(waiting)
        except (FingerprintMismatchError, IndexLockedError):
            raise
        except MomentIndexError as error:
            if os.strerror(errno.ENOSPC) in str(error):
                raise
            # One video's rows may be to blame; an index that does not even count is to blame itself.
            self._sink.check()
            return [(each.report, self._problem_alone(each)) for each in waiting]
        return [(each.report, None) for each in waiting]

    def _problem_alone(self, video: _Waiting) -> str | None:
        try:
            self._write([video])
        except MomentIndexError as error:
            return str(error)
        return None

    def _write(self, videos: Sequence[_Waiting]) -> None:
        with self._watch:
            self._sink.write_rows({str(each.report.video_id): each.rows for each in videos})
