"""A model's declared vocabulary, and the replacement of unknown words.

A model that was trained on a small vocabulary embeds any other word as noise, and noise resembles something. Such a
model may declare its vocabulary in its architecture file, beside "model_cfg" and "preprocess_cfg":

    "vocabulary": {"unknown": "unknown", "words": ["a", "car", "red", ...]}

Every word of a text that is not on the list is replaced by the one word that stands for all of them, which the model
was trained to find in no picture. Models without this key get their texts as they are.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from pipeline.parsing import shown

__all__ = ["Vocabulary", "vocabulary_from"]

_APOSTROPHES = frozenset("'\u2018\u2019\u02bc")


@dataclass(frozen=True)
class Vocabulary:
    """The words that a model knows.

    Attributes:
        words: Lower-case words, without hyphens.
        unknown: The word that takes the place of all others.
    """

    words: frozenset[str]
    unknown: str

    def known_text(self, text: str) -> str:
        """Normalise a text: known words in lower case, runs of unknown ones as one word, no punctuation."""
        known = [self._known(word) or self.unknown for word in _words(text)] or [self.unknown]
        return " ".join(word for word, run in groupby(known) for word in (run if word != self.unknown else [word]))

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """The words of a text that the model does not know, as they are written, each once.

        A text without a single word, such as "???", is unknown as a whole.
        """
        words = list(_words(text))
        if not words:
            return (text.strip(),)
        return tuple({word.casefold(): word for word in reversed(words) if self._known(word) is None}.values())[::-1]

    def _known(self, word: str) -> str | None:
        """The known form of a word: itself or what it is the possessive of; None where neither is known."""
        lower = "".join("'" if letter in _APOSTROPHES else letter for letter in word.casefold())
        return next((form for form in (lower, lower.removesuffix("'s")) if form in self.words), None)


def _words(text: str) -> Iterator[str]:
    """Runs of letters, digits and marks of any script, apostrophes within them included; and runs of symbols."""
    kinds = [(_kind(letter), letter) for letter in unicodedata.normalize("NFKC", text)]
    for number, (kind, letter) in enumerate(kinds):
        if kind == "joint":  # belongs to the run that it stands in
            before = kinds[number - 1][0] if number else ""
            after = kinds[number + 1][0] if number + 1 < len(kinds) else ""
            is_inside = letter not in _APOSTROPHES or before == after == "word"
            kinds[number] = (before if is_inside else "", letter)
    for kind, run in groupby(kinds, key=lambda one: one[0]):
        if kind:
            yield "".join(letter for _, letter in run)


def _kind(letter: str) -> str:
    """Whether a character makes words or symbols, joins either, or separates them (an empty text)."""
    category = unicodedata.category(letter)
    if letter in _APOSTROPHES or category in ("Cf", "Mn", "Me", "Mc"):
        return "joint"
    if category[0] in "LN":
        return "word"
    is_symbol = category in ("So", "Sc", "Co", "Cn") or (category == "Sk" and ord(letter) > 0xFFFF)
    return "symbol" if is_symbol else ""


def vocabulary_from(declared: Any) -> Vocabulary | None:
    """Read the vocabulary that an architecture file declares; None where it declares none.

    Args:
        declared: What stands under "vocabulary".

    Raises:
        ValueError: It is not a list of words with a word for the others.
    """
    if declared is None:
        return None
    if not isinstance(declared, dict) or set(declared) != {"unknown", "words"}:
        raise ValueError('vocabulary: expected {"unknown": "a word", "words": ["a word", ...]}')
    words, unknown = declared["words"], declared["unknown"]
    if not isinstance(unknown, str) or not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError("vocabulary: `unknown` is a word and `words` is a list of words")
    broken = [word for word in (unknown, *words) if list(_words(word)) != [word] or word != word.casefold()]
    if broken:
        raise ValueError(f"vocabulary: expected single lower-case words, without hyphens; got {shown(broken[0])}")
    if unknown in words:
        raise ValueError(f"vocabulary: {unknown!r} stands for unknown words, so it cannot be a known one")
    return Vocabulary(frozenset(words), unknown)
