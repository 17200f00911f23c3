"""Which videos a question looks at, how far it goes, and what that does to pages."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from contracts.word_world import DictStore, shown, video
from test_searcher import searcher_of

from pipeline.search import Answer, Searching, as_query
from pipeline.search.answer import Candidate
from pipeline.search.calibration import Calibration
from pipeline.search.embedding_cache import EmbeddingCache
from pipeline.search.query import Term
from pipeline.search.query_embedding import CalibratedTerm
from pipeline.search.scoring import CalibratedStep
from pipeline.search.video_scan import CandidateScan
from pipeline.segment import FixedWindows
from pipeline.types import FrameEmbeddings

MINUTE = FixedWindows(length_seconds=60.0, overlap_seconds=0.0)


def places(answer: Answer) -> list[tuple[str, float, float]]:
    return [(m.video_id, m.start_seconds, m.end_seconds) for m in answer.moments]


@pytest.mark.parametrize("usual", [0.5, 0.0])
def test_the_least_score_only_cuts_the_list(usual: float) -> None:
    """Two reds in one segment: the index points to it once."""
    settings = Searching(odds=10.0, min_score=usual)
    searcher, _ = searcher_of(video("v1", "red", "", "green", "", "red"), segmenter=MINUTE, settings=settings)
    wanted = [("v1", 0.0, 2.0), ("v1", 8.0, 10.0)]
    for least in (0.5, 0.1, 0.0):
        assert places(searcher.ask(as_query("red", {"min_score": least})))[:2] == wanted


def test_a_short_moment_in_a_long_video_is_found_whatever_the_least_score_is() -> None:
    record, frames = video("v1", *["red green", "red green", "blue"] * 80, *["blue"] * 9)
    vectors = frames.vectors.copy()
    vectors[-20] = shown("red")
    video_with_a_flash = record, replace(frames, vectors=vectors)
    searcher, _ = searcher_of(video_with_a_flash, segmenter=FixedWindows(), settings=Searching(odds=10.0))
    firsts = [searcher.ask(as_query("red", {"min_score": least, "top": 10})).moments[0] for least in (0.5, 0.0)]
    assert firsts[0] == firsts[1]
    assert firsts[0].best_seconds == frames.times_seconds[-20]


@pytest.mark.parametrize(
    "fields",
    [
        {"time_of_day": "22:00-6:00"},
        {"after": 1},
        {"before": 1},
        {"without": "blue"},
        {"at_least": 2},
        {"per_video": 1},
        {"then": [{"shows": "red"}]},
    ],
)
def test_what_the_index_has_not_told_is_not_read_where_it_cannot_score_enough(fields: dict[str, Any]) -> None:
    night = {"recorded_at": "2026-11-20T23:00"}
    few = [video(f"v{number}", "red", metadata=night) for number in range(5)]
    many = [video(f"x{number}", "blue", metadata=night) for number in range(100)]
    searcher, store = searcher_of(*few, *many, settings=Searching(candidates=20, same_picture=None))
    searcher.ask(as_query("red", fields))
    assert store.reads == 20


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"time_of_day": "22:00-6:00"}, "its 2 s were recorded from 12:00:00 on"),
        ({"after": 3}, "it ends at 2.000 s, before 3 s"),
    ],
)
def test_a_video_that_cannot_answer_is_not_read(fields: dict[str, Any], why: str) -> None:
    days = [video(f"d{number}", "red", metadata={"recorded_at": "2026-11-20T12:00"}) for number in range(5)]
    night = video("night", "", "", "red", metadata={"recorded_at": "2026-11-20T21:59:57"})
    searcher, store = searcher_of(*days, night)
    answer = searcher.ask(as_query("red", fields))
    assert [moment.video_id for moment in answer.moments] == ["night"]
    assert store.reads == 1
    assert {(one.video_id, one.why) for one in answer.explanation.skipped} == {(f"d{n}", why) for n in range(5)}


class FreshStore(DictStore):
    """Reads embeddings anew each time, and knows which are still held."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[weakref.ref[np.ndarray]] = []

    def read(self, video_id: str) -> FrameEmbeddings:
        frames = super().read(video_id)
        vectors = frames.vectors.copy()
        self.given.append(weakref.ref(vectors))
        return replace(frames, vectors=vectors)


def test_embeddings_of_videos_are_let_go_when_they_were_looked_at() -> None:
    store = FreshStore()
    for number in range(20):
        store.write(*video(f"v{number}", "red", "", "red"))
    term = CalibratedTerm(Term(text="red"), shown("red"), Calibration(0.5, 40.0, 5.0))
    query = as_query("red")
    scan = CandidateScan(query, [CalibratedStep((term,))], EmbeddingCache(store, 0), Searching(), None)
    scan.scan(Candidate("red", f"v{number}", 0.0, 6.0, 0.9, 0.9) for number in range(20))
    assert len(scan.found) == 40
    assert sum(vectors() is not None for vectors in store.given) == 1


def test_a_later_page_repeats_and_moves_nothing_of_those_before() -> None:
    """The best is hidden in a long segment, which the index tells last."""
    videos = video("v1", "red green"), video("v2", "red green"), video("v3", *[""] * 12, "red")
    settings = Searching(odds=10.0, candidates=2, top=1, same_picture=None, min_score=0.02)
    half = FixedWindows(length_seconds=30.0, overlap_seconds=0.0)
    searcher, _ = searcher_of(*videos, segmenter=half, settings=settings)
    pages = [searcher.ask(as_query("red", {"page": page})).moments for page in (1, 2, 3, 4)]
    assert [[moment.video_id for moment in page] for page in pages] == [["v1"], ["v2"], ["v3"], []]


@pytest.mark.parametrize("fields", [{}, {"at_least": 2}, {"per_video": 1}, {"then": [{"shows": "blue"}]}])
@pytest.mark.parametrize("least", [0.0, 0.2])
def test_pages_have_every_moment_once(fields: dict[str, Any], least: float) -> None:
    rng = np.random.default_rng(5)
    words = ["", "red", "red green", "green blue", "blue", "red blue"]
    videos = [video(f"v{number:02}", *rng.choice(words, 9)) for number in range(12)]
    settings = Searching(odds=10.0, candidates=3, top=2, same_picture=None, min_score=least)
    windows = FixedWindows(length_seconds=4.0, overlap_seconds=0.0)
    searcher, _ = searcher_of(*videos, segmenter=windows, settings=settings)
    shown_places: list[tuple[str, float, float]] = []
    for page in range(1, 200):
        found = places(searcher.ask(as_query("red", {"page": page, **fields})))
        shown_places += found
        if not found:
            break
    assert len(shown_places) == len(set(shown_places)) > 10
