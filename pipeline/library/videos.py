"""Select videos of a library by name, metadata or missing files, and change their metadata."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from pipeline.index.rewrite import remove_other_rows
from pipeline.index.validation import check_metadata
from pipeline.io.settings import Fetching
from pipeline.search.filters.labels import LabelLookup, check_labels
from pipeline.search.filters.metadata import check_names, with_metadata
from pipeline.search.filters.recording_time import check_date
from pipeline.search.filters.video_names import VideoNames, is_pattern, match_pattern, match_videos
from pipeline.segment.row_recipe import RowRecipe
from pipeline.store import ParquetStore, traces
from pipeline.types import Scalar, VideoRecord
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

_VIDEOS_A_WRITE = 32

Survey = Callable[[], tuple[list[VideoRecord], dict[str, StoreError]]]


@dataclass(frozen=True)
class SelectedVideos:
    """A selection of a library's videos.

    Attributes:
        records: Of those videos, ordered by id.
        named_singly: The ids of those that go by a name that was given; the others were found by a pattern, or by what
            they have in common.
        unknown: By id, the error of videos whose files may or may not be gone: a server that is away, a file that may
            not be read, a link that leads nowhere.
        unlabelled: Of videos that were left out, as labels were asked for and they are not labelled.
        broken: By id, the error of videos that were left out, as their labels cannot be read.
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
    missing: bool,
    fetching: Fetching,
) -> SelectedVideos:
    """Select videos by all given criteria; without any, all videos.

    Args:
        records: Of all videos.
        names: Names, paths, URIs, ids or patterns. A name that a video has is no pattern, whatever characters it has.
        where: Entries of their metadata.
        missing: Only those of which no file is left: at each of their places is nothing, or another content.
        fetching: How remote videos are read.

    Raises:
        QueryError: A name or a pattern stands for no video, or no video has metadata of one of the names.
    """
    singly, matched = _named(records, names)
    selected = with_metadata(records, where)
    if singly or matched:
        selected = [record for record in selected if record.video_id in singly or record.video_id in matched]
    unknown: dict[str, VideoError] = {}
    if missing:
        selected, unknown = _missing(selected, fetching)
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
    """The ids of the videos that go by one of the names, and of those that match a pattern."""
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


def find_video(names: VideoNames, survey: Survey, name: str) -> tuple[str, ...]:
    """Find the ids of the videos of a name; a video whose file is broken is found by its id alone.

    Raises:
        QueryError: No video goes by it.
    """
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
    """Find the id of the one video of a name, or of an id that only the index still knows.

    Raises:
        QueryError: No video goes by this name, or several do.
        MomentIndexError: The index cannot be read.
    """
    try:
        found = find(name)
    except QueryError:
        # What a removal that was ended early left behind is known by its id alone.
        if not index.keys_of(name) and not traces(store.root_url, name):
            raise
        return name
    if len(found) > 1:
        raise QueryError(f"{len(found)} videos go by {name!r}; remove them by their ids: {', '.join(found)}")
    return found[0]


def _missing(records: Iterable[VideoRecord], fetching: Fetching) -> tuple[list[VideoRecord], dict[str, VideoError]]:
    """Select the videos without a file; and, by id, the errors of those for which that is unknown."""
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
    """Why a video is at none of its places, the worst known first; None where it is at one."""
    problem: VideoError | None = None
    # A former name may hold the video again.
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
    """Return changed records: of the videos whose metadata differs after entries are set and unset.

    Args:
        records: Of the videos that are to have it.
        entries: That are set.
        unset: Names of entries that go.
        recorded_at: The entry that says when a video begins, which must be a date and time where it is set.

    Raises:
        QueryError: An entry has a name or a value that cannot be filtered by, is no date where one belongs, or is both
            set and left out; or none of the videos has an entry that is left out.
    """
    gone = set(unset)
    if twice := sorted(gone & entries.keys()):
        raise QueryError(f"metadata {twice[0]!r} cannot be set and left out at once")
    try:
        check_metadata(entries)
        check_date(entries, recorded_at)
    except (MomentIndexError, ValueError) as error:
        raise QueryError(f"metadata cannot be set: {error}") from error
    if records:
        check_names(records, gone)
    changed = []
    for record in records:
        metadata = {name: value for name, value in {**record.metadata, **entries}.items() if name not in gone}
        if not _is_same(metadata, record.metadata):
            changed.append(replace(record, metadata=metadata))
    return changed


def _is_same(one: Mapping[str, Scalar], other: Mapping[str, Scalar]) -> bool:
    """Whether metadata is the same, types included: Python takes 1, 1.0 and true for equal."""
    return dict(one) == dict(other) and all(type(one[name]) is type(other[name]) for name in one)


def change_metadata(
    index: MomentIndex, store: ParquetStore, recipe: RowRecipe, changed: Sequence[VideoRecord]
) -> Iterator[VideoRecord]:
    """Write metadata of videos to index and store; yield each record once both have it.

    The index is written first: videos are chosen by what the store says, so the same command, run again after one that
    was ended early, chooses and writes what is left. It is written again after the store, since a rebuild that runs
    meanwhile may have read the store before.

    Args:
        index: Where their rows are.
        store: Where their records are.
        recipe: How frame embeddings become rows.
        changed: Records as they are to be.

    Raises:
        ConfigError: The segmentation needs cuts, and a video has none.
        MomentIndexError: The index cannot be written.
        StoreError: Frame embeddings are broken, or cannot be written.
    """
    for first in range(0, len(changed), _VIDEOS_A_WRITE):
        some = changed[first : first + _VIDEOS_A_WRITE]
        frames = {record.video_id: store.read(record.video_id) for record in some}
        rows = {record.video_id: recipe.rows(frames[record.video_id], record.metadata) for record in some}
        written = [row for of_video in rows.values() for row in of_video]
        remove_other_rows(index, rows)
        index.upsert(written)
        for record in some:
            store.write(record, frames[record.video_id])
        index.upsert(written)
        yield from some
