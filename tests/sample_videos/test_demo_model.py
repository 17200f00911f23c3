"""The demo model, from its committed weights to answers about the committed films."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.evaluate import evaluate, read_labelled
from pipeline.library import Library
from pipeline.search import as_query
from sample_videos.demo_model.score import ORDINARY_QUESTIONS, read_questions, score_questions
from sample_videos.films import write_scripts
from sample_videos.labels import film_truth
from sample_videos.statements import CONCEPTS

FOLDER = Path(__file__).resolve().parents[2] / "sample_videos"
WEIGHTS = FOLDER / "demo_model" / "open_clip_model.safetensors"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def library(demo_library: Path) -> Iterator[Library]:
    with Library.open(demo_library) as library:
        yield library


def test_the_weights_are_small() -> None:
    assert WEIGHTS.stat().st_size <= 16_000_000


def test_five_of_six_first_answers_are_right(library: Library) -> None:
    metrics = evaluate(library, read_labelled(FOLDER / "moments.jsonl"), min_score=0.5).metrics
    assert metrics["MR-full-R1@0.5"] >= 83.0
    assert metrics["absent-rejected"] >= 80.0
    assert metrics["true-lost"] <= 12.0


def test_ordinary_questions_end_in_nothing_and_the_answer_says_which_words_are_unknown(library: Library) -> None:
    found = score_questions([text for _, text in read_questions(ORDINARY_QUESTIONS)], library)
    assert sum(score is None for score, _ in found.values()) >= 0.95 * len(found)
    assert all(unknown for _, unknown in found.values())
    assert found["a cat on a red truck"] == (None, ("cat",))


@pytest.mark.parametrize("text", ["show me", "???", "the", "is there", "a video of", "🐕", "人が歩いている", "Лошадь"])
def test_what_asks_for_nothing_finds_nothing(library: Library, text: str) -> None:
    assert library.search(text) == []


@pytest.mark.parametrize(
    "text", ["PERSON IN HARD-HAT!!!", "show me a worker wearing a helmet, please", "where are the people in hard hats?"]
)
def test_questions_are_understood_as_they_are_typed(library: Library, text: str) -> None:
    [moment] = library.search(text, top=1)
    film = next(film for film in write_scripts() if film.name == Path(moment.uri).stem)
    windows, _ = film_truth(film, CONCEPTS["person in hard hat"])
    assert any(start <= moment.best_seconds < end for start, end in windows)


def test_an_unknown_word_in_what_must_not_show_leaves_nothing_out(library: Library) -> None:
    plain = library.ask(as_query("forklift"))
    without = library.ask(as_query({"shows": "forklift", "without": "a dragon"}))
    assert without.unknown_words == ("dragon",)
    assert [moment.start_seconds for moment in without.moments] == [moment.start_seconds for moment in plain.moments]


@pytest.mark.parametrize(
    "text", ["person in hard hat", "forklift", "bicycle", "fire", "person climbing a ladder", "damaged box"]
)
def test_the_first_answer_shows_what_was_asked_for(library: Library, text: str) -> None:
    [moment] = library.search(text, top=1)
    film = next(film for film in write_scripts() if film.name == Path(moment.uri).stem)
    windows, _ = film_truth(film, CONCEPTS[text])
    assert any(start <= moment.best_seconds < end for start, end in windows)
