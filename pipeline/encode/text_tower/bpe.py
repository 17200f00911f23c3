"""CLIP's byte-pair tokenizer, which uses the merges stored with an exported text tower.

Its tokens equal those of open_clip's `SimpleTokenizer` (from OpenAI's CLIP, arXiv:2103.00020), whose module cannot be
imported without torch. The package `tokenizers` gives the same tokens (20,000 random texts), but it would replace only
the merging, some thirty lines, and with the packages that it requires it takes 30 MB of the 500 MB of an installation
that searches.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["BpeTokenizer", "byte_characters"]

_START, _END = "<start_of_text>", "<end_of_text>"
_WORD_END = "</w>"
_PATTERN = rf"{_START}|{_END}|'s|'t|'re|'ve|'m|'ll|'d|[\p{{L}}]+|[\p{{N}}]|[^\s\p{{L}}\p{{N}}]+"


@lru_cache(maxsize=1)
def byte_characters() -> tuple[str, ...]:
    """Return the printable characters that represent the 256 bytes, in the order of CLIP's vocabulary.

    Printable Latin-1 characters represent their own bytes; the other bytes are represented by characters from U+0100.
    """
    return tuple(_characters().values())


@lru_cache(maxsize=1)
def _characters() -> dict[int, str]:
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + rank) for rank, byte in enumerate(others)}


class BpeTokenizer:
    """Tokenizes lower-cased texts with CLIP's byte-pair encoding.

    Args:
        merges: The pairs of tokens to merge, in order of rank, each as "first second".
    """

    def __init__(self, merges: Sequence[str]) -> None:
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}
        self._merges = merges

    @cached_property
    def _ids(self) -> dict[str, int]:
        single = byte_characters()
        tokens = [*single, *(one + _WORD_END for one in single), *(pair.replace(" ", "") for pair in self._merges)]
        return {token: number for number, token in enumerate([*tokens, _START, _END])}

    @cached_property
    def _pattern(self) -> Any:
        import regex

        return regex.compile(_PATTERN, regex.IGNORECASE)

    def encode(self, text: str) -> list[int]:
        """Convert a text to token ids, without the start and end tokens."""
        ids: list[int] = []
        characters = _characters()
        for word in self._pattern.findall(_cleaned(text)):
            if word in (_START, _END):
                ids.append(self._ids[word])
                continue
            ids += [self._ids[token] for token in self._merged("".join(characters[byte] for byte in word.encode()))]
        return ids

    def __call__(self, texts: Sequence[str], context_length: int) -> npt.NDArray[np.int64]:
        """Convert texts to token ids int64 (N, context_length), padded with 0; longer texts are truncated."""
        rows = np.zeros((len(texts), context_length), np.int64)
        for row, text in zip(rows, texts, strict=True):
            tokens = [self._ids[_START], *self.encode(text), self._ids[_END]]
            if len(tokens) > context_length:
                tokens = [*tokens[: context_length - 1], self._ids[_END]]
            row[: len(tokens)] = tokens
        return rows

    def _merged(self, word: str) -> list[str]:
        """Merge the characters of a word into tokens, the pair with the lowest rank first."""
        tokens = [*word[:-1], word[-1] + _WORD_END]
        while len(tokens) > 1:
            pairs = [f"{first} {second}" for first, second in pairwise(tokens)]
            best = min(pairs, key=lambda pair: self._ranks.get(pair, len(self._ranks)))
            if best not in self._ranks:
                break
            merged: list[str] = []
            position = 0
            while position < len(tokens):
                if position < len(pairs) and pairs[position] == best:
                    merged.append(best.replace(" ", ""))
                    position += 2
                else:
                    merged.append(tokens[position])
                    position += 1
            tokens = merged
        return tokens


def _cleaned(text: str) -> str:
    """Repair, unescape and normalise a text as open_clip does before it tokenizes: `clean="lower"`."""
    # Importing `ftfy` takes 0.1 s. It does not change printable ASCII, and HTML entities contain an ampersand.
    if not (text.isascii() and text.isprintable() and "&" not in text):
        import ftfy

        text = html.unescape(html.unescape(ftfy.fix_text(text)))
    return " ".join(text.split()).lower()
