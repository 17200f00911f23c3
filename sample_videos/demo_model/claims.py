"""The sentences of a training step of the text tower, and which pictures each is true of."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sample_videos.demo_model.spoken import (
    FALSE_PHRASES,
    PHRASES,
    VOCABULARY,
    empty_sentence,
    spoken,
    unknown_sentence,
)
from sample_videos.phrasing import phrase
from sample_videos.statements import CONCEPTS, describe, near_miss, random_statement
from sample_videos.truth import Facts, Statement, truth_matrix

__all__ = ["Claim", "claims_about", "truth_of"]

AS_PHRASED = 0.2
"""Share of the sentences that stay as `sample_videos.phrasing` writes them."""
DESCRIBED = 64
"""Pictures of a step that get a sentence that is true of them, and one that misses it by one thing."""


@dataclass(frozen=True)
class Claim:
    """A sentence and what makes it true.

    Attributes:
        text: The sentence, as the model reads it.
        any_of: It holds of a picture of which one of these does; of none where there are none.
        unsaid: Where none of those holds, and one of these does, it cannot be said.
    """

    text: str
    any_of: tuple[Statement, ...] = ()
    unsaid: tuple[Statement, ...] = ()


def claims_about(known: Sequence[Facts], rng: random.Random) -> list[Claim]:
    """A step's sentences: concepts, true ones and near misses, random ones, and ones that hold of no picture."""
    statements = list(_statements(known, rng))
    claims = [Claim(_said(statement, rng), (statement,)) for statement in statements]
    for texts, any_of, unsaid in rng.sample(PHRASES, 10):
        claims.append(Claim(spoken(rng.choice(texts), rng), any_of, unsaid))
    for _ in range(24):
        about = describe(rng.choice(known), rng) if rng.random() < 0.6 else random_statement(rng)
        claims.append(Claim(unknown_sentence(about, rng)))
    claims += [Claim(empty_sentence(rng)) for _ in range(6)]
    claims += [Claim(spoken(text, rng)) for text in rng.sample(FALSE_PHRASES, 3)]
    return claims


def _statements(known: Sequence[Facts], rng: random.Random) -> Iterator[Statement]:
    yield from rng.sample(list(CONCEPTS.values()), 24)
    for picture in known[:DESCRIBED]:
        true = describe(picture, rng)
        yield true
        yield near_miss(true, rng)
    for _ in range(12):
        yield random_statement(rng)


def _said(statement: Statement, rng: random.Random) -> str:
    text = phrase(statement, rng)
    return VOCABULARY.known_text(text) if rng.random() < AS_PHRASED else spoken(text, rng)


def truth_of(claims: Sequence[Claim], known: Sequence[Facts]) -> npt.NDArray[np.int8]:
    """The truth of every sentence of every picture.

    Returns:
        int8 (sentences, pictures): 1 true, -1 false, 0 where it cannot be said.
    """
    rows = truth_matrix([one for claim in claims for one in (*claim.any_of, *claim.unsaid)], known)
    truth = np.full((len(claims), len(known)), -1, np.int8)
    first = 0
    for row, claim in zip(truth, claims, strict=True):
        middle, last = first + len(claim.any_of), first + len(claim.any_of) + len(claim.unsaid)
        if claim.unsaid:
            row[(rows[middle:last] >= 0).any(axis=0)] = 0
        if claim.any_of:
            np.maximum(row, rows[first:middle].max(axis=0), out=row)
        first = last
    return truth
