"""How the frames of videos answer a question, over time, and the moments that come of it."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt

from pipeline.search.background import probability
from pipeline.search.clock import recorded_at
from pipeline.search.moments import Curve, Levels, Span, base_level, find_spans, unrolled
from pipeline.search.ranking import Found
from pipeline.search.sequences import Chain, chains
from pipeline.search.settings import Searching
from pipeline.search.terms import JudgedTerm
from pipeline.segment.intervals import end_of
from pipeline.types import FrameEmbeddings, Moment, Provenance, VideoRecord

__all__ = ["JudgedStep", "SeenVideo", "curve_of", "found_in", "likely_runs", "moment_of"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class JudgedStep:
    """A step of a question, its terms embedded.

    Attributes:
        shows: What a frame must show, all of it.
        without: What it must not, none of it.
    """

    shows: tuple[JudgedTerm, ...]
    without: tuple[JudgedTerm, ...] = ()

    def log_odds(self, vectors: npt.NDArray[np.float32]) -> Floats:
        """That frames with these float32 (N, D) embeddings answer it: float64 (N,).

        "And" is the least of the parts and "not" the opposite, as for fuzzy sets (Zadeh 1965,
        doi:10.1016/S0019-9958(65)90241-X): products would count things that come together, as people and hats, twice.
        """
        parts = [term.log_odds(vectors) for term in self.shows]
        parts += [-term.log_odds(vectors) for term in self.without]
        least: Floats = np.minimum.reduce(parts)
        return least

    def cosine(self, vector: npt.NDArray[np.float32]) -> float:
        """The least cosine of a float32 (D,) embedding with what is to be shown."""
        return min(float(vector @ term.vector) for term in self.shows)


def curve_of(frames: FrameEmbeddings, step: JudgedStep) -> Curve:
    """Log-odds over time that a video's frames answer a step; a picture that was seen to last counts as long."""
    times, scores = frames.times_seconds, step.log_odds(frames.vectors)
    if frames.seen_until_seconds is not None:
        times, scores = unrolled(times, scores, frames.seen_until_seconds)
    return Curve(times, scores, np.asarray(frames.cuts_seconds or (), np.float64), end_of(frames))


def likely_runs(curve: Curve, min_score: float) -> list[tuple[float, float]]:
    """Where the frames one after another reach a score: (start, end) in seconds, the end not included.

    Segments nominate videos and places; but the pooled vector of a segment hides a short moment, and a video that is
    looked at is looked at as a whole.
    """
    if min_score <= 0:
        return []
    level = math.log(min_score / (1 - min_score)) if min_score < 1 else math.inf
    edges = np.diff(np.concatenate([[0], (curve.scores >= level).astype(np.int8), [0]]))
    times = np.append(curve.times_seconds, np.inf)
    return [
        (float(times[first]), float(times[after]))
        for first, after in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True)
    ]


@dataclass(frozen=True)
class SeenVideo:
    """A video that is looked at.

    Attributes:
        record: What is known of it.
        frames: Its frame embeddings.
        curves: One a step of the question.
        places: [start, end) in seconds of the segments that the index points to.
        provenance: What its frames and rows are of.
        begins: When its playback clock was at zero, where that is known.
    """

    record: VideoRecord
    frames: FrameEmbeddings
    curves: tuple[Curve, ...]
    places: tuple[tuple[float, float], ...]
    provenance: Provenance | None = None
    begins: datetime | None = None


def found_in(
    videos: Collection[SeenVideo],
    steps: Sequence[JudgedStep],
    within_seconds: Sequence[float],
    settings: Searching,
    min_score: float,
) -> list[Found]:
    """The moments of videos that answer all steps one after another, in no order; weak ones, too.

    Args:
        videos: Where to look.
        steps: What for.
        within_seconds: For each step but the first, how long after the one before it may begin.
        settings: Where moments end.
        min_score: What a frame's score must be for it to be a place to look at, unless the index points there.
    """
    if not videos:
        return []
    of_steps = []
    for number in range(len(steps)):
        curves = [video.curves[number] for video in videos]
        base = base_level((curve.scores for curve in curves), settings.base_quantile)
        levels = Levels(base, settings.merge_ratio, settings.edge_ratio)
        of_steps.append(
            [
                find_spans([*video.places, *likely_runs(curve, min_score)], curve, levels)
                for video, curve in zip(videos, curves, strict=True)
            ]
        )
    return [
        _found(video, chain, steps)
        for video, spans in zip(videos, zip(*of_steps, strict=True), strict=True)
        for chain in chains(spans, within_seconds)
    ]


def _found(video: SeenVideo, chain: Chain, steps: Sequence[JudgedStep]) -> Found:
    moment = moment_of(video, chain.spans, steps)
    picture = video.frames.vectors[_row_at(video.frames, moment.best_seconds)]
    return Found(moment, chain.score, picture, chain.spans)


def moment_of(video: SeenVideo, spans: Sequence[Span], steps: Sequence[JudgedStep]) -> Moment:
    """The moment that spans make, one a step; of several it spans all, and is as good as the weakest."""
    moments = [_moment(video, span, step) for span, step in zip(spans, steps, strict=True)]
    if len(moments) == 1:
        return moments[0]
    return replace(
        moments[0],
        end_seconds=moments[-1].end_seconds,
        end_uncertainty_seconds=moments[-1].end_uncertainty_seconds,
        score=min(moment.score for moment in moments),
        cosine=min(moment.cosine for moment in moments),
        steps=tuple(moments),
    )


def _moment(video: SeenVideo, span: Span, step: JudgedStep) -> Moment:
    frames, row = video.frames, _row_at(video.frames, span.best_seconds)
    return Moment(
        video_id=video.record.video_id,
        uri=video.record.names[-1],
        start_seconds=span.start_seconds,
        end_seconds=span.end_seconds,
        best_seconds=span.best_seconds,
        score=probability(span.score),
        cosine=step.cosine(frames.vectors[row]),
        start_uncertainty_seconds=span.start_uncertainty_seconds,
        end_uncertainty_seconds=span.end_uncertainty_seconds,
        best_pts=int(frames.pts[row]),
        time_base=frames.time_base,
        provenance=video.provenance,
        recorded_at=recorded_at(video.begins, span.best_seconds),
    )


def _row_at(frames: FrameEmbeddings, seconds: float) -> int:
    """The frame that is shown at a time; one that was seen to last is."""
    return max(0, int(np.searchsorted(frames.times_seconds, seconds, side="right")) - 1)
