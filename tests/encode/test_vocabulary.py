"""The words that a model declares to know, and what becomes of the others."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.encode.vocabulary import Vocabulary, vocabulary_from

KNOWN = Vocabulary(
    frozenset(["a", "the", "red", "car", "person", "hard", "hat", "hi", "vis", "isn't", "in", "and"]), "unknown"
)


@pytest.mark.parametrize(
    ("text", "read", "unknown"),
    [
        ("a red car", "a red car", ()),
        ("  A  RED\tCar.\n", "a red car", ()),
        ("Hard-Hat", "hard hat", ()),
        ("hi\u2013vis", "hi vis", ()),
        ("red/car", "red car", ()),
        ("hard_hat", "hard hat", ()),
        ('"red" (car)!', "red car", ()),
        ("\uff52\uff45\uff44 car", "red car", ()),
        ("the person's hat", "the person hat", ()),
        ("the person\u2019s hat", "the person hat", ()),
        ("person isn\u2019t in", "person isn't in", ()),
        ("'red' car", "red car", ()),
        ("a dragon", "a unknown", ("dragon",)),
        ("A Dragon and a dragon", "a unknown and a unknown", ("Dragon",)),
        ("a golden retriever and a car", "a unknown and a car", ("golden", "retriever")),
        ("a dragon's car", "a unknown car", ("dragon's",)),
        ("a 4x4 car 2", "a unknown car unknown", ("4x4", "2")),
        ("a X-ray", "a unknown", ("X", "ray")),
        ("unknown", "unknown", ("unknown",)),
        ("красная машина", "unknown", ("красная", "машина")),
        ("红色的卡车", "unknown", ("红色的卡车",)),
        ("हिन्दी कुत्ता", "unknown", ("हिन्दी", "कुत्ता")),
        ("سيارة حمراء", "unknown", ("سيارة", "حمراء")),
        ("a 🐕", "a unknown", ("🐕",)),
        ("car👩🏽‍🚒car", "car unknown car", ("👩🏽‍🚒",)),
        ("a car for $", "a car unknown", ("for", "$")),
        ("café", "unknown", ("café",)),
        ("cafe\u0301", "unknown", ("café",)),
        ("???", "unknown", ("???",)),
        (" -- ", "unknown", ("--",)),
    ],
)
def test_what_a_text_becomes(text: str, read: str, unknown: tuple[str, ...]) -> None:
    assert KNOWN.known_text(text) == read
    assert KNOWN.unknown_words(text) == unknown


def test_what_is_read_is_read_again_as_the_same() -> None:
    for text in ("The person's RED hat, a dragon & a 🐕", "isn\u2019t", "..."):
        read = KNOWN.known_text(text)
        assert KNOWN.known_text(read) == read


def test_without_a_declaration_there_is_no_vocabulary() -> None:
    assert vocabulary_from(None) is None


def test_a_declaration_is_taken() -> None:
    assert vocabulary_from({"unknown": "other", "words": ["a", "car"]}) == Vocabulary(frozenset({"a", "car"}), "other")


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        (["a", "car"], "expected"),
        ({"words": ["a"]}, "expected"),
        ({"unknown": "other", "words": ["a"], "more": 1}, "expected"),
        ({"unknown": "other", "words": "a car"}, "list of words"),
        ({"unknown": "other", "words": ["a", 1]}, "list of words"),
        ({"unknown": None, "words": ["a"]}, "list of words"),
        ({"unknown": "other", "words": ["Car"]}, "'Car'"),
        ({"unknown": "other", "words": ["hi-vis"]}, "'hi-vis'"),
        ({"unknown": "other", "words": [""]}, "''"),
        ({"unknown": "two words", "words": ["a"]}, "'two words'"),
        ({"unknown": "a", "words": ["a"]}, "cannot be a known one"),
    ],
)
def test_a_declaration_that_is_none_is_refused(declared: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        vocabulary_from(declared)
