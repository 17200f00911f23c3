"""How many segments the index is asked for, when a search goes deeper, and how questions are taken in batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
from contracts.word_world import DictStore, WordEncoder, video

from pipeline.errors import QueryError, StoreError
from pipeline.index import MemoryIndex
from pipeline.index.protocol import Filter, Hit
from pipeline.index.rewrite import replace_rows
from pipeline.search import QueryImages, Searcher, Searching, as_query, searcher
from pipeline.segment import MeanPooling, Shots
from pipeline.segment.row_recipe import RowRecipe
from pipeline.types import FrameEmbeddings, VideoRecord


class AskedIndex(MemoryIndex):
    """Knows how much it was asked for, and of which videos."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []
        self.filters: list[Filter] = []

    def search(self, vectors: Any, *, top: int, where: Filter = Filter()) -> Sequence[Sequence[Hit]]:  # noqa: B008 - never changed
        self.asked.append(top)
        self.filters.append(where)
        return super().search(vectors, top=top, where=where)


class CountingEncoder(WordEncoder):
    """Knows the batches of texts."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def encode_texts(self, texts: Sequence[str]) -> Any:
        self.batches.append(list(texts))
        if "broken" in texts:
            raise QueryError("no such text")
        return super().encode_texts(texts)


def searching(
    *videos: tuple[VideoRecord, FrameEmbeddings], **settings: Any
) -> tuple[Searcher, AskedIndex, CountingEncoder]:
    store, index, encoder = DictStore(), AskedIndex(), CountingEncoder()
    recipe = RowRecipe(segmenter=Shots(), aggregator=MeanPooling(), fingerprint="s")
    for record, frames in videos:
        store.write(record, frames)
        replace_rows(index, record.video_id, recipe.rows(frames, record.metadata))
    given = {"same_picture": None, "background": ()} | settings
    return Searcher(encoder, index, store, Searching(**given)), index, encoder


RARE = "red", "", ""


def reds(count: int, shots: Sequence[str] = ("red",)) -> list[tuple[VideoRecord, FrameEmbeddings]]:
    return [video(f"v{number:03}", *shots) for number in range(count)]


@pytest.mark.parametrize(("fields", "asked"), [
    # A page that is full needs no more, the last candidate of it included.
    ({"top": 2}, [4]),
    ({"top": 4}, [4]),
    ({"top": 2, "page": 2}, [4]),
    # At least as many as are to be listed are asked for.
    ({"top": 5}, [5]),
    # Four times as many, until the page is full.
    ({"top": 2, "page": 3}, [4, 16]),
    ({"top": 4, "page": 4}, [4, 16]),
    ({"top": 4, "page": 5}, [4, 16, 64]),
    # Until the index has no more.
    ({"top": 10, "page": 9}, [10, 40]),
])  # fmt: skip
def test_a_search_goes_deeper_until_the_page_is_full(fields: dict[str, int], asked: list[int]) -> None:
    searcher_, index, _ = searching(*reds(30), candidates=4, min_score=0.0)
    searcher_.ask(as_query("red", {"min_score": 0.0, **fields}))
    assert index.asked == asked


def test_an_index_that_told_exactly_as_much_as_was_asked_may_have_more() -> None:
    for count, asked in ((4, [4, 16]), (3, [4])):
        searcher_, index, _ = searching(*reds(count), candidates=4)
        searcher_.ask(as_query("red", {"min_score": 0.0, "page": 2, "top": 4}))
        assert index.asked == asked


def test_a_search_stops_where_nothing_further_can_score_enough() -> None:
    """Two are red, and the least of what the index told is blue, which scores too little."""
    videos = [*reds(2), *(video(f"x{number}", "blue") for number in range(30))]
    for least, asked in ((0.5, [4]), (0.0, [4, 16, 64])):
        searcher_, index, _ = searching(*videos, candidates=4, odds=10.0)
        searcher_.ask(as_query("red", {"min_score": least, "top": 40}) if least == 0 else as_query("red", {"top": 4}))
        assert index.asked[:1] == ([40] if least == 0 else asked)


def test_a_candidate_of_exactly_the_least_score_is_not_the_last() -> None:
    searcher_, index, _ = searching(*reds(20), candidates=2, odds=10.0)
    exactly = searcher_.ask(as_query("red", {"top": 1})).explanation.candidates[0].score
    index.asked.clear()
    searcher_.ask(as_query("red", {"top": 2, "page": 2, "min_score": exactly}))
    assert len(index.asked) > 1


def test_a_search_goes_no_deeper_than_an_index_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert searcher._MAX_CANDIDATES == 16_384
    monkeypatch.setattr(searcher, "_MAX_CANDIDATES", 12)
    searcher_, index, _ = searching(*reds(30), candidates=4)
    answer = searcher_.ask(as_query("red", {"min_score": 0.0, "page": 9, "top": 4}))
    assert index.asked == [4, 12]
    assert answer.found == 12


def test_pages_hold_what_comes_next_and_found_counts_all() -> None:
    searcher_, _, _ = searching(*reds(7, RARE), candidates=100)
    pages = [searcher_.ask(as_query("red", {"top": 3, "page": page})) for page in (1, 2, 3, 4)]
    names = [[moment.video_id for moment in page.moments] for page in pages]
    assert names == [["v000", "v001", "v002"], ["v003", "v004", "v005"], ["v006"], []]
    assert {page.found for page in pages} == {7}
    assert {page.top for page in pages} == {3}


def test_the_settings_stand_where_the_question_names_nothing_else() -> None:
    searcher_, _, _ = searching(*reds(5, RARE), top=2, min_score=0.25)
    answer = searcher_.ask(as_query("red"))
    assert (len(answer.moments), answer.top, answer.min_score) == (2, 2, 0.25)
    answer = searcher_.ask(as_query("red", {"top": 3, "min_score": 0.0}))
    assert (len(answer.moments), answer.top, answer.min_score) == (3, 3, 0.0)


def test_candidates_are_listed_best_first_with_what_they_would_score() -> None:
    searcher_, _, _ = searching(video("v1", "red green", "red"), video("v2", "red", "blue"), candidates=3)
    candidates = searcher_.ask(as_query("red", {"top": 1})).explanation.candidates
    assert [(one.video_id, one.start_seconds) for one in candidates] == [("v1", 2), ("v2", 0), ("v1", 0)]
    assert candidates[0].score == candidates[1].score > candidates[2].score
    assert candidates[0].cosine > candidates[2].cosine
    assert {one.term for one in candidates} == {"red"}


def test_filters_of_very_many_videos_are_parted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the videos were recorded at another time; the rest are named, some at a time."""
    assert searcher._MAX_FILTER_IDS == 1000
    monkeypatch.setattr(searcher, "_MAX_FILTER_IDS", 3)
    times = ["12:00", "20:00"]
    videos = [video(f"v{n:02}", *RARE, metadata={"recorded_at": f"2026-11-20T{times[n % 2]}"}) for n in range(14)]
    searcher_, index, _ = searching(*videos, candidates=5)
    answer = searcher_.ask(as_query("red", {"time_of_day": "11:00-13:00", "top": 5}))
    assert [len(where.video_ids) for where in index.filters] == [3, 3, 1]
    assert [moment.video_id for moment in answer.moments] == ["v00", "v02", "v04", "v06", "v08"]
    assert len(answer.explanation.candidates) == 5
    index.filters.clear()
    searcher_.ask(as_query("red", {"time_of_day": "0:00-24:00"}))
    assert [where.video_ids for where in index.filters] == [()]


def test_the_library_is_listed_only_where_its_records_are_needed() -> None:
    """A question without bounds that finds a candidate needs none; one that finds nothing says why."""
    listed: list[int] = []

    def survey() -> tuple[Sequence[VideoRecord], dict[str, StoreError]]:
        listed.append(1)
        return [record for record, _ in store.kept.values()], {}

    store, index = DictStore(), MemoryIndex()
    record, frames = video("v1", "red", metadata={"recorded_at": "2026-11-20T12:00", "site": "gate"})
    store.write(record, frames)
    recipe = RowRecipe(segmenter=Shots(), aggregator=MeanPooling(), fingerprint="s")
    replace_rows(index, "v1", recipe.rows(frames, record.metadata))
    one = Searcher(WordEncoder(), index, store, Searching(), survey=survey)
    one.ask(as_query("red"))
    one.ask(as_query("red", {"where": {"site": "gate"}}))
    assert listed == []
    assert "site is never" in one.ask(as_query("red", {"where": {"site": "yard"}})).explanation.hint
    assert listed == [1]
    one.ask(as_query("red", {"time_of_day": "12:00-13:00"}))
    assert listed == [1, 1]
    (skipped,) = one.ask(as_query("red", {"time_of_day": "14:00-15:00"})).explanation.skipped
    assert skipped.video_id == "v1"
    assert listed == [1, 1, 1]


def test_questions_are_embedded_in_batches_and_answered_as_they_are_taken() -> None:
    assert searcher._QUESTION_BATCH == 64
    searcher_, _, encoder = searching(*reds(1))
    taken: list[int] = []

    def questions() -> Any:
        for number in range(130):
            taken.append(number)
            yield as_query(f"red {number}")

    answers = searcher_.ask_all(questions())
    next(answers)
    assert (len(taken), [len(batch) for batch in encoder.batches]) == (64, [64])
    assert len(list(answers)) == 129
    assert [len(batch) for batch in encoder.batches] == [64, 64, 2]


def test_a_question_that_cannot_be_asked_is_named_after_those_before_it_were_answered() -> None:
    searcher_, _, _ = searching(*reds(1))
    answers = searcher_.ask_all([as_query("red"), as_query("green"), as_query("broken"), as_query("blue")])
    assert [str(next(answers).query.steps[0]) for _ in range(2)] == ["red", "green"]
    with pytest.raises(QueryError, match=r"^question 3 \(broken\): no such text$"):
        next(answers)


def test_a_library_of_another_encoder_is_refused() -> None:
    class Longer(WordEncoder):
        dimension = 5

    store = DictStore()
    store.write(*video("v1", "red"))
    with pytest.raises(StoreError, match="have 4 dimensions, but this encoder's have 5"):
        Searcher(Longer(), MemoryIndex(), store, Searching())


def test_frames_are_kept_up_to_the_mebibytes_of_the_settings() -> None:
    searcher_, _, _ = searching(*reds(3), cache_mebibytes=1)
    searcher_.ask(as_query("red"))
    searcher_.ask(as_query("red"))
    assert isinstance(searcher_._embeddings._store, DictStore)
    assert searcher_._embeddings._store.reads == 3
    assert searcher_._embeddings._budget_bytes == 2**20
    unkept, _, _ = searching(*reds(3), cache_mebibytes=0)
    unkept.ask(as_query("red"))
    unkept.ask(as_query("red"))
    assert unkept._embeddings._store.reads == 6  # type: ignore[attr-defined]


def test_the_curves_of_an_answer_are_of_the_videos_that_are_shown() -> None:
    searcher_, _, _ = searching(video("v1", "red"), video("v2", "blue"), odds=10.0)
    answer = searcher_.ask(as_query("red"))
    assert set(answer.curves) == {"v1"}
    nothing = searcher_.ask(as_query("green"))
    assert nothing.nearest is not None
    assert set(nothing.curves) == {nothing.nearest.video_id}


def test_an_explanation_says_what_cosines_mean() -> None:
    searcher_, _, _ = searching(video("v1", "red"), odds=10.0)
    (meaning, other) = searcher_.ask(as_query({"shows": "red", "without": "blue"})).explanation.terms
    assert (meaning.term, other.term) == ("red", "blue")
    assert meaning.scale == 40.0
    assert meaning.log_odds == pytest.approx(np.log(10.0))
    assert meaning.level > other.level


def test_where_nothing_shows_it_is_told_by_the_least_score_of_the_question_or_of_the_settings() -> None:
    searcher_, _, _ = searching(*reds(1, RARE), min_score=0.25)
    assert searcher_.ask(as_query("red", {"none": True})).min_score == 0.25
    assert searcher_.ask(as_query("red", {"none": True, "min_score": 0.75})).min_score == 0.75


def test_moments_whose_ends_were_looked_at_again_keep_their_copies() -> None:
    """All ends are cuts, so that no file is read."""
    store, index = DictStore(), MemoryIndex()
    recipe = RowRecipe(segmenter=Shots(), aggregator=MeanPooling(), fingerprint="s")
    for record, frames in reds(2, RARE):
        store.write(record, frames)
        replace_rows(index, record.video_id, recipe.rows(frames, record.metadata))
    settings = Searching(background=(), same_picture=0.99)
    one = Searcher(WordEncoder(), index, store, settings, pictures=lambda: cast(QueryImages, None))
    (moment,) = one.ask(as_query("red", {"refine": True})).moments
    assert [copy.video_id for copy in moment.copies] == ["v001"]
