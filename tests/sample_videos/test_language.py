"""Sentences say what their statement claims, and statements about a picture are true of it."""

from __future__ import annotations

import random

import pytest

from sample_videos.casting import alter_scene, cast_scene
from sample_videos.phrasing import phrase
from sample_videos.statements import CONCEPTS, describe, near_miss, random_statement
from sample_videos.truth import ACTOR_BITS, Statement, bits, facts, holds
from sample_videos.world.scene import Colour

SEEDS = range(40)


def colours_claimed(statement: Statement) -> set[str]:
    endings = ("", " hat", " vest")
    names = {name for word in statement.some for name, bit in ACTOR_BITS.items() if word & bit}
    return {str(c) for c in Colour for ending in endings if f"{c}{ending}" in names or f"in {c}" in names}


def test_concepts_are_at_least_forty() -> None:
    assert len(CONCEPTS) >= 40


@pytest.mark.parametrize("seed", SEEDS)
def test_phrase_names_no_colour_that_is_not_claimed(seed: int) -> None:
    rng = random.Random(seed)
    statement = random_statement(rng)
    words = set(phrase(statement, rng).replace("gray", "grey").split())
    assert {str(colour) for colour in Colour} & words == colours_claimed(statement)


@pytest.mark.parametrize("seed", SEEDS)
def test_describe_is_true_of_the_picture(seed: int) -> None:
    rng = random.Random(seed)
    known = facts(cast_scene(rng), 1.0)
    assert holds(describe(known, rng), known) is True


@pytest.mark.parametrize("seed", SEEDS)
def test_near_miss_is_another_statement(seed: int) -> None:
    rng = random.Random(seed)
    statement = Statement(some=(bits("person", "hat"),))
    assert near_miss(statement, rng) != statement


@pytest.mark.parametrize("seed", SEEDS)
def test_alter_scene_changes_what_is_true(seed: int) -> None:
    rng = random.Random(seed)
    scene = cast_scene(rng)
    assert alter_scene(scene, rng) != scene


def test_cast_scene_is_the_same_from_the_same_seed() -> None:
    assert cast_scene(random.Random(5)) == cast_scene(random.Random(5))


def test_phrase_of_nobody_says_so() -> None:
    text = phrase(CONCEPTS["nobody"], random.Random(1))
    assert "no" in text or "without" in text
