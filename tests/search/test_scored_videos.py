"""How a video's frames become curves, seeds, levels and moments, and which videos are scored at all."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from contracts.word_world import DictStore, shown, video

from pipeline.errors import StoreError
from pipeline.search import Searching, as_query
from pipeline.search.answer import Candidate
from pipeline.search.calibration import Calibration
from pipeline.search.embedding_cache import EmbeddingCache
from pipeline.search.localization import Curve
from pipeline.search.query import Term
from pipeline.search.query_embedding import CalibratedTerm
from pipeline.search.scoring import CalibratedStep, curve_of, found_in, levels_of, moment_of, score_video
from pipeline.search.video_scan import CandidateScan
from pipeline.types import FrameEmbeddings, Moment, Provenance, VideoRecord

# Log-odds are 10 * cosine - 5: a frame of nothing has -5, one of red about 3.9.
CALIBRATION = Calibration(level=0.0, scale=10.0, log_odds=5.0)
SETTINGS = Searching(odds=10.0)


def term(word: str, calibration: Calibration = CALIBRATION) -> CalibratedTerm:
    vector = shown(word)
    vector[3] = 0
    return CalibratedTerm(Term(text=word), np.asarray(vector / np.linalg.norm(vector), np.float32), calibration)


RED = CalibratedStep((term("red"),))
GREEN = CalibratedStep((term("green"),))


def scored(log_odds: list[float], **changed: Any) -> tuple[VideoRecord, FrameEmbeddings]:
    """Frames two a second, whose log-odds of red are these."""
    record, frames = video("v1", "")
    cosines = (np.asarray(log_odds) + 5) / 10
    vectors = np.zeros((len(cosines), 4))
    vectors[:, 0], vectors[:, 3] = cosines, np.sqrt(1 - cosines**2)
    count = len(cosines)
    given: dict[str, Any] = {
        "pts": np.arange(count),
        "times_seconds": np.arange(count) / 2,
        "vectors": vectors.astype(np.float32),
        "cuts_seconds": (),
        "duration_seconds": count / 2,
    }
    return record, replace(frames, **(given | changed))


def moments(
    found: tuple[VideoRecord, FrameEmbeddings], *nominated: tuple[float, float], likely: float = 0.5, **settings: Any
) -> list[tuple[float, float, float]]:
    """Start, best and end of what is found in a video."""
    seen = score_video(
        *found,
        None,
        steps=[RED],
        settings=Searching(**settings),
        nominated=nominated,
        seed_score=likely,
        provenance=None,
    )
    return [(span.start_seconds, span.best_seconds, span.end_seconds) for span in seen.spans[0]]


def test_all_that_is_to_be_shown_counts_by_the_least_and_what_is_not_by_the_opposite() -> None:
    both = CalibratedStep((term("red"), term("green")))
    vectors = np.stack([shown("red"), shown("red", "green"), shown("green")])
    red, green = RED.log_odds(vectors), GREEN.log_odds(vectors)
    assert both.log_odds(vectors).tolist() == np.minimum(red, green).tolist()
    without = CalibratedStep((term("red"),), (term("green"),))
    assert without.log_odds(vectors).tolist() == np.minimum(red, -green).tolist()


def test_the_cosine_and_the_base_of_a_step_are_those_of_its_least_term() -> None:
    both = CalibratedStep(
        (term("red", Calibration(0.0, 10.0, 5.0, base=0.1)), term("green", Calibration(0.0, 10.0, 5.0, base=-0.2)))
    )
    assert both.base_log_odds == pytest.approx(-7.0)
    assert both.cosine(shown("red")) == pytest.approx(0.0)
    assert both.cosine(shown("red", "green")) == pytest.approx(2 / 3)
    assert CalibratedStep(both.shows, (term("blue", Calibration(0.0, 10.0, 50.0)),)).base_log_odds == pytest.approx(
        -7.0
    )


# 0.5 is a log-odds of 0: one that is reached needs no nomination.
@pytest.mark.parametrize(("peak", "is_found"), [(0.001, True), (-0.001, False), (1.0, True)])
def test_peaks_that_are_likely_need_no_nomination(peak: float, is_found: bool) -> None:
    """The best frame is one anyway; here it is another."""
    found = moments(scored([-4, 2, -4, -4, peak, -4, -4]))
    assert [best for _, best, _ in found] == ([0.5, 2.0] if is_found else [0.5])


@pytest.mark.parametrize(("likely", "least"), [(0.5, 0.0), (0.9, math.log(9)), (0.1, -math.log(9))])
def test_what_is_likely_is_a_probability(likely: float, least: float) -> None:
    for peak, count in ((least + 0.01, 2), (least - 0.01, 1)):
        assert len(moments(scored([-4, 3.5, -4, -4, peak, -4, -4]), likely=likely)) == count


@pytest.mark.parametrize("likely", [0.0, 1.0])
def test_without_a_likely_score_only_the_best_and_the_nominated_are_moments(likely: float) -> None:
    frames = scored([-4, 3.5, -4, -4, 3, -4, -4])
    assert [best for _, best, _ in moments(frames, likely=likely)] == [0.5]
    assert [best for _, best, _ in moments(frames, (1.5, 3.0), likely=likely)] == [0.5, 2.0]


def test_a_nominated_segment_adds_its_best_frame_however_weak() -> None:
    frames = scored([-4, 2, -4, -4, -1, -4, -4])
    assert [best for _, best, _ in moments(frames, (1.5, 3.0))] == [0.5, 2.0]


def test_a_nominated_frame_that_is_likely_and_no_peak_begins_no_moment() -> None:
    """The segment ends on the slope of the peak, behind a cut by none."""
    frames = scored([-4, 1, 2, 3, -4, -4])
    assert moments(frames, (0.0, 1.0)) == moments(frames)


def test_the_levels_are_those_of_the_question_the_settings_and_the_videos_own_quantile() -> None:
    curve = Curve(np.arange(5.0), np.asarray([0.0, 1, 2, 3, 10]), np.empty(0), 5.0)
    levels = levels_of(RED, curve, Searching(base_quantile=0.5, merge_ratio=0.7, edge_ratio=0.4))
    assert (levels.base, levels.merge_ratio, levels.edge_ratio, levels.video_base) == (-5.0, 0.7, 0.4, 2.0)
    none = Curve(np.empty(0), np.empty(0), np.empty(0), 5.0)
    assert levels_of(RED, none, Searching()).video_base == -math.inf


def test_a_curve_has_the_times_scores_cuts_and_end_of_the_video() -> None:
    _, frames = scored([-4, 2, -4], cuts_seconds=(0.4, 0.9))
    curve = curve_of(frames, RED)
    assert curve.times_seconds.tolist() == [0, 0.5, 1]
    assert curve.scores == pytest.approx([-4, 2, -4], abs=1e-5)
    assert (curve.cuts_seconds.tolist(), curve.end_seconds, curve.unseen_from_seconds) == ([0.4, 0.9], 1.5, None)
    assert len(curve_of(replace(frames, cuts_seconds=None), RED).cuts_seconds) == 0


def test_a_frame_that_stays_counts_for_each_step_of_it() -> None:
    until = np.array([0.0, 2.0, 3.0])
    _, frames = scored([-4, 2, -4], times_seconds=np.array([0.0, 0.5, 3.0]), seen_until_seconds=until, step_seconds=0.5,
                       duration_seconds=3.5)  # fmt: skip
    curve = curve_of(frames, RED)
    assert curve.times_seconds.tolist() == [0, 0.5, 1, 1.5, 2, 3]
    assert curve.scores == pytest.approx([-4, 2, 2, 2, 2, -4], abs=1e-5)


# The last frame, at 1 s, with a step of half a second in a video of four seconds.
@pytest.mark.parametrize(("until", "duration", "unseen_from"), [
    (2.0, 4.0, 2.0),
    (1.5, 4.0, 1.5),
    # It was looked at once, and may stand for the rest as any frame of a grid does.
    (1.49, 4.0, None),
    # What follows is no longer than a step.
    (2.0, 2.5, None),
    (2.0, 2.51, 2.0),
])  # fmt: skip
def test_a_last_frame_that_stayed_and_then_left_does_not_stand_for_the_rest(
    until: float, duration: float, unseen_from: float | None
) -> None:
    given = {"seen_until_seconds": np.array([0.0, 0.5, until]), "step_seconds": 0.5, "duration_seconds": duration}
    _, frames = scored([-4, 2, 3], **given)
    assert curve_of(frames, RED).unseen_from_seconds == unseen_from
    assert curve_of(replace(frames, step_seconds=None), RED).unseen_from_seconds is None


def test_a_peak_is_the_frame_that_is_shown_then_and_since_when_and_until_when() -> None:
    until = np.array([0.0, 2.0, 3.0])
    record, frames = scored([-4, 2, -4], times_seconds=np.array([0.0, 0.5, 3.0]), seen_until_seconds=until,
                            step_seconds=0.5, pts=np.array([7, 8, 9]), duration_seconds=3.5)  # fmt: skip
    seen = score_video(record, frames, None, steps=[RED], settings=SETTINGS, nominated=[(1.5, 2.5)], seed_score=0.5,
                      provenance=None)  # fmt: skip
    (peak,) = seen.peaks.values()
    assert (peak.pts, peak.shown_seconds) == (8, (0.5, 2.0))
    assert peak.vector.tolist() == frames.vectors[1].tolist()
    assert not np.shares_memory(peak.vector, frames.vectors)
    (found,) = found_in(seen, [RED], [])
    assert (found.shown_seconds, found.moment.best_pts) == ((0.5, 2.0), 8)
    record, frames = scored([-4, 2, -4])
    seen = score_video(
        record, frames, None, steps=[RED], settings=SETTINGS, nominated=[], seed_score=0.5, provenance=None
    )
    assert seen.peaks[0.5].shown_seconds == (0.5, 0.5)


@pytest.mark.parametrize("row", [0, 1, 2])
def test_the_best_frame_may_be_the_first_or_the_last(row: int) -> None:
    log_odds = [-4.0, -4, -4]
    log_odds[row] = 2
    record, frames = scored(log_odds, pts=np.array([7, 8, 9]))
    seen = score_video(
        record, frames, None, steps=[RED], settings=SETTINGS, nominated=[], seed_score=0.5, provenance=None
    )
    (found,) = found_in(seen, [RED], [])
    assert (found.moment.best_pts, found.shown_seconds) == (7 + row, (row / 2, row / 2))
    assert found.picture.tolist() == frames.vectors[row].tolist()


def test_curves_from_before_are_used_and_nominations_kept_once() -> None:
    record, frames = scored([-4, 2, -4])
    other = Curve(np.arange(3.0), np.asarray([-4.0, -4, 2]), np.empty(0), 3.0)
    seen = score_video(record, frames, (other,), steps=[RED], settings=SETTINGS, nominated=[(0.0, 1.0)] * 2,
                      seed_score=0.5, provenance=None)  # fmt: skip
    assert seen.curves == (other,)
    assert seen.nominated == ((0.0, 1.0),)
    assert {span.best_seconds for span in seen.spans[0]} >= {2.0}


def moment(record: VideoRecord, frames: FrameEmbeddings, steps: list[CalibratedStep]) -> Moment:
    provenance = Provenance(sampling="s", encoder="e", segmentation="g")
    seen = score_video(
        record, frames, None, steps=steps, settings=SETTINGS, nominated=[], seed_score=0.5, provenance=provenance
    )
    return moment_of(seen, [spans[0] for spans in seen.spans], steps)


def test_a_moment_says_all_that_is_known_of_its_best_frame() -> None:
    record, frames = scored([-4, 2, -4])
    found = moment(replace(record, metadata={"recorded_at": "2026-11-20T12:00"}), frames, [RED])
    assert found.score == pytest.approx(1 / (1 + math.exp(-2)), abs=1e-4)
    assert found.cosine == pytest.approx(0.7, abs=1e-6)
    assert (found.start_seconds, found.end_seconds, found.best_seconds, found.best_pts) == (0.25, 0.75, 0.5, 1)
    assert (found.start_uncertainty_seconds, found.end_uncertainty_seconds) == (0.25, 0.25)
    assert found.recorded_at == datetime(2026, 11, 20, 12, 0, 0, 500_000)
    assert (found.video_id, found.uri, found.is_gone) == ("v1", "/videos/v1.mp4", False)
    assert found.provenance is not None
    assert found.time_base == frames.time_base
    assert found.steps == ()


def test_a_sequence_spans_its_steps_and_is_as_good_as_the_weakest() -> None:
    record, frames = video("v1", "red green", "", "green", "")
    found = moment(record, frames, [RED, GREEN])
    first, second = found.steps
    assert (found.start_seconds, found.end_seconds) == (first.start_seconds, second.end_seconds)
    assert (found.start_seconds, found.best_seconds) == (0.0, first.best_seconds)
    assert first.score != second.score
    assert (found.score, found.cosine) == (min(first.score, second.score), min(first.cosine, second.cosine))
    assert found.end_uncertainty_seconds == second.end_uncertainty_seconds


class CountingStore(DictStore):
    """Knows which videos were read, and may have one that is broken."""

    def __init__(self) -> None:
        super().__init__()
        self.broken: set[str] = set()
        self.read_ids: list[str] = []

    def read(self, video_id: str) -> FrameEmbeddings:
        if video_id in self.broken:
            raise StoreError(f"{video_id} is broken")
        self.read_ids.append(video_id)
        return super().read(video_id)


def scan_of(*names: str, fields: dict[str, Any] | None = None, **settings: Any) -> tuple[CandidateScan, CountingStore]:
    store = CountingStore()
    for name in names:
        store.write(*video(name, "red", "", "red green", ""))
    query = as_query("red", fields or {})
    return CandidateScan(query, [RED], EmbeddingCache(store, 0), Searching(**settings), None), store


def candidate(video_id: str, start: float = 0.0, end: float = 2.0) -> Candidate:
    return Candidate("red", video_id, start, end, 0.9, 0.9)


def test_a_video_is_scored_again_only_for_places_that_were_not_named_before() -> None:
    scan, store = scan_of("v1", "v2")
    scan.scan([candidate("v1"), candidate("v1"), candidate("v2")])
    assert store.read_ids == ["v1", "v2"]
    scan.scan([candidate("v1", 4.0, 6.0), candidate("v2")])
    assert store.read_ids == ["v1", "v2", "v1"]
    assert scan.scored["v1"].nominated == ((0.0, 2.0), (4.0, 6.0))
    assert {found.moment.video_id for found in scan.found} == {"v1", "v2"}


def test_a_video_that_breaks_in_between_is_skipped_with_all_that_was_found_in_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scan, store = scan_of("v1", "v2")
    scan.scan([candidate("v1"), candidate("v2")])
    store.broken.add("v1")
    with caplog.at_level(logging.WARNING, logger="pipeline"):
        scan.scan([candidate("v1", 4.0, 6.0), candidate("v2", 4.0, 6.0)])
    assert "not searched: v1 is broken" in caplog.text
    assert {found.moment.video_id for found in scan.found} == {"v2"}
    assert (set(scan.scored), set(scan.skipped)) == ({"v2"}, {"v1"})
    assert (scan.skipped["v1"].is_broken, scan.skipped["v1"].why) == (True, "v1 is broken")
    store.broken.clear()
    scan.scan([candidate("v1", 5.0, 6.0)])
    assert set(scan.scored) == {"v2"}


def test_a_video_that_the_store_does_not_hold_is_neither_seen_nor_skipped(caplog: pytest.LogCaptureFixture) -> None:
    scan, _ = scan_of("v1")
    with caplog.at_level(logging.WARNING, logger="pipeline"):
        scan.scan([candidate("gone"), candidate("v1")])
    assert "gone is in the index but not in the store" in caplog.text
    assert (set(scan.scored), set(scan.skipped)) == ({"v1"}, set())


# A weak peak of about 0.27 beside one of 0.98, nominated by nothing.
@pytest.mark.parametrize(("usual", "asked", "is_found"), [
    (0.5, None, False),
    (0.5, 0.9, False),
    # What a question asks for lowers what is likely; what it raises only cuts the list.
    (0.5, 0.2, True),
    (0.2, None, True),
    (0.2, 0.9, True),
    # None is no likelihood: the usual one stands.
    (0.0, None, False),
    (0.0, 0.2, True),
    (0.5, 0.0, False),
])  # fmt: skip
def test_what_is_likely_is_the_lesser_of_the_usual_and_the_asked_score(
    usual: float, asked: float | None, is_found: bool
) -> None:
    store = CountingStore()
    record, frames = scored([-4, 3.9, -4, -4, -1, -4, -4])
    store.write(record, frames)
    query = as_query("red", {} if asked is None else {"min_score": asked})
    scan = CandidateScan(query, [RED], EmbeddingCache(store, 0), Searching(min_score=usual), None)
    scan.scan([candidate("v1", 0.0, 1.0)])
    assert [found.moment.best_seconds for found in scan.found] == ([0.5, 2.0] if is_found else [0.5])


def cache_of(budget: int, *names: str, dimension: int | None = None) -> tuple[EmbeddingCache, CountingStore]:
    store = CountingStore()
    for name in names:
        store.write(*video(name, "red"))
    return EmbeddingCache(store, budget, dimension), store


SIZE = video("v1", "red")[1].vectors.nbytes


@pytest.mark.parametrize(("budget", "again"), [(2 * SIZE, []), (2 * SIZE - 1, ["v1"]), (0, ["v1"])])
def test_videos_are_kept_up_to_the_budget(budget: int, again: list[str]) -> None:
    cache, store = cache_of(budget, "v1", "v2")
    for name in ("v1", "v2", "v2"):
        cache.get(name)
    assert store.read_ids == ["v1", "v2"]
    cache.get("v1")
    assert store.read_ids == ["v1", "v2", *again]


def test_what_was_dropped_leaves_room_for_others() -> None:
    cache, store = cache_of(2 * SIZE, "v1", "v2", "v3", "v4")
    for name in ("v1", "v2", "v3", "v4", "v3", "v4"):
        cache.get(name)
    assert store.read_ids == ["v1", "v2", "v3", "v4"]


def test_embeddings_of_another_encoder_are_refused_and_an_empty_video_has_none() -> None:
    cache, store = cache_of(0, "v1", dimension=5)
    with pytest.raises(StoreError, match="have 4 dimensions, but this encoder's have 5"):
        cache.get("v1")
    record, frames = scored([])
    store.write(record, replace(frames, vectors=np.empty((0, 3), np.float32)))
    assert len(cache.read(record)) == 0
    assert cache_of(0, "v1", dimension=4)[0].get("v1") is not None
