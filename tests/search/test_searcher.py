from __future__ import annotations

import logging
import math
from typing import Any

import pytest
from contracts.word_world import WORDS, DictStore, WordEncoder, video

from pipeline.errors import QueryError
from pipeline.index import MemoryIndex
from pipeline.index.rewrite import replace_rows
from pipeline.search import Searcher, Searching, as_query
from pipeline.search.embedding_cache import EmbeddingCache
from pipeline.segment import FixedWindows, MeanPooling, Segmenter, Shots
from pipeline.segment.row_recipe import RowRecipe
from pipeline.types import FrameEmbeddings, Moment, VideoRecord


def searcher_of(
    *videos: tuple[VideoRecord, FrameEmbeddings], settings: Searching | None = None, segmenter: Segmenter | None = None
) -> tuple[Searcher, DictStore]:
    store, index = DictStore(), MemoryIndex()
    recipe = RowRecipe(segmenter=segmenter or Shots(), aggregator=MeanPooling(), fingerprint="s")
    for record, frames in videos:
        store.write(record, frames)
        replace_rows(index, record.video_id, recipe.rows(frames, record.metadata))
    return Searcher(WordEncoder(), index, store, settings or Searching(same_picture=None)), store


def asked(searcher: Searcher, question: str, **fields: Any) -> tuple[Moment, ...]:
    """The moments that answer; weak ones, too, unless the question says how strong they must be."""
    return searcher.ask(as_query(question, {"min_score": 0.0, **fields})).moments


def test_search_finds_the_shot_that_shows_it() -> None:
    searcher, _ = searcher_of(video("v1", "red", "green", "blue"), video("v2", "blue", "", "red green"))
    moments = asked(searcher, "green", top=2)
    assert [(m.video_id, m.start_seconds, m.end_seconds) for m in moments] == [("v1", 2, 4), ("v2", 4, 6)]
    assert moments[0].uri == "/videos/v1.mp4"
    assert 2 <= moments[0].best_seconds < 4
    assert moments[0].cosine == pytest.approx(1)
    assert 0.99 < moments[0].score <= 1


def test_equal_answers_are_sorted_by_video_and_start() -> None:
    searcher, _ = searcher_of(video("v2", "red", "", "red"), video("v1", "", "red"))
    moments = asked(searcher, "red", top=3)
    assert [(m.video_id, m.start_seconds) for m in moments] == [("v1", 2), ("v2", 0), ("v2", 4)]


def test_the_best_frame_ranks_whatever_its_segment_scores() -> None:
    windows = FixedWindows(length_seconds=4.0, overlap_seconds=0.0)
    videos = video("v1", "red", "blue"), video("v2", "red green", "red green"), video("v3", "red", "red")
    searcher, _ = searcher_of(*videos, segmenter=windows)
    moments = asked(searcher, "red", top=3)
    assert [(m.video_id, m.start_seconds, m.end_seconds) for m in moments] == [("v1", 0, 2), ("v3", 0, 4), ("v2", 0, 4)]


def test_search_within_videos() -> None:
    searcher, _ = searcher_of(video("v1", "red", ""), video("v2", "red", ""))
    assert {m.video_id for m in asked(searcher, "red", videos=["v2"])} == {"v2"}


def test_search_by_metadata() -> None:
    searcher, _ = searcher_of(video("v1", "red", metadata={"site": "a"}), video("v2", "red", metadata={"site": "b"}))
    assert {m.video_id for m in asked(searcher, "red", where={"site": "b"})} == {"v2"}


def test_min_score_leaves_weak_moments_out() -> None:
    searcher, _ = searcher_of(video("v1", "red", "green", "blue"), settings=Searching(min_score=0.9))
    assert [m.start_seconds for m in searcher.ask(as_query("red")).moments] == [0]


def test_an_empty_index_answers_nothing() -> None:
    searcher, _ = searcher_of()
    assert asked(searcher, "red") == ()


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_an_empty_question_is_refused(text: str) -> None:
    searcher, _ = searcher_of(video("v1", "red"))
    with pytest.raises(QueryError, match="the question is empty"):
        asked(searcher, text)


def test_top_below_one_is_refused() -> None:
    searcher, _ = searcher_of(video("v1", "red"))
    with pytest.raises(QueryError, match=r"top: .* got 0"):
        asked(searcher, "red", top=0)


def test_a_filter_that_no_row_can_have_is_refused() -> None:
    searcher, _ = searcher_of(video("v1", "red"))
    with pytest.raises(QueryError, match="invalid filter"):
        asked(searcher, "red", where={"a]": 1})


def test_a_video_that_the_store_lost_is_left_out_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    searcher, store = searcher_of(video("v1", "red", ""), video("v2", "red", ""))
    store.delete("v1")
    with caplog.at_level(logging.WARNING, logger="pipeline"):
        assert {m.video_id for m in asked(searcher, "red")} == {"v2"}
    assert "v1 is in the index but not in the store" in caplog.text


class FewWords(WordEncoder):
    """Says which words it does not know."""

    def unknown_words(self, text: str) -> tuple[str, ...]:
        return tuple(word for word in text.split() if word.lower() not in (*WORDS, "a", "and"))


@pytest.mark.parametrize(
    ("question", "unknown"),
    [
        ("a red and green", ()),
        ("a dragon", ("dragon",)),
        ({"shows": ["a Dragon", "red"], "without": ["a violin and a dragon"]}, ("Dragon", "violin")),
        ({"shows": "red", "then": [{"shows": "a unicorn", "without": "blue"}]}, ("unicorn",)),
        ({"shows": "red", "then": [{"shows": "blue", "without": "a harp"}]}, ("harp",)),
    ],
)
def test_the_answer_has_the_words_that_the_model_does_not_know(question: Any, unknown: tuple[str, ...]) -> None:
    index, store = MemoryIndex(), DictStore()
    searcher = Searcher(FewWords(), index, store, Searching())
    query = as_query(question)
    assert searcher.ask(query).unknown_words == unknown
    assert [answer.unknown_words for answer in searcher.ask_all([query, query])] == [unknown] * 2


def test_a_sigmoid_trained_model_gives_the_same_scores_in_every_library() -> None:
    class Sigmoid(WordEncoder):
        logit_bias = -30.0

    scores = []
    for videos in ([video("v1", "red")], [video("v1", "red"), video("v2", "red green", "blue", "", "green")]):
        searcher, store = searcher_of(*videos)
        searcher = Searcher(Sigmoid(), searcher._index, store, Searching(same_picture=None))
        scores.append(asked(searcher, "red", videos=["v1"])[0].score)
    assert scores[0] == scores[1] == pytest.approx(1 / (1 + math.exp(-10.0)))


def test_frames_are_read_once_within_the_budget() -> None:
    searcher, store = searcher_of(video("v1", "red", ""), video("v2", "red", ""))
    asked(searcher, "red")
    asked(searcher, "green")
    assert store.reads == 2


def test_frames_beyond_the_budget_are_forgotten_oldest_first() -> None:
    store = DictStore()
    for name in ("v1", "v2", "v3"):
        store.write(*video(name, "red"))
    size_bytes = store.kept["v1"][1].vectors.nbytes
    cache = EmbeddingCache(store, 2 * size_bytes)
    for name in ("v1", "v2", "v1", "v3", "v1"):
        cache.get(name)
    assert store.reads == 3
    cache.get("v2")
    assert store.reads == 4
    assert cache.get("nowhere") is None


@pytest.mark.parametrize("quantile", [0.0, 0.25, 0.9])
def test_settings_of_older_libraries_that_name_a_base_quantile_still_answer(quantile: float) -> None:
    settings = Searching.model_validate({"base_quantile": quantile, "same_picture": None})
    searcher, _ = searcher_of(video("v1", "red", "green", "blue"), settings=settings)
    (moment,) = asked(searcher, "red", min_score=0.5)
    assert (moment.start_seconds, moment.end_seconds) == (0, 2)


def test_a_clip_of_two_things_is_found_where_both_are() -> None:
    others = [video(f"x{number}", "blue", "") for number in range(5)]
    searcher, _ = searcher_of(video("v1", "red", "red green", "", "blue"), *others)
    like = {"like": "v1", "start": 0.0, "end": 4.0}
    for shows in (like, ["red", like]):
        (moment, *_) = searcher.ask(as_query({"shows": shows})).moments
        assert (moment.video_id, moment.score > 0.9, moment.end_seconds <= 4.0) == ("v1", True, True)


def test_without_the_videos_files_no_moment_is_refined() -> None:
    searcher, _ = searcher_of(video("v1", "red", "green"))
    with pytest.raises(QueryError, match="cannot read video files, so it cannot refine moments"):
        asked(searcher, "red", refine=True)
