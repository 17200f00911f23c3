"""Colourings of a map: the properties by which its moments are coloured, and the value of each moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from pipeline.analyze.labels.label_set import LabelSet
from pipeline.analyze.labels.tracks import LabelTrack
from pipeline.analyze.library_map.page import NO_LABEL
from pipeline.library.analysis.label_views import LabelView, open_view
from pipeline.library.library import Library
from pipeline.render.text import file_name
from pipeline.search.filters.metadata import scalar_text
from pipeline.search.filters.recording_time import recorded_at, recording_begins
from pipeline.types import VideoRecord

__all__ = ["MapMoment", "label_colourings", "metadata_colourings"]

Colouring = tuple[str, list[str | None]]
"""A name, and the value of each moment; None if it is unknown."""


class MapMoment(Protocol):
    """A part of a video."""

    @property
    def record(self) -> VideoRecord:
        """Record of its video."""

    @property
    def start_seconds(self) -> float:
        """Start in seconds."""

    @property
    def end_seconds(self) -> float:
        """End in seconds, exclusive."""

    @property
    def middle_seconds(self) -> float:
        """Middle in seconds."""


def metadata_colourings(library: Library, moments: Sequence[MapMoment], camera: str) -> list[Colouring]:
    """Return the colourings by video, camera and hour of day that have at least one value.

    Args:
        library: The library.
        moments: The moments.
        camera: Name of the metadata entry that names a video's camera.
    """
    found: list[Colouring] = [
        ("video", [file_name(moment.record.last_name) for moment in moments]),
        (camera, [_entry(moment, camera) for moment in moments]),
        ("hour of day", [_hour(library, moment) for moment in moments]),
    ]
    return list(_with_values(found))


def _with_values(colourings: Iterable[Colouring]) -> Iterator[Colouring]:
    return ((name, values) for name, values in colourings if any(value is not None for value in values))


def _entry(moment: MapMoment, name: str) -> str | None:
    """Return the value of a metadata entry; None if it is missing or empty."""
    value = moment.record.metadata.get(name)
    return None if value is None else scalar_text(value) or None


def _hour(library: Library, moment: MapMoment) -> str | None:
    begins = recording_begins(moment.record.metadata, library.config.search.recorded_at)
    time: datetime | None = recorded_at(begins, moment.middle_seconds)
    return None if time is None else f"{time.hour:02d}:00"


def label_colourings(library: Library, moments: Sequence[MapMoment], label_set: str | None = None) -> list[Colouring]:
    """Return the colourings by the library's labels: one for each group, and one for the labels without a group.

    The value of a moment is its dominant label of the group: the one with the greatest sum of overlap times confidence
    over the label's intervals; of ties, the first in the label file. It is `NO_LABEL` if no label of the group overlaps
    the moment, and None if the video is not labelled.

    Args:
        library: The library.
        moments: The moments.
        label_set: Name, file name or fingerprint of a label set; None for the one that was applied last, or for no
            colouring if the library has no labels.

    Raises:
        QueryError: The library has no such label set.
        StoreError: The stored label set or its labels cannot be read.
    """
    if label_set is None and library.labels.current() is None:
        return []
    records = {moment.record.video_id: moment.record for moment in moments}
    view = open_view(library, list(records.values()), label_set=label_set)
    tracks = {record.video_id: found for record, found in view.tracks()}
    groups = _groups(view)
    return list(
        _with_values(
            (name, [_most_shown(moment, tracks.get(moment.record.video_id), labels) for moment in moments])
            for name, labels in groups.items()
        )
    )


def _groups(view: LabelView) -> Mapping[str, Sequence[str]]:
    """Return the labels of each colouring; only labels that have intervals."""
    label_set: LabelSet = view.chosen.snapshot.label_set
    tracked = view.tracked
    groups = {f"label: {name}": group.labels for name, group in label_set.groups.items()}
    grouped = {label for labels in groups.values() for label in labels}
    found = {"label": [name for name in tracked if name not in grouped]}
    found |= {name: [label for label in tracked if label in labels] for name, labels in groups.items()}
    return {name: labels for name, labels in found.items() if labels}


def _most_shown(moment: MapMoment, tracks: Sequence[LabelTrack] | None, labels: Sequence[str]) -> str | None:
    if tracks is None:
        return None
    of_label = {track.label: track for track in tracks}
    best, most = NO_LABEL, 0.0
    for label in labels:
        intervals = of_label[label].intervals if label in of_label else ()
        shown = sum(
            one.confidence
            * max(0.0, min(one.end_seconds, moment.end_seconds) - max(one.start_seconds, moment.start_seconds))
            for one in intervals
        )
        if shown > most:
            best, most = label, shown
    return best
