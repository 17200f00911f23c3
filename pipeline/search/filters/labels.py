"""Label filter: only frames in intervals of some labels, and in none of others.

Rows of the index carry the labels of their segments, and the index leaves out segments that cannot hold such a frame.
What decides is the intervals themselves: frames outside of what they allow count in no moment. So the answer is the
same where rows carry no labels yet, or those of another label set; the index then only leaves out less.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipeline.errors import QueryError, StoreError
from pipeline.index.protocol import LabelFilter
from pipeline.parsing import shown
from pipeline.search.answer import Skipped
from pipeline.search.filters.metadata import has_metadata
from pipeline.search.query import Query
from pipeline.types import LabelIntervals, VideoRecord

__all__ = ["Intervals", "LabelCondition", "LabelLookup", "allowed_intervals", "check_labels", "common_intervals"]

Intervals = npt.NDArray[np.float64]

_MAX_LISTED = 12


class LabelLookup(Protocol):
    """A library's label set, and where its videos show the labels of it."""

    @property
    def name(self) -> str:
        """What people call the label set."""

    @property
    def label_set(self) -> str:
        """Its fingerprint, as rows of the index carry it."""

    @property
    def labels(self) -> Sequence[str]:
        """The labels that videos may show."""

    @property
    def scored_labels(self) -> Sequence[str]:
        """Labels of the set that are scored only: no video has intervals of them."""

    @property
    def command(self) -> str:
        """The command that labels the videos that are not labelled."""

    def labelled(self) -> Sequence[str]:
        """The ids of the library's videos that are labelled."""

    def unlabelled(self) -> Sequence[str]:
        """The ids of the library's videos that are not labelled."""

    def intervals_of(self, record: VideoRecord) -> LabelIntervals | None:
        """The intervals of a video's labels; None where the video is not labelled.

        Raises:
            StoreError: They cannot be read.
        """


@dataclass(frozen=True)
class LabelCondition:
    """The labels that a question wants and does not want.

    Attributes:
        lookup: The library's labels.
        wanted: A frame must lie in an interval of each.
        unwanted: It must lie in an interval of none.
        unlabelled_ids: The videos of which nothing is known.
    """

    lookup: LabelLookup
    wanted: tuple[str, ...]
    unwanted: tuple[str, ...]
    unlabelled_ids: tuple[str, ...] = ()

    @classmethod
    def of(cls, query: Query, find: Callable[[], LabelLookup] | None) -> LabelCondition | None:
        """Return the condition of a question; None if it names no label.

        Args:
            query: The question.
            find: Returns the library's labels; None where there is no library.

        Raises:
            QueryError: The library has no label set, or none of a label's name.
        """
        if not query.labels and not query.not_labels:
            return None
        if find is None:
            raise QueryError("these videos are not those of a library, and have no labels")
        lookup = find()
        check_labels(lookup, (*query.labels, *query.not_labels))
        return cls(lookup, query.labels, query.not_labels, tuple(lookup.unlabelled()))

    @property
    def index_filter(self) -> LabelFilter:
        """The filter of the index's rows."""
        return LabelFilter(self.lookup.label_set, self.wanted, self.unwanted)

    def labelled_among(self, video_ids: Sequence[str] | None) -> Sequence[str] | None:
        """Return those of some videos that are labelled.

        Their rows alone are asked for: those of other videos pass the index's filter, and may be nearer than all that
        can answer.

        Args:
            video_ids: The videos; None for all, and then None is returned where all are labelled.
        """
        if video_ids is None:
            return self.lookup.labelled() if self.unlabelled_ids else None
        unlabelled = set(self.unlabelled_ids)
        return [video_id for video_id in video_ids if video_id not in unlabelled]

    def allowed(self, record: VideoRecord) -> Intervals | None:
        """Compute where the frames of a video may lie: float64 (K, 2) intervals; None where it is not labelled.

        Raises:
            StoreError: Its labels cannot be read.
        """
        found = self.lookup.intervals_of(record)
        return None if found is None else allowed_intervals(found, self.wanted, self.unwanted)

    def skipped_of(self, record: VideoRecord, allowed: Intervals | None) -> Skipped | None:
        """Explain why no frame of a video can answer; None if one may.

        Args:
            record: Of the video.
            allowed: Where its frames may lie.
        """
        if allowed is None:
            why = f"it is not labelled with {self.lookup.name}: {self.lookup.command}"
            return Skipped(record.video_id, record.last_name, why, is_unlabelled=True)
        if len(allowed):
            return None
        return Skipped(record.video_id, record.last_name, f"no part of it passes the filter: {self}")

    def unlabelled(
        self, query: Query, video_ids: Sequence[str], record_of: Callable[[str], VideoRecord | None]
    ) -> list[Skipped]:
        """List the videos that pass a question's other filters by name and metadata and are not labelled.

        Args:
            query: The question.
            video_ids: Only these videos; empty for all.
            record_of: Reads the record of a video.

        Raises:
            StoreError: The videos cannot be listed.
        """
        found = []
        for video_id in self.unlabelled_ids:
            if video_ids and video_id not in video_ids:
                continue
            # A broken record is found and reported by the search.
            with suppress(StoreError):
                record = record_of(video_id)
                skipped = None if record is None else self.skipped_of(record, None)
                if record is not None and skipped is not None and has_metadata(record, query.where):
                    found.append(skipped)
        return found

    def __str__(self) -> str:
        said = [f"label {shown(name)}" for name in self.wanted]
        said += [f"not label {shown(name)}" for name in self.unwanted]
        return f"{', '.join(said)} (of {self.lookup.name})"


def check_labels(lookup: LabelLookup, names: Iterable[str]) -> None:
    """Refuse names that no label of the library's label set has.

    Raises:
        QueryError: One is unknown, or is scored only; the message lists similar and known names.
    """
    for name in names:
        if name in lookup.labels:
            continue
        if name in lookup.scored_labels:
            raise QueryError(
                f"label {shown(name)} of {lookup.name} is scored only and has no intervals: set its `mode` to `on` and"
                f" label the videos again: {lookup.command}"
            )
        near = _nearest(name, lookup.labels)
        hint = f"did you mean {', '.join(map(shown, near))}? " if near else ""
        known = [*map(shown, lookup.labels)]
        more = f" and {len(known) - _MAX_LISTED} more" if len(known) > _MAX_LISTED else ""
        raise QueryError(
            f"{lookup.name} has no label {shown(name)}; {hint}it has: {', '.join(known[:_MAX_LISTED]) or 'none'}{more}"
        )


def _nearest(name: str, names: Collection[str]) -> list[str]:
    folded: dict[str, list[str]] = {}
    for each in names:
        folded.setdefault(each.casefold(), []).append(each)
    near = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.6)
    return [each for match in near for each in folded[match]]


def allowed_intervals(found: LabelIntervals, wanted: Iterable[str], unwanted: Iterable[str]) -> Intervals:
    """Compute the part of a video that is in an interval of each wanted label, and of no unwanted one.

    Args:
        found: The intervals of the video's labels.
        wanted: Labels.
        unwanted: Labels.

    Returns:
        float64 (K, 2) half-open intervals in seconds, in order, without overlap; the last may end at infinity.
    """
    allowed = np.asarray([[0.0, np.inf]])
    for label in wanted:
        allowed = common_intervals(allowed, found.of(label))
    for label in unwanted:
        edges = np.concatenate([[0.0], found.of(label).ravel(), [np.inf]])
        allowed = common_intervals(allowed, edges.reshape(-1, 2))
    return allowed


def common_intervals(one: Intervals, other: Intervals) -> Intervals:
    """Intersect two lists of intervals.

    Args:
        one: float64 (K, 2) half-open intervals, in order, without overlap.
        other: The same, (M, 2); intervals that are empty or end before they start are ignored.

    Returns:
        float64 (N, 2), N at most K + M.
    """
    other = other[other[:, 0] < other[:, 1]]
    first = np.searchsorted(other[:, 1], one[:, 0], side="right")
    after = np.searchsorted(other[:, 0], one[:, 1], side="left")
    counts = np.maximum(after - first, 0)
    rows = np.repeat(np.arange(len(one)), counts)
    # The place of each pair among those of its interval.
    places = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    others = other[first[rows] + places]
    return np.stack([np.maximum(one[rows, 0], others[:, 0]), np.minimum(one[rows, 1], others[:, 1])], axis=1)
