"""Answers questions: embeds them, asks the index, and refines what it found on the frames themselves."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pipeline.encode.protocol import OpenEncoder
from pipeline.errors import QueryError
from pipeline.index.protocol import Filter, Hit, MomentIndex
from pipeline.search.frames import FramesCache
from pipeline.search.moments import Curve, Levels, Span, base_level, find_spans, unrolled
from pipeline.search.settings import Searching
from pipeline.segment.intervals import end_of
from pipeline.store.protocol import EmbeddingStore
from pipeline.types import FrameEmbeddings, Moment, Scalar, VideoRecord

__all__ = ["Searcher"]

_log = logging.getLogger(__name__)


class Searcher:
    """Turns a question into moments.

    Moments are ranked by the cosine of their best frame, which is also their score: what a person is shown first is the
    frame that answers best. Segments only nominate: their pooled vectors decide which videos and stretches are looked
    at.

    Args:
        encoder: The open encoder that made the index's vectors.
        index: Where segments are looked for.
        store: Where the frame embeddings of their videos are.
        settings: How hits become moments.
    """

    def __init__(self, encoder: OpenEncoder, index: MomentIndex, store: EmbeddingStore, settings: Searching) -> None:
        self._encoder = encoder
        self._index = index
        self._settings = settings
        self._frames = FramesCache(store, settings.cache_mebibytes * 2**20)

    def search(
        self,
        text: str,
        *,
        top: int | None = None,
        video_ids: Sequence[str] = (),
        metadata: Mapping[str, Scalar] | None = None,
    ) -> list[Moment]:
        """The moments that answer a text, best first; ties by video id and start.

        Args:
            text: What the moment shows.
            top: Most moments; None for the settings' number.
            video_ids: Only these videos; empty for all.
            metadata: Only videos whose metadata has these entries.

        Raises:
            QueryError: The text is empty, or `top` is below 1.
            TextTooLongError: The text does not fit the model's context.
            MomentIndexError: The index cannot be asked.
            StoreError: A video's frame embeddings are broken.
        """
        if not text.strip():
            raise QueryError("the question is empty; describe what the moment shows, as 'a person in a hard hat'")
        vector = self._encoder.encode_texts([text.strip()])[0]
        return self.search_vector(vector, top=top, video_ids=video_ids, metadata=metadata)

    def search_vector(
        self,
        vector: npt.NDArray[np.float32],
        *,
        top: int | None = None,
        video_ids: Sequence[str] = (),
        metadata: Mapping[str, Scalar] | None = None,
    ) -> list[Moment]:
        """The moments that answer a float32 (D,) unit vector of the encoder's space; all else as in `search`."""
        wanted = self._settings.top if top is None else top
        if wanted < 1:
            raise QueryError(f"an answer has at least 1 moment, got top={wanted}")
        where = Filter(tuple(video_ids), dict(metadata or {}))
        (hits,) = self._index.search(vector[None], top=max(wanted, self._settings.candidates), where=where)
        found = self._moments(vector, hits)
        least = self._settings.min_score
        kept = [moment for moment in found if least is None or moment.score >= least]
        return sorted(kept, key=lambda m: (-m.score, m.video_id, m.start_seconds))[:wanted]

    def _moments(self, vector: npt.NDArray[np.float32], hits: Sequence[Hit]) -> list[Moment]:
        videos: dict[str, list[tuple[float, float]]] = {}
        for hit in hits:
            segment = hit.segment
            videos.setdefault(segment.video_id, []).append((segment.start_seconds, segment.end_seconds))
        scored = {}
        for video_id in videos:
            kept = self._frames.get(video_id)
            if kept is None:
                _log.warning("%s is in the index and not in the store; index it again, or remove it", video_id)
                continue
            record, frames = kept
            scored[video_id] = record, _curve(frames, (frames.vectors @ vector).astype(np.float64))
        if not scored:
            return []
        base = base_level((curve.scores for _, curve in scored.values()), self._settings.base_quantile)
        levels = Levels(base, self._settings.merge_ratio, self._settings.edge_ratio)
        return [
            _moment(record, span)
            for video_id, (record, curve) in scored.items()
            for span in find_spans(videos[video_id], curve, levels)
        ]


def _curve(frames: FrameEmbeddings, scores: npt.NDArray[np.float64]) -> Curve:
    cuts = np.asarray(frames.cuts_seconds or (), np.float64)
    times = frames.times_seconds
    if frames.seen_until_seconds is not None:
        times, scores = unrolled(times, scores, frames.seen_until_seconds)
    return Curve(times, scores, cuts, end_of(frames))


def _moment(record: VideoRecord, span: Span) -> Moment:
    return Moment(
        video_id=record.video_id,
        uri=record.names[-1],
        start_seconds=span.start_seconds,
        end_seconds=span.end_seconds,
        best_seconds=span.best_seconds,
        score=span.score,
    )
