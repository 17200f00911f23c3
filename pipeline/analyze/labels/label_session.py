"""Label session: the snapshot of a label set in a library, made when the first video is labelled."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing

from pipeline.analyze.labels.label_scorer import LabelScorer
from pipeline.analyze.labels.label_set import LabelSet
from pipeline.analyze.labels.label_store import LabelStore
from pipeline.analyze.labels.labelling import LabelReport, VideoLabeller, label_records
from pipeline.analyze.labels.snapshot import LabelSnapshot, keep_snapshot, make_current, read_snapshot
from pipeline.errors import MomentseekError
from pipeline.execution.settings import Execution
from pipeline.store import ParquetStore
from pipeline.types import Status, VideoRecord, VideoReport

__all__ = ["LabelSession"]

_log = logging.getLogger(__name__)

_IN_PROCESS = Execution(executor="in_process")


class LabelSession:
    """Labels videos of a library by one label set.

    Args:
        store: Of the library's frame embeddings.
        name: What the user calls the label set.
        label_set: The labels.
        make_scorer: Makes the label set's scorer, calibrated for the library; called if none is kept.
        write_rows: Writes the labels that are kept of videos to the index's rows.
        renew: Whether a scorer that is kept is made anew.
    """

    def __init__(
        self,
        store: ParquetStore,
        name: str,
        label_set: LabelSet,
        make_scorer: Callable[[LabelSet], LabelScorer],
        write_rows: Callable[[Sequence[VideoRecord]], object],
        *,
        renew: bool = False,
    ) -> None:
        self.labels = LabelStore(store.root_url, label_set.fingerprint, store.encoder_fingerprint)
        self._store = store
        self._name = name
        self._label_set = label_set
        self._make_scorer = make_scorer
        self._write_rows = write_rows
        self._renew = renew
        self._snapshot: LabelSnapshot | None = None

    def load(self) -> None:
        """Load the scorer if one is kept, so that labelling loads no model.

        Raises:
            StoreError: It is broken.
        """
        if self._snapshot is None and not self._renew:
            self._snapshot = read_snapshot(self.labels)

    def snapshot(self) -> LabelSnapshot:
        """Return the kept snapshot; make and keep it where there is none.

        Raises:
            QueryError: The library holds no video yet, or an example names a video or part that is not there.
            VideoError: An example file cannot be read.
            TextTooLongError: A prompt does not fit the model's context.
            WeightsUnavailableError: The model cannot be had.
            StoreError: It cannot be read or written.
        """
        self.load()
        if self._snapshot is None:
            scorer = self._make_scorer(self._label_set)
            videos = len(self._store.video_ids())
            self._snapshot = keep_snapshot(
                self.labels, self._name, self._label_set, scorer, videos, replace=self._renew
            )
        return self._snapshot

    def label(
        self, records: Iterable[VideoRecord], execution: Execution = _IN_PROCESS, *, again: bool = False
    ) -> Generator[LabelReport]:
        """Label videos; see `labelling.label_records`. From now on the label set is the library's.

        At the end the index's rows get the labels, of videos that were labelled before, too: what was ended early, or
        could not write to the index, is complete once it is run again.

        Raises:
            MomentseekError: As `snapshot` and `label_records` do, or the index cannot be written.
        """
        some = list(records)
        labeller = VideoLabeller(self._store, self.snapshot())
        make_current(self.labels)
        with closing(label_records(self.labels, labeller, some, execution, again=again)) as reports:
            yield from reports
        self._write_rows(some)

    def labelled(self, reports: Generator[VideoReport]) -> Generator[VideoReport]:
        """Yield the reports of a batch, and label its videos.

        Each video is labelled once it is stored, if the scorer has been loaded; else all of them at the end, when the
        library shows enough to calibrate a scorer. What cannot be labelled is logged as an error: the videos are
        indexed all the same, and `momentseek label` labels what is left.
        """
        waiting: list[str] = []
        with closing(reports):
            for report in reports:
                if report.video_id is not None and report.status is not Status.FAILED:
                    waiting.append(report.video_id)
                    if self._snapshot is not None:
                        self._label(waiting)
                yield report
        self._label(waiting)

    def _label(self, video_ids: list[str]) -> None:
        """Label some videos, and forget them."""
        try:
            found = (self._store.record(video_id) for video_id in dict.fromkeys(video_ids))
            records = [record for record in found if record is not None]
            for report in self.label(records) if records else ():
                if report.problem is not None:
                    _log.error("%s is indexed, and not labelled: %s", report.name, report.problem)
        except MomentseekError as error:
            _log.error("the videos are indexed, and not labelled: %s; label them by: momentseek label", error)
        video_ids.clear()
