"""Views of a library's labels: its label sets, totals, intervals, and scores of frames."""

from __future__ import annotations

import difflib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from pipeline.analyze.labels.label_store import LabelState, LabelStore, label_stores
from pipeline.analyze.labels.snapshot import LabelSnapshot, current_labels, read_snapshot
from pipeline.analyze.labels.totals import LabelCounter, LabelTotal
from pipeline.analyze.labels.tracks import LabelTrack, SampledFrames
from pipeline.errors import QueryError, StoreError
from pipeline.library.library import Library
from pipeline.search.filters.metadata import scalar_text
from pipeline.search.filters.recording_time import recorded_at, recording_begins
from pipeline.types import VideoRecord

__all__ = ["LabelView", "NamedLabels", "label_sets", "open_view"]


@dataclass(frozen=True)
class NamedLabels:
    """A label set of a library.

    Attributes:
        store: The store of its labels.
        snapshot: The label set and its scorer.
        is_current: Whether it is the current label set, the one applied last.
    """

    store: LabelStore
    snapshot: LabelSnapshot
    is_current: bool


def label_sets(library: Library) -> list[NamedLabels]:
    """List the label sets that were applied to a library with its current encoder.

    Raises:
        StoreError: A label set cannot be read.
    """
    root, encoder = library.config.library, library.store.encoder_fingerprint
    current = current_labels(root)
    stores = [store for store in label_stores(root) if store.encoder_fingerprint == encoder]
    found = [(store, read_snapshot(store)) for store in stores]
    return [NamedLabels(store, kept, store == current) for store, kept in found if kept is not None]


def open_view(
    library: Library, records: Sequence[VideoRecord], *, label_set: str | None = None, labels: Sequence[str] = ()
) -> LabelView:
    """Open the labels of some videos; where a concept of theirs changed since, a warning is logged.

    Args:
        library: The library.
        records: Records of the videos.
        label_set: Name, file name or fingerprint of a label set; None for the current one.
        labels: The labels to show; empty for all.

    Raises:
        QueryError: The library has no labels, or no such label set or label.
        StoreError: The label set cannot be read.
    """
    chosen = _chosen(label_sets(library), label_set, library.config.library)
    names = [label.name for label in chosen.snapshot.label_set.active]
    for label in labels:
        if label not in names:
            near = difflib.get_close_matches(label, names, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise QueryError(f"no label {label!r} in {chosen.snapshot.name!r}; {hint}there are: {', '.join(names)}")
    library.labels.warn_of_changes(chosen.store)
    ordered = sorted(records, key=lambda record: (record.last_name, record.video_id))
    return LabelView(library, chosen, tuple(ordered), tuple(name for name in names if not labels or name in labels))


def _chosen(found: Sequence[NamedLabels], wanted: str | None, place: str) -> NamedLabels:
    if not found:
        raise QueryError(
            f"the library {place!r} has no labels of its current encoder; make them with: momentseek label LABELS"
            f" --library {place}"
        )
    if wanted is None:
        fitting = [one for one in found if one.is_current] or list(found)
    else:
        fitting = [one for one in found if wanted in _names_of(one)]
        fitting = [one for one in fitting if one.is_current] or fitting
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(f"{one.snapshot.name} ({one.store.label_set_fingerprint})" for one in found)
    if wanted is None:
        problem = "choose one by --label-set"
    elif fitting:
        problem = f"{len(fitting)} label sets have the name {wanted!r}; give the fingerprint of one"
    else:
        near = difflib.get_close_matches(wanted, [name for one in found for name in _names_of(one)], n=1)
        problem = f"no label set {wanted!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    raise QueryError(f"{problem}{'' if problem.endswith('?') else ';'} there are: {listed}")


def _names_of(one: NamedLabels) -> tuple[str, ...]:
    name = one.snapshot.name
    return name, PurePath(name).name, PurePath(name).stem, one.store.label_set_fingerprint


@dataclass
class LabelView:
    """The labels of some videos, read one video at a time.

    Attributes:
        library: The library.
        chosen: The label set.
        records: Records of the videos, ordered by name.
        labels: The labels to show, in the order of the label set.
        unlabelled: Videos read so far without labels, or with other frames than those labelled.
        undated: Labelled videos that the totals by hour left out, because their recording time is unknown.
        problems: Errors of videos read so far whose labels are broken.
    """

    library: Library
    chosen: NamedLabels
    records: tuple[VideoRecord, ...]
    labels: tuple[str, ...]
    unlabelled: int = 0
    undated: int = 0
    problems: list[StoreError] = field(default_factory=list)

    @property
    def tracked(self) -> tuple[str, ...]:
        """The labels that have intervals."""
        on = {label.name for label in self.chosen.snapshot.label_set.active if label.mode == "on"}
        return tuple(name for name in self.labels if name in on)

    def tracks(self, min_score: float = 0.0) -> Generator[tuple[VideoRecord, tuple[LabelTrack, ...]]]:
        """Yield the tracks of each labelled video.

        Args:
            min_score: Minimum confidence of an interval.
        """
        for record in self.records:
            try:
                found = self.chosen.store.outline(record.video_id)
            except StoreError as error:
                self.problems.append(error)
                continue
            if found is not None and self._is_of(record, found[0]):
                yield record, tuple(self._fitting(found[1], min_score))
            else:
                self.unlabelled += 1

    def totals(self, by: str | None = None, min_score: float = 0.0) -> list[LabelTotal]:
        """Compute totals of the labels.

        Args:
            by: None for the whole library, "video", "hour", or the name of a metadata entry, such as "camera".
            min_score: Minimum confidence of an interval.

        Raises:
            QueryError: No video has such metadata, or a recording time.
        """
        counter, is_known = LabelCounter(self.tracked), False
        for record, tracks in self.tracks(min_score):
            if by == "hour":
                begins = recording_begins(record.metadata, self.library.config.search.recorded_at)
                if begins is None:
                    self.undated += 1
                else:
                    is_known = True
                    counter.add_by_hour(begins, record.duration_seconds, tracks)
                continue
            group = self._group(record, by)
            is_known |= group is not None
            counter.add(group, record.covered_seconds, tracks)
        if by is not None and not is_known and len(self.records) > self.unlabelled + len(self.problems):
            name = self.library.config.search.recorded_at if by == "hour" else by
            names = ("video", "hour", *(key for record in self.records for key in record.metadata))
            near = difflib.get_close_matches(str(by), names, n=1)
            hint = f"did you mean {near[0]!r}? Or " if near and by not in near else ""
            raise QueryError(
                f"no labelled video has metadata {name!r}; {hint}set it by: momentseek metadata VIDEO --set {name}=..."
            )
        return counter.totals(with_absent=by is None)

    def segments(self, min_score: float = 0.0) -> Iterator[dict[str, Any]]:
        """Yield all intervals as rows, by video and start."""
        for record, tracks in self.tracks(min_score):
            intervals = [(one, track.label) for track in tracks for one in track.intervals]
            begins = recording_begins(record.metadata, self.library.config.search.recorded_at)
            for one, label in sorted(intervals, key=lambda pair: (pair[0].start_seconds, pair[0].end_seconds)):
                at = recorded_at(begins, one.start_seconds)
                yield {
                    "video_id": record.video_id,
                    "name": record.last_name,
                    "label": label,
                    "start_seconds": one.start_seconds,
                    "end_seconds": one.end_seconds,
                    "duration_seconds": one.duration_seconds,
                    "peak_seconds": one.peak_seconds,
                    "confidence": one.confidence,
                    "recorded_at": None if at is None else at.isoformat(),
                }

    def frames(self, min_score: float = 0.0) -> Iterator[dict[str, Any]]:
        """Yield the scores of all sampled frames as rows, by video, time and label.

        Args:
            min_score: Minimum score; 0 for all.
        """
        for record in self.records:
            try:
                state = self.chosen.store.state(record.video_id)
                if state is None or not self._is_of(record, state):
                    self.unlabelled += 1
                    continue
                found = self.chosen.store.read(record.video_id)
            except StoreError as error:
                self.problems.append(error)
                continue
            columns = [found.labels.index(label) for label in self.labels]
            scores = found.scores[:, columns]
            for row, column in zip(*(scores >= min_score).nonzero(), strict=True):
                yield {
                    "video_id": record.video_id,
                    "name": record.last_name,
                    "time_seconds": float(found.times_seconds[row]),
                    "label": self.labels[column],
                    "score": float(scores[row, column]),
                }

    def _fitting(self, tracks: Sequence[LabelTrack], min_score: float) -> Iterator[LabelTrack]:
        for track in tracks:
            if track.label in self.labels:
                yield LabelTrack(track.label, tuple(one for one in track.intervals if one.confidence >= min_score))

    def _is_of(self, record: VideoRecord, state: LabelState) -> bool:
        return state.sampled == SampledFrames.of(record, self.library.store.sampling_fingerprint)

    def _group(self, record: VideoRecord, by: str | None) -> str | None:
        if by is None:
            return None
        if by == "video":
            return record.video_id
        value = record.metadata.get(by)
        return None if value is None else scalar_text(value)
