"""Find near-duplicates in a library: the same footage in several videos, or several times in one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from statistics import median

from pipeline.analyze.duplicates.frame_space import FrameSpace
from pipeline.analyze.duplicates.frame_track import FrameTrack, frame_track
from pipeline.analyze.duplicates.groups import CopyGroup, copy_groups
from pipeline.analyze.duplicates.nomination import nominate
from pipeline.analyze.duplicates.pairs import DuplicatePair, pairs_between, pairs_within
from pipeline.errors import QueryError, StoreError
from pipeline.library.library import Library
from pipeline.segment.intervals import usual_step_seconds
from pipeline.types import FrameEmbeddings, VideoRecord

__all__ = ["MIN_SECONDS", "THRESHOLD", "Duplicates", "find_duplicates"]

OnVideo = Callable[[int, int], None]
"""Called with the number of videos done and their total."""

MIN_SECONDS = 5.0
THRESHOLD = 0.45
"""Minimum score. On 740 clips (seeds 9301, 9311 and 9312), different footage reached 0.44. Letter-boxed copies begin at
0.37: one in ten is lost."""
_CACHED_BYTES = 256 * 2**20
_STEP_VIDEOS = 32


@dataclass(frozen=True)
class Duplicates:
    """The near-duplicates that were found.

    Attributes:
        pairs: Sorted by the first stretch, then the second; of two videos, A is the one with the lesser id.
        groups: Copies of which at least half is shared, each group with a suggested original.
        compared: How many videos were looked at.
        problems: By id, videos that were left out since their embeddings cannot be read, and why.
    """

    pairs: tuple[DuplicatePair, ...]
    groups: tuple[CopyGroup, ...]
    compared: int
    problems: dict[str, StoreError] = field(default_factory=dict)


def find_duplicates(
    library: Library,
    videos: Iterable[str] | None = None,
    *,
    within: bool = False,
    min_seconds: float = MIN_SECONDS,
    threshold: float = THRESHOLD,
    on_video: OnVideo | None = None,
) -> Duplicates:
    """Find the same footage in several videos of a library or, with `within`, several times in one.

    For each video, the index nominates others that may share footage; these are aligned frame by frame. A few videos
    are in memory at a time, whatever the size of the library.

    Args:
        library: The open library; nothing is written to it.
        videos: Ids of the videos whose footage is searched for in all videos; None for all videos.
        within: Whether to find repetitions within each video instead.
        min_seconds: Minimum length of a stretch.
        threshold: Minimum score, above 0 and below 1.
        on_video: Called with the number of videos done and their total.

    Raises:
        QueryError: `min_seconds` or `threshold` is out of range.
        ConfigError: The segmentation needs cuts, and a video has none.
        MomentIndexError: The index cannot be used.
        StoreError: The library cannot be listed.
    """
    if not 0 < threshold < 1:
        raise QueryError(f"threshold: more than 0 and less than 1, got {threshold:g}")
    if not 1 <= min_seconds < float("inf"):
        raise QueryError(f"min_seconds: at least 1, got {min_seconds:g}")
    records, broken = library.survey()
    search = _DuplicateSearch(library, {record.video_id: record for record in records}, min_seconds, threshold)
    search.problems.update(broken)
    wanted = sorted(search.records) if videos is None else sorted(set(videos) & search.records.keys())
    pairs: list[DuplicatePair] = []
    for done, video_id in enumerate(wanted):
        if on_video is not None:
            on_video(done, len(wanted))
        pairs += search.within(video_id) if within else search.with_others(video_id)
    if on_video is not None and wanted:
        on_video(len(wanted), len(wanted))
    pairs.sort(key=lambda pair: (pair.a, pair.b))
    return Duplicates(tuple(pairs), tuple(copy_groups(pairs, search.records)), len(wanted), search.problems)


class _DuplicateSearch:
    """One search for duplicates, with the tracks that were used last."""

    def __init__(self, library: Library, records: dict[str, VideoRecord], min_seconds: float, threshold: float) -> None:
        self.records = records
        self.problems: dict[str, StoreError] = {}
        self._library, self._min_seconds, self._threshold = library, min_seconds, threshold
        self._store = library.store
        self._seen: set[tuple[str, str]] = set()
        self._tracks: OrderedDict[str, FrameTrack] = OrderedDict()
        self._space: FrameSpace | None = None
        self._step = 0.0

    def within(self, video_id: str) -> Iterator[DuplicatePair]:
        track = self._track(video_id)
        if track is not None:
            yield from pairs_within(track, min_seconds=self._min_seconds, threshold=self._threshold)

    def with_others(self, video_id: str) -> Iterator[DuplicatePair]:
        frames = self._frames(video_id)
        if frames is None or not len(frames):
            return
        rows = self._library.config.row_recipe.rows(frames, {})
        mean = self._frame_space(frames).mean
        for other in nominate(self._library.moment_index(), video_id, rows, mean):
            one, two = sorted((video_id, other))
            if (one, two) in self._seen or other not in self.records:
                continue
            self._seen.add((one, two))
            a, b = self._track(one), self._track(two)
            if a is not None and b is not None:
                yield from pairs_between(a, b, min_seconds=self._min_seconds, threshold=self._threshold)

    def _frames(self, video_id: str) -> FrameEmbeddings | None:
        if video_id in self.problems:
            return None
        try:
            return self._store.read(video_id)
        except StoreError as error:
            self.problems[video_id] = error
            return None

    def _track(self, video_id: str) -> FrameTrack | None:
        """A video's track; None where it has no frames, or they cannot be read."""
        if video_id in self._tracks:
            self._tracks.move_to_end(video_id)
            return self._tracks[video_id]
        frames = self._frames(video_id)
        if frames is None or not len(frames):
            return None
        track = frame_track(frames, self._frame_space(frames), self._step)
        self._tracks[video_id] = track
        while len(self._tracks) > 2 and sum(each.vectors.nbytes for each in self._tracks.values()) > _CACHED_BYTES:
            self._tracks.popitem(last=False)
        return track

    def _frame_space(self, frames: FrameEmbeddings) -> FrameSpace:
        """The library's frame space, and the step of the tracks: the median of some videos'."""
        if self._space is None:
            sample = self._store.frame_sample(self._library.moment_index().count())
            self._space = FrameSpace.of_sample(sample.vectors if len(sample.vectors) else frames.vectors)
            steps = [self._usual_step(video_id) for video_id in sorted(self.records)[:_STEP_VIDEOS]]
            self._step = median([step for step in steps if step > 0] or [1.0])
        return self._space

    def _usual_step(self, video_id: str) -> float:
        frames = self._frames(video_id)
        return 0.0 if frames is None else usual_step_seconds(frames.times_seconds, frames.step_seconds)
