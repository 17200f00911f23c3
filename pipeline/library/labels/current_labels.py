"""The current labels of a library's videos, for rows of the index and filters of searches."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pipeline.config_files import bundled_names
from pipeline.errors import QueryError, StoreError
from pipeline.parsing import shown
from pipeline.quoted_commands import command_for
from pipeline.store import ParquetStore
from pipeline.types import FrameEmbeddings, LabelIntervals, VideoRecord

if TYPE_CHECKING:
    from pipeline.analyze.labels.label_store import LabelState, LabelStore
    from pipeline.analyze.labels.snapshot import LabelSnapshot
    from pipeline.analyze.labels.tracks import SampledFrames

__all__ = ["CurrentLabels", "LibraryLabels"]

_log = logging.getLogger(__name__)

_MOST_KEPT = 1024
"""Number of videos whose intervals are cached, so that only the first question reads their files."""


@dataclass(frozen=True, eq=False)
class CurrentLabels:
    """A `LabelLookup` of searches: the labels by a library's current label set.

    The labels of a video are valid if they were made from its current frames with the stored scorer.

    Attributes:
        library: The library's folder or URL, for messages.
        frames: The store of its frame embeddings.
        store: The store of the labels.
        snapshot: The label set with its scorer.
    """

    library: str
    frames: ParquetStore
    store: LabelStore
    snapshot: LabelSnapshot
    _read: OrderedDict[str, tuple[str, LabelState | None, LabelIntervals | None]] = field(
        default_factory=OrderedDict, init=False, repr=False
    )

    @property
    def name(self) -> str:
        """The user's name of the label set."""
        return f"the label set {shown(self.snapshot.name)}"

    @property
    def label_set(self) -> str:
        """Identity of the label set and its calibrated scorer."""
        return f"{self.store.label_set_fingerprint}-{self.snapshot.fingerprint}"

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The labels that have intervals."""
        return tuple(label.name for label in self.snapshot.label_set.active if label.mode == "on")

    @cached_property
    def scored_labels(self) -> tuple[str, ...]:
        """The labels without intervals, which are only scored, or off."""
        return tuple(label.name for label in self.snapshot.label_set.labels if label.mode != "on")

    def changes(self) -> Sequence[str]:
        """Describe the concepts that changed since the videos were labelled; usually there are none.

        Raises:
            StoreError: A concept cannot be read.
        """
        from pipeline.analyze.labels.library_examples import changed_concepts

        return changed_concepts(self.snapshot.label_set, self.snapshot.scorer, self.frames)

    @property
    def command(self) -> str:
        """The command that labels the remaining videos."""
        return command_for(self.library, "label", self.snapshot.name)

    def labelled(self) -> Sequence[str]:
        """Return the ids of the labelled videos, sorted.

        Raises:
            StoreError: The labels cannot be listed.
        """
        return self.store.videos()

    def unlabelled(self) -> Sequence[str]:
        """Return the ids of the library's videos without labels, sorted.

        Raises:
            StoreError: The videos cannot be listed.
        """
        return sorted(set(self.frames.video_ids()) - set(self.store.videos()))

    def intervals_of(self, record: VideoRecord) -> LabelIntervals | None:
        """Read the intervals of a video's labels; None if its current frames are not labelled.

        Raises:
            StoreError: The labels cannot be read.
        """
        from pipeline.analyze.labels.tracks import SampledFrames

        return self._intervals(record.video_id, SampledFrames.of(record, self.frames.sampling_fingerprint))

    def intervals_in(self, frames: FrameEmbeddings) -> LabelIntervals | None:
        """Read the intervals of a video's labels; None if these frames are not labelled.

        Raises:
            StoreError: The labels cannot be read.
        """
        from pipeline.analyze.labels.tracks import SampledFrames

        sampled = SampledFrames.in_embeddings(frames, self.frames.sampling_fingerprint)
        return self._intervals(frames.video_id, sampled)

    def _intervals(self, video_id: str, sampled: SampledFrames) -> LabelIntervals | None:
        version = self.store.version(video_id)
        known = self._read.pop(video_id, None)
        if known is None or known[0] != version:
            known = version, *self._found(video_id)
        self._read[video_id] = known
        while len(self._read) > _MOST_KEPT:
            self._read.popitem(last=False)
        _, state, intervals = known
        if state is None or state.sampled != sampled or state.scorer_fingerprint != self.snapshot.fingerprint:
            return None
        return intervals

    def _found(self, video_id: str) -> tuple[LabelState | None, LabelIntervals | None]:
        """Read the labels of a video."""
        found = self.store.outline(video_id)
        if found is None:
            return None, None
        pairs = {track.label: [(one.start_seconds, one.end_seconds) for one in track.intervals] for track in found[1]}
        try:
            arrays = {label: np.asarray(each, np.float64).reshape(-1, 2) for label, each in pairs.items() if each}
            return found[0], LabelIntervals(self.label_set, arrays)
        except ValueError as error:
            raise StoreError(f"the labels of {video_id} are broken: {error}; label the video again") from error


class LibraryLabels:
    """A `LabelSource` of index rows: the labels of a library by its current label set.

    Args:
        library: The library's folder or URL, for messages.
        frames: The store of its frame embeddings.
    """

    def __init__(self, library: str, frames: ParquetStore) -> None:
        self._library = library
        self._frames = frames
        self._known: tuple[tuple[str, str], CurrentLabels] | None = None
        self._warnings: set[str] = set()

    def current(self) -> CurrentLabels | None:
        """Return the labels by the library's current label set; None if there is none.

        Raises:
            StoreError: The label set cannot be read.
        """
        from pipeline.analyze.labels.snapshot import current_labels, read_snapshot

        store = current_labels(self._frames.root_url)
        if store is None or store.encoder_fingerprint != self._frames.encoder_fingerprint:
            return None
        version = store.label_set_fingerprint, _version(store)
        if self._known is None or self._known[0] != version:
            snapshot = read_snapshot(store)
            if snapshot is None:
                return None
            self._known = version, CurrentLabels(self._library, self._frames, store, snapshot)
        return self._known[1]

    def required(self) -> CurrentLabels:
        """Return the labels by the library's current label set; where a concept of theirs changed, log a warning.

        Raises:
            QueryError: The library has no labels; the message explains how to label it.
            StoreError: The label set cannot be read.
        """
        found = self.current()
        if found is None:
            command = command_for(self._library, "label", "LABELS.yaml")
            raise QueryError(
                f"the videos of this library are not labelled yet: {command} labels them by a label file of yours, or"
                f" by one that comes with momentseek ({', '.join(bundled_names('labels'))})"
            )
        self._warn(found)
        return found

    def warn_of_changes(self, store: LabelStore) -> None:
        """Log a warning for each concept that has changed since the videos were labelled, once per change.

        Args:
            store: Store of the label set's labels.

        Raises:
            StoreError: The snapshot or a concept cannot be read.
        """
        from pipeline.analyze.labels.snapshot import read_snapshot

        snapshot = read_snapshot(store)
        if snapshot is not None:
            self._warn(CurrentLabels(self._library, self._frames, store, snapshot))

    def _warn(self, labels: CurrentLabels) -> None:
        for change in labels.changes():
            warning = f"{change}; the labels are those of the earlier concept. To label again: {labels.command}"
            if warning not in self._warnings:
                self._warnings.add(warning)
                _log.warning("%s", warning)

    def intervals(self, frames: FrameEmbeddings) -> LabelIntervals | None:
        """Read the intervals of a video's labels; None if these frames are not labelled.

        Raises:
            StoreError: The labels cannot be read.
        """
        current = self.current()
        return None if current is None else current.intervals_in(frames)

    def label_sets(self) -> Mapping[str, str]:
        """Return the identity of the label set of each labelled video, by video id.

        Raises:
            StoreError: The labels cannot be listed.
        """
        current = self.current()
        return {} if current is None else dict.fromkeys(current.store.videos(), current.label_set)


def _version(store: LabelStore) -> str:
    """Return a text that changes with the snapshot of a label store, without reading it."""
    try:
        return store.folder.version("scorer.json")
    except OSError as error:
        raise StoreError(f"{store.folder.root}/scorer.json: cannot be accessed: {error}") from error
