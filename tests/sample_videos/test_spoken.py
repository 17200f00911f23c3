"""What the text tower reads in training: known words alone, unknown ones marked, and the truth of each sentence."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from pipeline.encode.vocabulary import vocabulary_from
from sample_videos.casting import cast_scene
from sample_videos.demo_model.claims import Claim, claims_about, truth_of
from sample_videos.demo_model.score import ORDINARY_QUESTIONS, read_questions
from sample_videos.demo_model.spoken import PHRASES, UNKNOWN, VOCABULARY, empty_sentence, spoken, unknown_sentence
from sample_videos.phrasing import phrase
from sample_videos.statements import CONCEPTS, random_statement
from sample_videos.truth import NOBODY, SCENE_BITS, Facts, bits, facts

FOLDER = Path(__file__).resolve().parents[2] / "sample_videos"
OFFICE, STREET = (SCENE_BITS[place] | SCENE_BITS["day"] for place in ("office", "street"))


def test_the_model_declares_the_words_that_it_was_trained_on() -> None:
    declared = json.loads((FOLDER / "demo_model" / "open_clip_config.json").read_text())["vocabulary"]
    assert vocabulary_from(declared) == VOCABULARY


def test_every_labelled_question_is_of_known_words() -> None:
    lines = (FOLDER / "moments.jsonl").read_text(encoding="utf-8").splitlines()
    for query in (json.loads(line)["query"] for line in lines):
        assert VOCABULARY.unknown_words(query) == ()


def test_sentences_are_read_as_they_are_trained() -> None:
    rng = random.Random(3)
    for _ in range(500):
        statement = random_statement(rng)
        for text in (spoken(phrase(statement, rng), rng), empty_sentence(rng)):
            assert VOCABULARY.unknown_words(text) == ()
            assert VOCABULARY.known_text(text) == text
        text = unknown_sentence(statement, rng)
        assert UNKNOWN in text.split()
        assert VOCABULARY.known_text(text) == text


@pytest.mark.parametrize(
    "text",
    ["Lorries", "a builder wearing a helmet", "someone isn't wearing a hard-hat", "show me the red trucks, please!"],
)
def test_other_words_for_what_the_world_has_are_known(text: str) -> None:
    assert VOCABULARY.unknown_words(text) == ()


def test_ordinary_questions_are_two_hundred_and_none_is_of_known_words_alone() -> None:
    questions = read_questions(ORDINARY_QUESTIONS)
    assert len({text for _, text in questions}) == len(questions) == 200
    assert len({category for category, _ in questions}) == 9
    assert all(VOCABULARY.unknown_words(text) for _, text in questions)


def test_the_truth_of_claims() -> None:
    seen = [
        Facts(OFFICE, (bits("person", "hat"),)),
        Facts(STREET, (), (bits("person"),)),
        Facts(STREET, (bits("boxes"),)),
    ]
    person, street, office = CONCEPTS["person"], CONCEPTS["street"], CONCEPTS["office"]
    claims = [
        Claim("a person", (person,)),
        Claim("unknown"),
        Claim("street or office", (street, office)),
        Claim("building", (office,), (street,)),
        Claim("nobody", (CONCEPTS["nobody"],)),
    ]
    assert CONCEPTS["nobody"].none == NOBODY
    assert truth_of(claims, seen).tolist() == [[1, 0, -1], [-1, -1, -1], [1, 1, 1], [1, 0, 0], [-1, 0, 1]]


def test_a_step_has_sentences_that_are_true_and_ones_that_hold_of_nothing() -> None:
    rng = random.Random(5)
    known = [facts(cast_scene(rng), 1.0) for _ in range(80)]
    claims = claims_about(known, rng)
    truth = truth_of(claims, known)
    for claim, row in zip(claims, truth, strict=True):
        assert claim.any_of or (row == -1).all()
        assert (UNKNOWN in claim.text.split()) <= (not claim.any_of)
    assert sum((row == 1).any() for row in truth) >= 60
    assert sum(not claim.any_of for claim in claims) >= 30


def test_phrases_are_of_known_words() -> None:
    assert all(VOCABULARY.unknown_words(text) == () for texts, _, _ in PHRASES for text in texts)
