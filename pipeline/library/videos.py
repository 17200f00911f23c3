"""Select videos of a library by name, metadata or missing files, and change their metadata."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from pipeline.errors import (
    MomentIndexError,
    QueryError,
    StoreError,
    UnsupportedVideoError,
    VideoError,
    VideoGoneError,
)
from pipeline.index import MomentIndex
from pipeline.index.validation import check_metadata
from pipeline.io.settings import Fetching
from pipeline.search.filters.labels import LabelLookup, check_labels
from pipeline.search.filters.metadata import check_names, with_metadata
from pipeline.search.filters.recording_time import check_date
from pipeline.search.filters.video_names import VideoNames, is_pattern, match_pattern, match_videos
from pipeline.segment.row_recipe import RowRecipe
from pipeline.store import ParquetStore, traces
from pipeline.types import Scalar, VideoRecord
from pipeline.uris import base_name, kept_name
from pipeline.video import identify

__all__ = [
    "SelectedVideos",
    "change_metadata",
    "find_video",
    "removable_id",
    "select_videos",
    "with_changes",
    "with_labels",
]

_VIDEOS_PER_WRITE = 32

Survey = Callable[[], tuple[list[VideoRecord], dict[str, StoreError]]]


@dataclass(frozen=True)
class SelectedVideos:
    """A selection of a library's videos.

    Attributes:
        records: The records of the selected videos, ordered by id.
        named_singly: Ids of the videos with a name that was given; the others match a pattern or another criterion.
        unknown: Errors, by id, of videos whose files may or may not be gone: their server is down, the file may not
            be read, or a link is broken.
        unlabelled: Videos that were left out because labels were asked for and they have none.
        broken: Errors, by id, of videos that were left out because their labels cannot be read.
    """

    records: tuple[VideoRecord, ...]
    named_singly: frozenset[str] = frozenset()
    unknown: Mapping[str, VideoError] = field(default_factory=dict)
    unlabelled: tuple[VideoRecord, ...] = ()
    broken: Mapping[str, StoreError] = field(default_factory=dict)


def select_videos(
    records: Sequence[VideoRecord],
    names: Iterable[str],
    where: Mapping[str, Scalar],
    *,
    missing_by: Fetching | None = None,
) -> SelectedVideos:
    """Select videos by all given criteria; without any, all videos.

    Args:
        records: The records of all videos.
        names: Names, paths, URIs, ids or patterns. The name of a video is never taken for a pattern.
        where: Entries that their metadata must have.
        missing_by: Only videos of which no file is left: each of their paths leads to nothing, or to other content.
            These are the settings for reading remote videos; None for videos with files, too.

    Raises:
        QueryError: A name or a pattern matches no video, or no video has metadata of one of the names.
    """
    singly, matched = _named(records, names)
    selected = with_metadata(records, where)
    if singly or matched:
        selected = [record for record in selected if record.video_id in singly or record.video_id in matched]
    unknown: dict[str, VideoError] = {}
    if missing_by is not None:
        selected, unknown = _missing(selected, missing_by)
    return SelectedVideos(tuple(selected), frozenset(singly), unknown)


def with_labels(
    selected: SelectedVideos, lookup: LabelLookup, wanted: Sequence[str], unwanted: Sequence[str]
) -> SelectedVideos:
    """Select those of some videos that show labels, and do not show others.

    Args:
        selected: The videos.
        lookup: The library's labels.
        wanted: Labels that a video must show somewhere, each of them.
        unwanted: Labels that it must show nowhere. Videos that are not labelled never pass.

    Raises:
        QueryError: No label has one of the names.
    """
    check_labels(lookup, (*wanted, *unwanted))
    passing, unlabelled = [], []
    broken: dict[str, StoreError] = {}
    for record in selected.records:
        try:
            found = lookup.intervals_of(record)
        except StoreError as error:
            broken[record.video_id] = error
            continue
        if found is None:
            unlabelled.append(record)
        elif all(len(found.of(label)) for label in wanted) and not any(len(found.of(label)) for label in unwanted):
            passing.append(record)
    return replace(selected, records=tuple(passing), unlabelled=tuple(unlabelled), broken=broken)


def _named(records: Sequence[VideoRecord], names: Iterable[str]) -> tuple[set[str], set[str]]:
    """The ids of the videos with one of the names, and of those that match a pattern."""
    singly: set[str] = set()
    matched: set[str] = set()
    for name in names:
        try:
            singly.update(match_videos(records, name))
        except QueryError:
            if not is_pattern(name):
                raise
            matched.update(match_pattern(records, name))
    return singly, matched


def find_video(names: VideoNames, store: ParquetStore, survey: Survey, name: str) -> tuple[str, ...]:
    """Find the ids of the videos with a name; a video whose file is broken can be found only by its id.

    Videos are found by the store's index of file names; in a store that has none yet, among the records that contain
    the name. All videos are listed only if none has the name, for a message with the nearest names.

    Raises:
        QueryError: No video has this name.
    """
    candidates = store.named(name)
    with suppress(QueryError):
        if candidates is not None:
            return match_videos(candidates, name)
        # Normalized, a name may have another file name: a%20b.mp4 in a file:// URL is a b.mp4.
        if not names.is_listed and base_name(name) == base_name(kept_name(name)):
            return match_videos(store.records_containing(base_name(name)), name)
    try:
        return names.find((name,), lambda: survey()[0])
    except QueryError as error:
        broken = survey()[1]
        if name in broken:
            return (name,)
        if not broken:
            raise
        files = "the file of a video" if len(broken) == 1 else f"the files of {len(broken)} videos"
        first = next(iter(broken.values()))
        raise QueryError(f"{error}; {files} cannot be read: {first}") from error


def removable_id(find: Callable[[str], tuple[str, ...]], index: MomentIndex, store: ParquetStore, name: str) -> str:
    """Find the id of the one video with a name, or of an id that only the index still knows.

    Raises:
        QueryError: No video has this name, or several do.
        MomentIndexError: The index cannot be read.
    """
    try:
        found = find(name)
    except QueryError:
        # After an interrupted removal, the video is known only by its id.
        if not index.keys_of(name) and not traces(store.root_url, name):
            raise
        return name
    if len(found) > 1:
        raise QueryError(f"{len(found)} videos have the name {name!r}; remove them by their ids: {', '.join(found)}")
    return found[0]


def _missing(records: Iterable[VideoRecord], fetching: Fetching) -> tuple[list[VideoRecord], dict[str, VideoError]]:
    """Select the videos without a file; and return, by id, the errors of those for which that is unknown."""
    missing = []
    unknown: dict[str, VideoError] = {}
    for record in records:
        problem = _problem(record, fetching)
        if problem is None:
            continue
        if isinstance(problem, VideoGoneError | UnsupportedVideoError):
            missing.append(record)
        else:
            unknown[record.video_id] = problem
    return missing, unknown


def _problem(record: VideoRecord, fetching: Fetching) -> VideoError | None:
    """The error of opening a video at its paths, errors of unclear cause first; None if one of them has the video."""
    problem: VideoError | None = None
    # The video may be back at a former name.
    for name in (*reversed(record.names), *reversed(record.former_names)):
        try:
            if identify(name, fetching).video_id == record.video_id:
                return None
            found: VideoError = VideoGoneError(name, "holds another video by now")
        except VideoError as error:
            found = error
        if problem is None or not isinstance(found, VideoGoneError | UnsupportedVideoError):
            problem = found
    return problem


def with_changes(
    records: Sequence[VideoRecord], entries: Mapping[str, Scalar], unset: Iterable[str], recorded_at: str
) -> list[VideoRecord]:
    """Set and unset entries of metadata; return the changed records of the videos whose metadata differs afterwards.

    Args:
        records: The records of the videos to change.
        entries: Entries to set.
        unset: Names of entries to remove.
        recorded_at: The entry for the start of the recording; if it is set, it must be a date and time.

    Raises:
        QueryError: An entry has a name or a value that cannot be filtered by, is not a date although it must be one,
            or is both set and removed; or none of the videos has an entry that is removed.
    """
    removed = set(unset)
    if both := sorted(removed & entries.keys()):
        raise QueryError(f"metadata {both[0]!r} cannot be set and removed at once")
    try:
        check_metadata(entries)
        check_date(entries, recorded_at)
    except (MomentIndexError, ValueError) as error:
        raise QueryError(f"metadata cannot be set: {error}") from error
    if records:
        check_names(records, removed)
    changed = []
    for record in records:
        metadata = {name: value for name, value in {**record.metadata, **entries}.items() if name not in removed}
        if not _is_same(metadata, record.metadata):
            changed.append(replace(record, metadata=metadata))
    return changed


def _is_same(one: Mapping[str, Scalar], other: Mapping[str, Scalar]) -> bool:
    """Whether metadata is the same, types included: in Python, 1, 1.0 and true are equal."""
    return dict(one) == dict(other) and all(type(one[name]) is type(other[name]) for name in one)


def change_metadata(
    index: MomentIndex, store: ParquetStore, recipe: RowRecipe, changed: Sequence[VideoRecord]
) -> Iterator[VideoRecord]:
    """Write metadata of videos to index and store; yield each record once both have it.

    The index is written first: videos are selected by the metadata in the store, so after an interruption the same
    command selects those that are left. The index is written again after the store, since a rebuild under way may have
    read the store before.

    Args:
        index: The index of the segments.
        store: The store of the records.
        recipe: Makes the rows of the frame embeddings.
        changed: The records with their new metadata.

    Raises:
        ConfigError: The segmentation needs cuts that a video lacks.
        MomentIndexError: The index cannot be written.
        StoreError: Frame embeddings are broken, or cannot be written.
    """
    from pipeline.index.rewrite import remove_other_rows

    for first in range(0, len(changed), _VIDEOS_PER_WRITE):
        chunk = changed[first : first + _VIDEOS_PER_WRITE]
        frames = {record.video_id: store.read(record.video_id) for record in chunk}
        rows = {record.video_id: recipe.rows(frames[record.video_id], record.metadata) for record in chunk}
        written = [row for of_video in rows.values() for row in of_video]
        remove_other_rows(index, rows)
        index.upsert(written)
        for record in chunk:
            store.write(record, frames[record.video_id])
        index.upsert(written)
        yield from chunk
