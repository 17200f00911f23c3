"""Scan of candidate videos: scores each video that the index nominates and collects its moments."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

from pipeline.errors import StoreError
from pipeline.search.answer import Candidate, Dropped, Skipped
from pipeline.search.embedding_cache import EmbeddingCache
from pipeline.search.filters.labels import Intervals, LabelCondition
from pipeline.search.filters.selection import skipped_of
from pipeline.search.query import Query
from pipeline.search.ranking import FoundMoment
from pipeline.search.scoring import CalibratedStep, ScoredVideo, found_in, moment_of, score_video
from pipeline.search.settings import Searching
from pipeline.store.loading import LoadedVideo
from pipeline.types import Provenance, VideoRecord

__all__ = ["CandidateScan"]

_log = logging.getLogger(__name__)


class CandidateScan:
    """Scores the videos of candidates, repeatedly if they get new candidates, and collects the found moments.

    Args:
        query: The question.
        steps: The steps of the question, embedded and calibrated.
        embeddings: Frame embeddings of the library.
        settings: Settings of the search.
        provenance: Provenance of the library's contents.
        labels: The question's condition on labels; None for none.

    Attributes:
        scored: The scored videos, by id.
        skipped: Videos that are excluded by their record or have broken files, by id.
    """

    def __init__(
        self,
        query: Query,
        steps: Sequence[CalibratedStep],
        embeddings: EmbeddingCache,
        settings: Searching,
        provenance: Provenance | None,
        labels: LabelCondition | None = None,
    ) -> None:
        self._query = query
        self._labels = labels
        self._steps = steps
        self._gaps = [then.within for then in query.then]
        self._embeddings = embeddings
        self._settings = settings
        self._provenance = provenance
        # `min_score` only trims results: frames that reach the default threshold always seed moments.
        default = settings.min_score or Searching().min_score
        self._seed_score = min(default, query.min_score or default)
        self._times = query.recording_times
        self._found: dict[str, list[FoundMoment]] = {}
        self.scored: dict[str, ScoredVideo] = {}
        self.skipped: dict[str, Skipped] = {}

    @property
    def found(self) -> list[FoundMoment]:
        """All found moments, including weak ones; not ordered."""
        return [moment for moments in self._found.values() for moment in moments]

    @property
    def left_out(self) -> list[Dropped]:
        """Moments that would answer the question if it named no labels."""
        why = f"its best frame is not where the filter allows it: {self._labels}"
        videos = self.scored.values()
        return [Dropped(moment_of(video, [span], self._steps), why) for video in videos for span in video.left_out]

    def scan(self, candidates: Iterable[Candidate]) -> None:
        """Score the videos of candidates; skip and log videos with a broken record or broken embeddings."""
        nominated: dict[str, dict[tuple[float, float], None]] = {}
        for one in candidates:
            nominated.setdefault(one.video_id, {})[one.start_seconds, one.end_seconds] = None
        unscanned = {video_id: segments for video_id, segments in nominated.items() if self._is_new(video_id, segments)}
        for video_id, loaded in zip(unscanned, self._embeddings.load(list(unscanned), self._is_wanted), strict=True):
            if isinstance(loaded, StoreError):
                self._drop(video_id, loaded)
            elif loaded is None:
                _log.warning("%s is in the index but not in the store; index it again, or remove it", video_id)
            else:
                self._scan_video(loaded, unscanned[video_id])

    def _is_new(self, video_id: str, segments: Mapping[tuple[float, float], None]) -> bool:
        """Whether a video is to be scored: it is not skipped, and was not scored with all of these segments."""
        before = self.scored.get(video_id)
        return video_id not in self.skipped and (before is None or not segments.keys() <= set(before.nominated))

    def _is_wanted(self, record: VideoRecord) -> bool:
        return self._skipped_by_record(record) is None

    def _skipped_by_record(self, record: VideoRecord) -> Skipped | None:
        return skipped_of(record, self._query, self._times, self._settings.recorded_at)

    def _drop(self, video_id: str, error: StoreError) -> None:
        """Skip a broken video, with all that was found in it earlier: the list would be incomplete."""
        _log.warning("video not searched: %s", error)
        self.skipped[video_id] = Skipped(video_id, video_id, str(error), is_broken=True)
        self.scored.pop(video_id, None)
        self._found.pop(video_id, None)

    def _scan_video(self, loaded: LoadedVideo, segments: Iterable[tuple[float, float]]) -> None:
        record, frames = loaded
        before = self.scored.get(record.video_id)
        skipped = self._skipped_by_record(record)
        allowed: Intervals | None = None
        if skipped is None and self._labels is not None:
            try:
                allowed = self._labels.allowed(record)
            except StoreError as error:
                self._drop(record.video_id, error)
                return
            skipped = self._labels.skipped_of(record, allowed)
        if skipped is not None or frames is None:
            if skipped is not None:
                self.skipped[record.video_id] = skipped
            return
        video = score_video(
            record,
            frames,
            None if before is None else before.curves,
            steps=self._steps,
            settings=self._settings,
            nominated=[*(() if before is None else before.nominated), *segments],
            seed_score=self._seed_score,
            provenance=self._provenance,
            allowed=allowed,
        )
        self.scored[record.video_id] = video
        self._found[record.video_id] = found_in(video, self._steps, self._gaps)
