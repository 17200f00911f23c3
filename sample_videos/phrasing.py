"""Statements put into English: many sentences for each, as an analyst might type them."""

from __future__ import annotations

import random
from collections.abc import Sequence

from sample_videos.truth import ACTOR_BITS, NOBODY, SCENE_BITS, Statement
from sample_videos.vocabulary import (
    CIRCUMSTANCES,
    DOES,
    KEYWORDS,
    KINDS,
    LACKS,
    NOBODY_ELSE,
    NOBODY_THERE,
    PLACES,
    PREFIXES,
    STATES,
    UNCOUNTED,
    WEARS,
)
from sample_videos.world.scene import Action, Colour, PlaceKind

__all__ = ["phrase"]


def phrase(statement: Statement, rng: random.Random) -> str:
    """One of many English sentences that say what a statement claims, and nothing more.

    Raises:
        ValueError: The statement claims what no sentence is known for.
    """
    return _Sentence(statement, rng).words()


class _Sentence:
    """One sentence in the making; it uses articles throughout or not at all, as people do."""

    def __init__(self, statement: Statement, rng: random.Random) -> None:
        self.statement = statement
        self.rng = rng
        self.articles = rng.random() < 0.6

    def words(self) -> str:
        subjects = [self._actor(word) for word in self.statement.some]
        scenes = [name for name, bit in SCENE_BITS.items() if self.statement.scene & bit]
        place = next((PlaceKind(name) for name in scenes if name not in CIRCUMSTANCES), None)
        circumstances = self.rng.sample(rest := [name for name in scenes if name in CIRCUMSTANCES], len(rest))
        if not subjects and not place:
            return self._by_itself(circumstances)
        if not self.articles and self.rng.random() < 0.3:
            return self._keywords(subjects, place, circumstances)
        core = self.rng.choice((" and ", " and ", " beside ", " next to ", " near ")).join(subjects)
        where = self._place(place, with_preposition=bool(core)) if place else ""
        around = [self.rng.choice(CIRCUMSTANCES[name]) for name in circumstances]
        if core and self.rng.random() < 0.1:
            adverbs = " ".join(part for part in (*around, where) if part)
            return f"{adverbs}, {core}{self._without()}" if adverbs else core + self._without()
        parts = [core, where, self._without().strip(), *around]
        prefix = self.rng.choice(PREFIXES) if self.articles else ""
        return prefix + " ".join(part for part in parts if part)

    def _by_itself(self, circumstances: Sequence[str]) -> str:
        """A sentence of light, weather and absences alone."""
        words = ", ".join(self.rng.choice(KEYWORDS[name]) for name in circumstances)
        if words:
            return words + self._without()
        if set(NOBODY) <= set(self.statement.none):
            return self.rng.choice(NOBODY_THERE)
        return self._without().strip()

    def _keywords(self, subjects: Sequence[str], place: PlaceKind | None, circumstances: Sequence[str]) -> str:
        words = [*subjects, *([self.rng.choice(PLACES[place][0])] if place else [])]
        words += [self.rng.choice(KEYWORDS[name]) for name in circumstances]
        return self.rng.choice((", ", " ")).join(words) + self._without()

    def _noun(self, noun: str) -> str:
        """A noun with an article where it takes one and this sentence uses them."""
        if not self.articles or noun in UNCOUNTED or noun.rsplit(" ", 1)[-1] in UNCOUNTED:
            return noun
        return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"

    def _place(self, kind: PlaceKind, *, with_preposition: bool) -> str:
        names, prepositions = PLACES[kind]
        name = self.rng.choice(names)
        noun = f"the {name}" if with_preposition and self.rng.random() < 0.25 else self._noun(name)
        return f"{self.rng.choice(prepositions)} {noun}" if with_preposition else noun

    def _actor(self, word: int) -> str:
        names = {name for name, bit in ACTOR_BITS.items() if word & bit}
        kind = next((kind for kind in KINDS if kind in names), None)
        if kind is None:
            raise ValueError(f"no sentence is known for an actor with {sorted(names)}")
        adjectives = [self.rng.choice(words) for state, words in STATES.items() if state in names]
        if kind == "person":
            return self._person(names)
        adjectives += [self._colour(colour) for colour in Colour if f"in {colour}" in names]
        return self._noun(" ".join([*adjectives, self.rng.choice(KINDS[kind])]))

    def _colour(self, colour: str) -> str:
        return self.rng.choice(("grey", "gray")) if colour == "grey" else str(colour)

    def _person(self, names: set[str]) -> str:
        """A person with what they wear, do not wear and do, for the most part in this order."""
        worn = [self._garment(names, piece) for piece in WEARS if piece in names]
        self.rng.shuffle(worn)
        parts = [f"{self.rng.choice(('wearing', 'in', 'in', 'with'))} {' and '.join(worn)}"] if worn else []
        parts += [self._lacking(piece) for state, piece in LACKS.items() if state in names]
        parts += [self.rng.choice(DOES[action]) for action in Action if action in names]
        if self.rng.random() < 0.3:
            self.rng.shuffle(parts)
        noun = self.rng.choice(KINDS["person"])
        if noun == "people" and any(part.startswith("who is") for part in parts):
            noun = "someone"
        return " ".join([self._noun(noun), *parts])

    def _garment(self, names: set[str], piece: str) -> str:
        colour = next((f"{self._colour(c)} " for c in Colour if f"{c} {piece}" in names), "")
        return self._noun(colour + self.rng.choice(WEARS[piece]))

    def _lacking(self, piece: str) -> str:
        garment = self.rng.choice(WEARS[piece])
        if self.rng.random() < 0.25:
            return f"with no {garment}"
        return f"{self.rng.choice(('without', 'not wearing'))} {self._noun(garment)}"

    def _without(self) -> str:
        """What is said to be absent, with a leading space."""
        words = set(self.statement.none)
        phrases = []
        if set(NOBODY) <= words:
            phrases.append(self.rng.choice(NOBODY_ELSE))
            words -= set(NOBODY)
        for word in sorted(words):
            noun = self.rng.choice(KINDS[next(kind for kind in KINDS if ACTOR_BITS[kind] == word)])
            noun = "people" if noun == "someone" else noun
            phrases.append(self.rng.choice((f"without {self._noun(noun)}", f"with no {noun}")))
        return "".join(f" {part}" for part in phrases)
