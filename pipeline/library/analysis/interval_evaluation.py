"""Evaluates a library's labels, or given predictions, on labelled intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.analyze.labels.tracks import LabelInterval, SampledFrames, VideoLabels
from pipeline.errors import QueryError
from pipeline.evaluate.intervals import (
    IntervalSet,
    LabelCase,
    LabelledIntervals,
    PredictedInterval,
    Prediction,
    is_within,
    joined,
)
from pipeline.evaluate.run import video_ids_of
from pipeline.library.analysis.label_views import LabelView, open_view
from pipeline.library.library import Library
from pipeline.types import VideoRecord

__all__ = ["IntervalCases", "label_cases", "predicted_cases"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class IntervalCases:
    """The cases to score, and the videos and labels that were left out.

    Attributes:
        cases: One for each label and video.
        predicted_by: Name of the label set; None for given predictions.
        missing_videos: Videos of the labelled set that are not in the library.
        missing_labels: Labels of the labelled set without any prediction.
    """

    cases: tuple[LabelCase, ...]
    predicted_by: str | None
    missing_videos: tuple[str, ...]
    missing_labels: tuple[str, ...]


def label_cases(
    library: Library, labelled: IntervalSet, *, label_set: str | None = None, skip_missing: bool = False
) -> IntervalCases:
    """Collect the cases of a library's label set for the videos and labels of a labelled set.

    Args:
        library: The library.
        labelled: The labelled set.
        label_set: Name, file name or fingerprint of the label set; None for the current one.
        skip_missing: Whether to leave out videos that are not in the library.

    Raises:
        QueryError: A video is not in the library, or has no labels of its current frames; the library has no such label
            set, or it shares no label with the labelled set.
        StoreError: Labels cannot be read.
    """
    found, missing = _entries_by_video(library, labelled, skip_missing=skip_missing)
    view = open_view(library, [record for record, _ in found], label_set=label_set)
    unknown = _missing_labels(labelled, view.labels, f"the label set {view.chosen.snapshot.name!r}")
    cases = []
    for record, entries in found:
        kept = [entry for entry in entries if entry.label in view.labels]
        if kept:
            labels = _labels_of(library, view, record)
            cases += [_label_case(view, record, entry, labels) for entry in kept]
    return IntervalCases(tuple(cases), view.chosen.snapshot.name, missing, unknown)


def predicted_cases(
    library: Library, labelled: IntervalSet, predictions: Sequence[PredictedInterval], *, skip_missing: bool = False
) -> IntervalCases:
    """Collect the cases of given predictions for the videos and labels of a labelled set.

    A label without any prediction in a video counts as never shown there. Labels without any prediction are left out,
    unless there is no prediction at all.

    Args:
        library: The library of the videos; its sampled frames are scored.
        labelled: The labelled set.
        predictions: The predictions, with any names of the videos.
        skip_missing: Whether to leave out videos that are not in the library.

    Raises:
        QueryError: A video is not in the library, or the predictions share no label with the labelled set.
        StoreError: A video's frames cannot be read.
    """
    found, missing = _entries_by_video(library, labelled, skip_missing=skip_missing)
    names = tuple(dict.fromkeys(one.label for one in predictions))
    unknown = _missing_labels(labelled, names, "the predictions") if predictions else ()
    by_case: dict[tuple[str, str], list[PredictedInterval]] = {}
    ids = {}
    for video in dict.fromkeys(one.video for one in predictions):
        with suppress(QueryError):
            ids[video] = library.find(video)
    for one in predictions:
        for video_id in ids.get(one.video, ()):
            by_case.setdefault((video_id, one.label), []).append(one)
    cases = []
    for record, entries in found:
        times = library.store.read(record.video_id).times_seconds
        cases += [
            _predicted_case(record, entry, times, by_case.get((record.video_id, entry.label), []))
            for entry in entries
            if entry.label not in unknown
        ]
    return IntervalCases(tuple(cases), None, missing, unknown)


def _entries_by_video(
    library: Library, labelled: IntervalSet, *, skip_missing: bool
) -> tuple[list[tuple[VideoRecord, list[LabelledIntervals]]], tuple[str, ...]]:
    """Group the labelled set by video id; also return the names of videos that are not in the library."""
    names = list(dict.fromkeys(entry.video for entry in labelled.entries))
    held = list(_held(library, names)) if skip_missing else names
    ids = video_ids_of(library, held or names)
    records, broken = library.survey()
    by_id = {record.video_id: record for record in records}
    found: dict[str, list[LabelledIntervals]] = {}
    for entry in labelled.entries:
        if entry.video not in ids:
            continue
        video_id = ids[entry.video]
        if video_id in broken:
            raise broken[video_id]
        entries = found.setdefault(video_id, [])
        if twice := next((other for other in entries if other.label == entry.label), None):
            raise QueryError(
                f"the labelled set names one video {twice.video!r} on line {twice.line} and {entry.video!r} on line"
                f" {entry.line}, both with the label {entry.label!r}; give all intervals of the two under one name"
            )
        entries.append(entry)
    missing = tuple(name for name in names if name not in ids)
    return [(by_id[video_id], entries) for video_id, entries in found.items()], missing


def _held(library: Library, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        with suppress(QueryError):
            library.find(name)
            yield name


def _missing_labels(labelled: IntervalSet, names: Sequence[str], what: str) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(entry.label for entry in labelled.entries))
    missing = tuple(label for label in wanted if label not in names)
    if len(missing) == len(wanted):
        raise QueryError(
            f"{what} and the labelled set share no label: the one has {', '.join(names[:10]) or 'none'}; the other has"
            f" {', '.join(wanted[:10])}; labels are matched by their names"
        )
    return missing


def _labels_of(library: Library, view: LabelView, record: VideoRecord) -> VideoLabels:
    labels = view.chosen.store.read(record.video_id)
    if labels.sampled != SampledFrames.of(record, library.store.sampling_fingerprint):
        raise QueryError(
            f"{record.last_name}: has no labels of its current frames; label it by: momentseek label"
            f" {view.chosen.snapshot.name}"
        )
    return labels


def _label_case(view: LabelView, record: VideoRecord, entry: LabelledIntervals, labels: VideoLabels) -> LabelCase:
    [label] = [one for one in view.chosen.snapshot.label_set.active if one.name == entry.label]
    scores = labels.scores_of(entry.label)
    track = next((one.intervals for one in labels.tracks if one.label == entry.label), ())
    predictions = tuple(_prediction(one, labels.times_seconds, scores, label.enter) for one in track)
    return LabelCase(
        label=entry.label,
        video=entry.video,
        video_id=record.video_id,
        events=joined(entry.intervals),
        unknown=joined(entry.unknown),
        duration_seconds=entry.duration_seconds or record.duration_seconds,
        times_seconds=labels.times_seconds,
        scores=scores,
        is_positive=scores >= label.enter,
        predictions=predictions if label.mode == "on" else None,
    )


def _prediction(one: LabelInterval, times: Floats, scores: Floats, enter: float) -> Prediction:
    reaches = times[(times >= one.start_seconds) & (times < one.end_seconds) & (scores >= enter)]
    decided = float(reaches[0]) if len(reaches) else one.start_seconds
    return Prediction(one.start_seconds, one.end_seconds, one.confidence, one.peak_seconds, decided)


def _predicted_case(
    record: VideoRecord, entry: LabelledIntervals, times: Floats, predicted: Sequence[PredictedInterval]
) -> LabelCase:
    covered = joined((one.start_seconds, one.end_seconds) for one in predicted)
    return LabelCase(
        label=entry.label,
        video=entry.video,
        video_id=record.video_id,
        events=joined(entry.intervals),
        unknown=joined(entry.unknown),
        duration_seconds=entry.duration_seconds or record.duration_seconds,
        times_seconds=times,
        scores=None,
        is_positive=is_within(times, covered),
        predictions=tuple(
            Prediction(
                one.start_seconds,
                one.end_seconds,
                one.confidence,
                one.peak_seconds,
                _first_frame(times, one.start_seconds, one.end_seconds),
            )
            for one in sorted(predicted, key=lambda one: (one.start_seconds, one.end_seconds))
        ),
    )


def _first_frame(times: Floats, start: float, end: float) -> float:
    """Return the time of the first sampled frame of an interval; its start if it has none."""
    row = int(np.searchsorted(times, start))
    return float(times[row]) if row < len(times) and times[row] < end else start
