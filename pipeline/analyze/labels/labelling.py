"""Labelling: scores the stored frames of videos, one video at a time, and stores scores and tracks."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass

from pipeline.analyze.frame_intervals import frame_intervals
from pipeline.analyze.labels.label_store import LabelState, LabelStore
from pipeline.analyze.labels.snapshot import LabelSnapshot
from pipeline.analyze.labels.tracks import SampledFrames, VideoLabels, label_tracks, rounded_log_odds
from pipeline.errors import StoreError, StoreFullError
from pipeline.execution.per_video.messages import Failure
from pipeline.execution.settings import Execution
from pipeline.execution.video_tasks import for_each_video
from pipeline.store import ParquetStore
from pipeline.types import FrameEmbeddings, Status, VideoRecord

__all__ = ["LabelReport", "VideoLabeller", "is_up_to_date", "label_records"]


@dataclass(frozen=True)
class LabelReport:
    """The outcome of the labelling of one video.

    Attributes:
        video_id: The video's id.
        name: The video's name.
        status: done, skipped (the labels are up to date) or failed.
        frames: Number of scored frames.
        intervals: Number of intervals found, of all labels.
        problem: The reason of a failure.
    """

    video_id: str
    name: str
    status: Status
    frames: int = 0
    intervals: int = 0
    problem: str | None = None


@dataclass(frozen=True, eq=False)
class VideoLabeller:
    """Labels stored videos with a snapshot; picklable.

    Attributes:
        store: Store of the frame embeddings.
        snapshot: The label set and its scorer.
    """

    store: ParquetStore
    snapshot: LabelSnapshot

    def read(self, video_id: str) -> FrameEmbeddings:
        """Read a video's frames.

        Raises:
            StoreError: There is no such video, or its file is broken.
        """
        return self.store.read(video_id)

    def work(self, read: FrameEmbeddings) -> VideoLabels:
        """Score the frames and find the intervals of the active labels.

        Raises:
            StoreError: The embeddings have another length than the scorer's vectors.
        """
        scorer = self.snapshot.scorer
        try:
            log_odds = rounded_log_odds(scorer.log_odds(read.vectors))
        except ValueError as error:
            raise StoreError(
                f"{read.video_id}: its embeddings cannot be scored ({error}); index the video again"
            ) from error
        frames = frame_intervals(read)
        tracked = [label for label in self.snapshot.label_set.active if label.mode == "on"]
        return VideoLabels(
            video_id=read.video_id,
            labels=scorer.names,
            frames=frames,
            log_odds=log_odds,
            tracks=label_tracks(frames, log_odds, scorer.names, tracked),
            sampled=SampledFrames.in_embeddings(read, self.store.sampling_fingerprint),
            scorer_fingerprint=self.snapshot.fingerprint,
        )


def is_up_to_date(labels: LabelStore, labeller: VideoLabeller, record: VideoRecord) -> bool:
    """Whether a video's labels are readable and made from its current frames with this snapshot."""
    wanted = LabelState(SampledFrames.of(record, labeller.store.sampling_fingerprint), labeller.snapshot.fingerprint)
    try:
        return labels.state(record.video_id) == wanted
    except StoreError:
        return False


def label_records(
    labels: LabelStore, labeller: VideoLabeller, records: Iterable[VideoRecord], execution: Execution, *, again: bool
) -> Generator[LabelReport]:
    """Label videos and yield a report for each when it ends. Only this process writes.

    Memory is bounded by the largest videos, regardless of their number. Reported videos are stored; an interrupted run
    can be continued by the same call. A video that cannot be labelled is reported, and the others continue.

    Args:
        labels: The store of the labels.
        labeller: The labeller.
        records: Records of the videos.
        execution: Execution settings: in this process or on Ray.
        again: Whether to label videos again whose labels are up to date.

    Raises:
        ExecutionError: The cluster cannot be reached or was lost.
        StoreFullError: There is no space left.
        StoreError: The labels cannot be listed.
    """
    waiting: dict[str, VideoRecord] = {}
    labelled = set() if again else set(labels.videos())
    for record in records:
        if record.video_id in labelled and is_up_to_date(labels, labeller, record):
            yield LabelReport(record.video_id, record.last_name, Status.SKIPPED)
        else:
            waiting[record.video_id] = record
    if not waiting:
        return
    from threadpoolctl import threadpool_limits

    # While one video is scored, another is read and a third is written. Busy-waiting threads of BLAS made the whole run
    # take twice as long, as measured on two processors.
    limits = threadpool_limits(limits=1, user_api="blas")
    with limits, closing(for_each_video(labeller, list(waiting), execution)) as results:
        for video_id, result in results:
            yield _kept(labels, labeller.store, waiting[video_id], result)


def _kept(labels: LabelStore, store: ParquetStore, record: VideoRecord, result: VideoLabels | Failure) -> LabelReport:
    video_id, name = record.video_id, record.last_name
    if isinstance(result, Failure):
        return LabelReport(video_id, name, Status.FAILED, problem=result.problem)
    try:
        labels.write(result)
        if store.record(video_id) is None:
            # A removal deletes the files that it finds afterwards; this one was written later, so it is deleted here.
            labels.delete(video_id)
            return LabelReport(video_id, name, Status.FAILED, problem="it was removed from the library in the meantime")
    except StoreFullError:
        raise
    except StoreError as error:
        return LabelReport(video_id, name, Status.FAILED, problem=str(error))
    intervals = sum(len(track.intervals) for track in result.tracks)
    return LabelReport(video_id, name, Status.DONE, len(result.frames), intervals)
