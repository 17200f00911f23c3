"""The videos that one question looks at: which of them, and what was found there."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from pipeline.errors import StoreError
from pipeline.search.answer import Candidate, Skipped
from pipeline.search.clock import TimeOfDay, recording_begins
from pipeline.search.evidence import JudgedStep, SeenVideo, found_in, seen_video
from pipeline.search.frames import FramesCache
from pipeline.search.query import Query
from pipeline.search.ranking import Found
from pipeline.search.settings import Searching
from pipeline.types import Provenance, VideoRecord

__all__ = ["Looks"]

_log = logging.getLogger(__name__)


class Looks:
    """Looks at the videos of candidates, again where there are more of these, and keeps what was found.

    Args:
        query: The question.
        steps: The same, embedded.
        frames: Frame embeddings of the library.
        settings: How places become moments.
        provenance: Of what the library holds.

    Attributes:
        seen: The videos that were looked at, by id.
        skipped: Those whose record says that they cannot answer, and those whose files are broken, by id.
    """

    def __init__(
        self,
        query: Query,
        steps: Sequence[JudgedStep],
        frames: FramesCache,
        settings: Searching,
        provenance: Provenance | None,
    ) -> None:
        self._query = query
        self._steps = steps
        self._gaps = [then.within for then in query.then]
        self._frames = frames
        self._settings = settings
        self._provenance = provenance
        # The least score of an answer only cuts the list: what reaches the usual one is looked at whatever it is.
        usual = settings.min_score or Searching().min_score
        self._likely = min(usual, query.min_score or usual)
        self._part = None if query.time_of_day is None else TimeOfDay.parse(query.time_of_day)
        self._found: dict[str, list[Found]] = {}
        self.seen: dict[str, SeenVideo] = {}
        self.skipped: dict[str, Skipped] = {}

    @property
    def found(self) -> list[Found]:
        """All moments that were found, in no order; weak ones, too."""
        return [one for of_video in self._found.values() for one in of_video]

    def look(self, candidates: Iterable[Candidate]) -> None:
        """Look where candidates are. Videos whose record or frame embeddings are broken are skipped, and logged."""
        nominated: dict[str, dict[tuple[float, float], None]] = {}
        for one in candidates:
            nominated.setdefault(one.video_id, {})[one.start_seconds, one.end_seconds] = None
        for video_id, places in nominated.items():
            before = self.seen.get(video_id)
            if video_id in self.skipped or (before is not None and places.keys() <= set(before.nominated)):
                continue
            try:
                video = self._look_at(video_id, places, before)
            except StoreError as error:
                _log.warning("not searched: %s", error)
                self.skipped[video_id] = Skipped(video_id, video_id, str(error), is_broken=True)
                # What was found in it before does not count without the rest.
                self.seen.pop(video_id, None)
                self._found.pop(video_id, None)
                continue
            if video is not None:
                self.seen[video_id] = video
                self._found[video_id] = found_in(video, self._steps, self._gaps)

    def _look_at(
        self, video_id: str, places: Iterable[tuple[float, float]], before: SeenVideo | None
    ) -> SeenVideo | None:
        record = self._frames.record(video_id) if before is None else before.record
        if record is None:
            _log.warning("%s is in the index and not in the store; index it again, or remove it", video_id)
            return None
        why = self._why_not(record)
        if why is not None:
            self.skipped[video_id] = Skipped(video_id, record.last_name, why)
            return None
        return seen_video(
            record,
            self._frames.read(record),
            None if before is None else before.curves,
            steps=self._steps,
            settings=self._settings,
            nominated=[*(() if before is None else before.nominated), *places],
            likely=self._likely,
            provenance=self._provenance,
        )

    def _why_not(self, record: VideoRecord) -> str | None:
        """Why no moment of a video can be an answer, as far as its record tells; frames are far more to read."""
        if self._query.after is not None and record.duration_seconds < self._query.after:
            return f"it ends at {record.duration_seconds:.3f} s, before {self._query.after:g} s"
        if self._part is None:
            return None
        begins = recording_begins(record.metadata, self._settings.recorded_at)
        if begins is None:
            name = self._settings.recorded_at
            return (
                f"its metadata does not say when it was recorded, as {name} with 2026-11-20T08:30 (search.recorded_at)"
            )
        if self._part.meets(begins, record.duration_seconds):
            return None
        return f"its {record.duration_seconds:.0f} s were recorded from {begins:%H:%M:%S} on"
