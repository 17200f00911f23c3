"""A model's declared vocabulary, and the replacement of unknown words.

A model that was trained on a small vocabulary embeds other words as noise, which resembles arbitrary pictures. Such a
model can declare its vocabulary in its architecture file, beside "model_cfg" and "preprocess_cfg":

    "vocabulary": {"unknown": "unknown", "words": ["a", "car", "red", ...]}

Every word of a text that is not in the list is replaced by the word given as "unknown", which the model was trained to
find in no picture. Models without this key receive texts unchanged.
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
        unknown: The word that replaces all other words.
    """

    words: frozenset[str]
    unknown: str

    def known_text(self, text: str) -> str:
        """Normalise a text: lower case, no punctuation, and `unknown` for each run of unknown words."""
        known = [self._known(word) or self.unknown for word in _words(text)] or [self.unknown]
        return " ".join(word for word, run in groupby(known) for word in (run if word != self.unknown else [word]))

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Return the words of a text that the model does not know, as written and without duplicates.

        A text without a single word, such as "???", is unknown as a whole.
        """
        words = list(_words(text))
        if not words:
            return (text.strip(),)
        return tuple({word.casefold(): word for word in reversed(words) if self._known(word) is None}.values())[::-1]

    def _known(self, word: str) -> str | None:
        """Return the known form of a word: the word itself, or without a possessive "'s"; None if neither is known."""
        lower = "".join("'" if letter in _APOSTROPHES else letter for letter in word.casefold())
        return next((form for form in (lower, lower.removesuffix("'s")) if form in self.words), None)


def _words(text: str) -> Iterator[str]:
    """Yield the words of a text: runs of letters, digits, marks and inner apostrophes, and runs of symbols."""
    kinds = [(_kind(letter), letter) for letter in unicodedata.normalize("NFKC", text)]
    for number, (kind, letter) in enumerate(kinds):
        if kind == "joint":  # belongs to the run around it
            before = kinds[number - 1][0] if number else ""
            after = kinds[number + 1][0] if number + 1 < len(kinds) else ""
            is_inside = letter not in _APOSTROPHES or before == after == "word"
            kinds[number] = (before if is_inside else "", letter)
    for kind, run in groupby(kinds, key=lambda one: one[0]):
        if kind:
            yield "".join(letter for _, letter in run)


def _kind(letter: str) -> str:
    """Classify a character as part of a "word" or "symbol", as "joint" within either, or as a separator ("")."""
    category = unicodedata.category(letter)
    if letter in _APOSTROPHES or category in ("Cf", "Mn", "Me", "Mc"):
        return "joint"
    if category[0] in "LN":
        return "word"
    is_symbol = category in ("So", "Sc", "Co", "Cn") or (category == "Sk" and ord(letter) > 0xFFFF)
    return "symbol" if is_symbol else ""


def vocabulary_from(declared: Any) -> Vocabulary | None:
    """Read the vocabulary that an architecture file declares; None if it declares none.

    Args:
        declared: The value of "vocabulary" in the file.

    Raises:
        ValueError: The value is not a list of words and a word for unknown ones.
    """
    if declared is None:
        return None
    if not isinstance(declared, dict) or set(declared) != {"unknown", "words"}:
        raise ValueError('vocabulary: expected {"unknown": "a word", "words": ["a word", ...]}')
    words, unknown = declared["words"], declared["unknown"]
    if not isinstance(unknown, str) or not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError("vocabulary: `unknown` must be a word, and `words` a list of words")
    invalid = [word for word in (unknown, *words) if list(_words(word)) != [word] or word != word.casefold()]
    if invalid:
        raise ValueError(f"vocabulary: expected single lower-case words, without hyphens; got {shown(invalid[0])}")
    if unknown in words:
        raise ValueError(f"vocabulary: {unknown!r} stands for unknown words, so it cannot be a known one")
    return Vocabulary(frozenset(words), unknown)
