"""Labelling a library: all of its videos, or some, by a label set."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing

from pipeline.analyze.labels.label_set import LabelSet
from pipeline.analyze.labels.labelling import LabelReport
from pipeline.errors import StoreError
from pipeline.execution.settings import Execution
from pipeline.library.config_checks import check_sampling
from pipeline.library.index_handle import check_writable
from pipeline.library.library import Library
from pipeline.library.privacy import apply_privacy
from pipeline.types import Status, VideoRecord

__all__ = ["label_videos"]


def label_videos(
    library: Library,
    label_set: LabelSet,
    *,
    name: str = "labels",
    records: Sequence[VideoRecord] | None = None,
    again: bool = False,
    execution: Execution | None = None,
) -> Generator[LabelReport]:
    """Label videos of a library by their stored frame embeddings; yield a report for each as it ends.

    Nothing is decoded. The first labelling calibrates the label set on the library and keeps the scorer, so that later
    videos are scored alike. Videos that are labelled already are skipped, so labelling that was ended early is simply
    run again. At the end the index's rows get the labels, so that searches filter by them there. One video at a time is
    in memory, or as many as Ray has processors for.

    Args:
        library: The library.
        label_set: The labels.
        name: What the user calls the label set.
        records: Of the videos; None for all.
        again: Whether videos that are labelled already are labelled again. With all videos, the label set is also
            calibrated anew.
        execution: In which process; None for this one.

    Raises:
        ConfigError: The library's frames were sampled under another configuration, or its index is elsewhere.
        MomentIndexError: The index cannot be written; the labels are kept, and running it again writes what is left.
        QueryError: The library holds no video yet, or an example names a video or part that is not there.
        VideoError: An example file cannot be read.
        TextTooLongError: A prompt does not fit the model's context.
        WeightsUnavailableError: The model cannot be had.
        ExecutionError: The cluster cannot be reached or is gone.
        StoreError: The library is read-only or cannot be listed, or what is kept of the label set is broken.
        StoreFullError: There is no space left.
    """
    check_sampling(library.config, library.saved_config())
    check_writable(library.config.library)
    apply_privacy(library.config)
    # Some of a library's videos are not scored otherwise than the others.
    renew = again and records is None
    broken: dict[str, StoreError] = {}
    if records is None:
        records, broken = library.survey()
    session = library.label_session(label_set, name, renew=renew)
    with closing(session.label(records, execution or Execution(executor="in_process"), again=again)) as reports:
        yield from reports
    for video_id, error in broken.items():
        yield LabelReport(video_id, video_id, Status.FAILED, problem=str(error))
