"""Scoring of a video: scores its frames over time and finds its moments."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from itertools import chain, islice

import numpy as np
import numpy.typing as npt

from pipeline.search.allowed_frames import clipped_span, curve_within, is_within
from pipeline.search.calibration import probability
from pipeline.search.filters.recording_time import recorded_at, recording_begins
from pipeline.search.localization import Curve, Levels, Span, best_rows, grown_spans, peak_rows, quantile, unrolled
from pipeline.search.query import Query, Step, Term
from pipeline.search.query_embedding import CalibratedTerm
from pipeline.search.ranking import FoundMoment
from pipeline.search.sequences import Chain, chains
from pipeline.search.settings import Searching
from pipeline.segment.intervals import end_of
from pipeline.types import FrameEmbeddings, Moment, Provenance, VideoRecord

__all__ = [
    "CalibratedStep",
    "Peak",
    "ScoredVideo",
    "calibrated_steps",
    "curve_of",
    "found_in",
    "levels_of",
    "moment_of",
    "score_curve",
    "score_video",
]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CalibratedStep:
    """A step of a question, its terms embedded and calibrated.

    Attributes:
        shows: Terms that a frame must show, all of them.
        without: Terms that a frame must not show, none of them.
    """

    shows: tuple[CalibratedTerm, ...]
    without: tuple[CalibratedTerm, ...] = ()

    def log_odds(self, vectors: npt.NDArray[np.float32]) -> Floats:
        """Compute float64 (N,) log-odds that frames with these float32 (N, D) embeddings answer the step.

        "And" is the minimum and "not" the negative of log-odds, as in fuzzy sets (Zadeh 1965,
        doi:10.1016/S0019-9958(65)90241-X). A product of probabilities would count things that occur together, such as
        people and hats, twice.
        """
        terms = [term.log_odds(vectors) for term in self.shows]
        terms += [-term.log_odds(vectors) for term in self.without]
        minimum: Floats = np.minimum.reduce(terms)
        return minimum

    def cosine(self, vector: npt.NDArray[np.float32]) -> float:
        """Return the lowest cosine of a float32 (D,) embedding with the terms in `shows`."""
        return min(float(vector @ term.vector) for term in self.shows)

    @property
    def base_log_odds(self) -> float:
        """Log-odds of frames that show none of the terms in `shows`: the minimum of their base log-odds."""
        return min(term.calibration.base_log_odds for term in self.shows)


def calibrated_steps(
    queries: Iterable[Query], embed: Callable[[Sequence[Term]], Iterable[CalibratedTerm]]
) -> list[tuple[CalibratedStep, ...]]:
    """Embed and calibrate the steps of questions, all their texts in one batch.

    Args:
        queries: The questions.
        embed: Embeds and calibrates terms.

    Raises:
        MomentseekError: A term cannot be embedded.
    """
    steps = [query.steps for query in queries]
    terms = iter(embed([term for step in chain.from_iterable(steps) for term in (*step.shows, *step.without)]))

    def calibrated(step: Step) -> CalibratedStep:
        return CalibratedStep(tuple(islice(terms, len(step.shows))), tuple(islice(terms, len(step.without))))

    return [tuple(map(calibrated, of_query)) for of_query in steps]


@dataclass(frozen=True)
class Peak:
    """The best frame of a moment.

    Attributes:
        pts: Presentation timestamp of the frame.
        vector: float32 (D,) embedding.
        shown_seconds: The first and last time at which the frame is known to be on screen.
    """

    pts: int
    vector: npt.NDArray[np.float32]
    shown_seconds: tuple[float, float]


@dataclass(frozen=True)
class ScoredVideo:
    """A scored video: its curves, spans and best frames, without the frame embeddings, which take far more memory.

    Attributes:
        record: The video's record.
        curves: One score curve per step of the question.
        nominated: [start, end) in seconds of the segments that the index returned.
        spans: For each step, the spans of the moments that answer it, including weak ones.
        peaks: The best frame of each span, by its time in seconds.
        time_base: Seconds per unit of the peaks' timestamps.
        provenance: Provenance of the video's frames and rows.
        begins: Recording time of the start of playback; None if unknown.
        left_out: Moments that would answer a question of one step if frames outside of the allowed intervals counted.
    """

    record: VideoRecord
    curves: tuple[Curve, ...]
    nominated: tuple[tuple[float, float], ...]
    spans: tuple[tuple[Span, ...], ...]
    peaks: Mapping[float, Peak]
    time_base: Fraction
    provenance: Provenance | None = None
    begins: datetime | None = None
    left_out: tuple[Span, ...] = ()


def score_video(  # noqa: PLR0913 - the parts of a question and of a video, most by name
    record: VideoRecord,
    frames: FrameEmbeddings,
    curves: tuple[Curve, ...] | None,
    *,
    steps: Sequence[CalibratedStep],
    settings: Searching,
    nominated: Iterable[tuple[float, float]],
    seed_score: float,
    provenance: Provenance | None,
    allowed: Floats | None = None,
) -> ScoredVideo:
    """Score a video's frames for each step of a question and find its moments.

    The index nominates videos by their segments. But the pooled vector of a segment hides short moments, and the
    segments returned depend on the other contents of the index. So the whole video is scored: moments are grown around
    its best frame and around all peaks that reach `seed_score`. Nominated segments only add weaker moments.

    Args:
        record: The video's record.
        frames: The video's frame embeddings.
        curves: The video's score curves if it was scored before; None to compute them.
        steps: The steps of the question.
        settings: Settings of the search.
        nominated: [start, end) in seconds of the segments that the index returned.
        seed_score: The score from which on a peak needs no nominated segment.
        provenance: Provenance of the video's frames and rows.
        allowed: float64 (K, 2) intervals in seconds, in order, without overlap: frames outside of them count in no
            moment, and moments end where they do. None for the whole video.
    """
    curves = curves or tuple(curve_of(frames, step) for step in steps)
    nominated = tuple(dict.fromkeys(nominated))
    least = math.log(seed_score / (1 - seed_score)) if 0 < seed_score < 1 else math.inf
    levels = [levels_of(step, curve, settings) for curve, step in zip(curves, steps, strict=True)]
    spans = tuple(_spans(curve, level, nominated, least, allowed) for curve, level in zip(curves, levels, strict=True))
    left_out: tuple[Span, ...] = ()
    if allowed is not None and len(curves) == 1:
        usual = _spans(curves[0], levels[0], nominated, least, None)
        left_out = tuple(one for one in usual if one.score >= least and not is_within(one.best_seconds, allowed))
    peaks = {one.best_seconds: _peak(frames, one.best_seconds) for of_step in (*spans, left_out) for one in of_step}
    begins = recording_begins(record.metadata, settings.recorded_at)
    return ScoredVideo(record, curves, nominated, spans, peaks, frames.time_base, provenance, begins, left_out)


def _spans(
    curve: Curve, levels: Levels, nominated: Sequence[tuple[float, float]], least: float, allowed: Floats | None
) -> tuple[Span, ...]:
    """The moments of a step, best first."""
    if allowed is None:
        return tuple(grown_spans(_seeds(curve, nominated, least), curve, levels))
    counted = curve_within(curve, allowed)
    spans = grown_spans(_seeds(counted, nominated, least), counted, levels)
    return tuple(clipped_span(span, counted, allowed) for span in spans)


def _seeds(curve: Curve, nominated: Iterable[tuple[float, float]], seed_log_odds: float) -> set[int]:
    """Return the rows of the frames around which moments are grown."""
    weak = {row for row in best_rows(nominated, curve) if curve.scores[row] < seed_log_odds}
    return weak | peak_rows(curve, seed_log_odds)


def curve_of(frames: FrameEmbeddings, step: CalibratedStep) -> Curve:
    """Compute the score curve of a step over a video's frames."""
    return score_curve(frames, step.log_odds(frames.vectors))


def score_curve(frames: FrameEmbeddings, scores: Floats) -> Curve:
    """Make the curve of a video from one score a frame, float64 (N,); a held frame counts for as long as it lasts."""
    times = frames.times_seconds
    if frames.seen_until_seconds is not None:
        times, scores = unrolled(times, scores, frames.seen_until_seconds, frames.step_seconds)
    cuts = np.asarray(frames.cuts_seconds or (), np.float64)
    return Curve(times, scores, cuts, end_of(frames), _unseen_from(frames))


def _unseen_from(frames: FrameEmbeddings) -> float | None:
    """Return when the last sampled frame left the screen, if the video goes on for more than a step; else None.

    This applies only to a frame that was seen unchanged for at least one step.
    """
    until, step = frames.seen_until_seconds, frames.step_seconds
    if until is None or step is None or not len(until):
        return None
    has_stayed = until[-1] - frames.times_seconds[-1] >= step
    return float(until[-1]) if has_stayed and end_of(frames) - until[-1] > step else None


def _peak(frames: FrameEmbeddings, seconds: float) -> Peak:
    """Return the sampled frame that is on screen at a time."""
    row = max(0, int(np.searchsorted(frames.times_seconds, seconds, side="right")) - 1)
    since = float(frames.times_seconds[row])
    until = since if frames.seen_until_seconds is None else float(frames.seen_until_seconds[row])
    # Copied, because a view would keep all of the video's embeddings in memory.
    return Peak(int(frames.pts[row]), frames.vectors[row].copy(), (since, until))


def levels_of(step: CalibratedStep, curve: Curve, settings: Searching) -> Levels:
    """Compute the levels at which moments end, from the question, the collection and the whole video.

    Args:
        step: A step of the question.
        curve: The video's score curve for this step.
        settings: The ratios, and the quantile for the base.
    """
    video_base = quantile(curve.scores, settings.base_quantile) if len(curve.scores) else -math.inf
    return Levels(step.base_log_odds, settings.merge_ratio, settings.edge_ratio, video_base)


def found_in(video: ScoredVideo, steps: Sequence[CalibratedStep], within_seconds: Sequence[float]) -> list[FoundMoment]:
    """Find the moments of a video that answer all steps in sequence, best first, including weak ones.

    Args:
        video: The scored video.
        steps: The steps of the question.
        within_seconds: For each step but the first, the maximum time between the end of the previous one and its start.
    """
    return [_found(video, chain, steps) for chain in chains(video.spans, within_seconds)]


def _found(video: ScoredVideo, chain: Chain, steps: Sequence[CalibratedStep]) -> FoundMoment:
    moment = moment_of(video, chain.spans, steps)
    peak = video.peaks[moment.best_seconds]
    return FoundMoment(moment, chain.score, peak.vector, chain.spans, peak.shown_seconds)


def moment_of(video: ScoredVideo, spans: Sequence[Span], steps: Sequence[CalibratedStep]) -> Moment:
    """Combine spans, one per step, into one moment that extends over all of them and has the lowest of their scores."""
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


def _moment(video: ScoredVideo, span: Span, step: CalibratedStep) -> Moment:
    peak = video.peaks[span.best_seconds]
    return Moment(
        video_id=video.record.video_id,
        uri=video.record.last_name,
        is_gone=not video.record.names,
        start_seconds=span.start_seconds,
        end_seconds=span.end_seconds,
        best_seconds=span.best_seconds,
        score=probability(span.score),
        cosine=step.cosine(peak.vector),
        start_uncertainty_seconds=span.start_uncertainty_seconds,
        end_uncertainty_seconds=span.end_uncertainty_seconds,
        best_pts=peak.pts,
        time_base=video.time_base,
        provenance=video.provenance,
        recorded_at=recorded_at(video.begins, span.best_seconds),
    )
