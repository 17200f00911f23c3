"""Label session: labels videos of a library with the snapshot of a label set."""

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
    """Labels videos of a library with one label set.

    Args:
        store: Store of the library's frame embeddings.
        name: The user's name of the label set.
        label_set: The labels.
        make_scorer: Makes the label set's scorer, calibrated for the library; called if none is stored.
        write_rows: Writes the stored labels of videos to the index's rows.
        refresh: Updates a stored scorer to the library's current concepts and videos; returns the same object if none
            changed.
        renew: Whether to replace a stored scorer.
    """

    def __init__(
        self,
        store: ParquetStore,
        name: str,
        label_set: LabelSet,
        make_scorer: Callable[[LabelSet], LabelScorer],
        write_rows: Callable[[Sequence[VideoRecord]], object],
        *,
        refresh: Callable[[LabelSet, LabelScorer], LabelScorer],
        renew: bool = False,
    ) -> None:
        self.labels = LabelStore(store.root_url, label_set.fingerprint, store.encoder_fingerprint)
        self._store = store
        self._name = name
        self._label_set = label_set
        self._make_scorer = make_scorer
        self._write_rows = write_rows
        self._refresh = refresh
        self._renew = renew
        self._snapshot: LabelSnapshot | None = None

    def load(self) -> None:
        """Load the stored scorer, if there is one, so that labelling loads no model.

        Raises:
            StoreError: The snapshot is broken.
        """
        if self._snapshot is None and not self._renew:
            self._snapshot = read_snapshot(self.labels)

    def snapshot(self) -> LabelSnapshot:
        """Return the stored snapshot; make and store it if there is none.

        Raises:
            QueryError: The library has no video yet, or an example names a missing video or part.
            VideoError: An example file cannot be read.
            TextTooLongError: A prompt does not fit the model's context.
            WeightsUnavailableError: The weights of the model are not available.
            StoreError: The snapshot cannot be read or written.
        """
        self.load()
        if self._snapshot is None:
            scorer = self._make_scorer(self._label_set)
            videos = len(self._store.video_ids())
            self._snapshot = keep_snapshot(
                self.labels, self._name, self._label_set, scorer, videos, replace=self._renew
            )
        return self._snapshot

    def refresh(self) -> None:
        """Update a stored snapshot to the current concepts and videos that its labels are based on.

        If one has changed, all labelled videos are out of date.

        Raises:
            QueryError: A concept no longer exists, or cannot be used in this library.
            StoreError: A concept, a video or the snapshot cannot be read or written.
        """
        self.load()
        if self._snapshot is None:
            return
        scorer = self._refresh(self._label_set, self._snapshot.scorer)
        if scorer is not self._snapshot.scorer:
            videos = self._snapshot.videos
            self._snapshot = keep_snapshot(self.labels, self._name, self._label_set, scorer, videos, replace=True)
            _log.warning("%s: concepts or example videos changed; all videos are labelled again", self._name)

    def label(
        self, records: Iterable[VideoRecord], execution: Execution = _IN_PROCESS, *, again: bool = False
    ) -> Generator[LabelReport]:
        """Label videos, see `labelling.label_records`, and make the label set the library's current one.

        At the end, the labels are written to the index's rows, including those of videos labelled earlier. An
        interrupted run, or one that could not write to the index, is completed by running it again.

        Raises:
            MomentseekError: As for `snapshot` and `label_records`, or the index cannot be written.
        """
        some = list(records)
        labeller = VideoLabeller(self._store, self.snapshot())
        make_current(self.labels)
        with closing(label_records(self.labels, labeller, some, execution, again=again)) as reports:
            yield from reports
        self._write_rows(some)

    def labelled(self, reports: Generator[VideoReport]) -> Generator[VideoReport]:
        """Yield the reports of a batch, and label its videos.

        Each video is labelled when it is stored if the scorer is loaded. Otherwise all are labelled at the end, when
        the library has enough frames to calibrate a scorer. Failures are logged as errors; the videos are indexed
        nevertheless, and `momentseek label` labels the rest.
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
        """Label some videos and remove them from the list."""
        try:
            found = (self._store.record(video_id) for video_id in dict.fromkeys(video_ids))
            records = [record for record in found if record is not None]
            for report in self.label(records) if records else ():
                if report.problem is not None:
                    _log.error("%s is indexed, but not labelled: %s", report.name, report.problem)
        except MomentseekError as error:
            _log.error("the videos are indexed, but not labelled: %s; label them by: momentseek label", error)
        video_ids.clear()
