"""Labels the videos of a library with a label set."""

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
    """Label videos of a library by their stored frame embeddings; yield a report for each when it ends.

    Nothing is decoded. The first labelling calibrates the label set for the library and stores the scorer, so that
    later videos are scored in the same way. Videos with current labels are skipped, so an interrupted run is continued
    by running it again. If a concept that a label is based on has been refitted since, or an example video has been
    replaced, all videos are labelled again; a call for some videos logs a warning instead. At the end,
    the labels are written to the index's rows for use by searches. One video at a time is in memory, or as many as Ray
    has processors for.

    Args:
        library: The library.
        label_set: The labels.
        name: The user's name of the label set.
        records: Records of the videos; None for all.
        again: Whether to label videos again that have current labels. If these are all videos, the label set is also
            calibrated again.
        execution: Execution settings; None for this process.

    Raises:
        ConfigError: The library's frames were sampled under another configuration, or its index is elsewhere.
        MomentIndexError: The index cannot be written. The labels stay stored; running it again writes the remaining
            rows.
        QueryError: The library has no video yet, or an example names a missing video or part.
        VideoError: An example file cannot be read.
        TextTooLongError: A prompt does not fit the model's context.
        WeightsUnavailableError: The weights of the model are not available.
        ExecutionError: The cluster cannot be reached or was lost.
        StoreError: The library is read-only or cannot be listed, or the label set is broken.
        StoreFullError: There is no space left.
    """
    check_sampling(library.config, library.saved_config())
    check_writable(library.config.library)
    apply_privacy(library.config)
    # A new calibration for only some of the videos would make their scores differ from the others.
    all_videos = records is None
    broken: dict[str, StoreError] = {}
    if records is None:
        records, broken = library.survey()
    session = library.label_session(label_set, name, renew=again and all_videos)
    if all_videos:
        session.refresh()
    else:
        library.labels.warn_of_changes(session.labels)
    with closing(session.label(records, execution or Execution(executor="in_process"), again=again)) as reports:
        yield from reports
    for video_id, error in broken.items():
        yield LabelReport(video_id, video_id, Status.FAILED, problem=str(error))
