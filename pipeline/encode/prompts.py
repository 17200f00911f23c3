"""Prompts and tokens of texts, and the limit of a model's context length."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from pipeline.encode.settings import Encoding
from pipeline.encode.vocabulary import Vocabulary
from pipeline.errors import TextTooLongError

__all__ = ["PromptedTexts"]

_log = logging.getLogger(__name__)


class PromptedTexts:
    """Applies prompts and a declared vocabulary to texts, tokenizes them, and enforces the context length."""

    def __init__(
        self, settings: Encoding, tokenizer: Any, context_length: int, vocabulary: Vocabulary | None = None
    ) -> None:
        self._settings = settings
        self._vocabulary = vocabulary
        self._tokenizer = tokenizer
        self._context_length = context_length

    def tokens(self, text: str) -> Any:
        """Tokenize a text in all its prompts.

        Returns:
            torch int64 (P, context_length), one row per prompt.

        Raises:
            TextTooLongError: The text exceeds the context, and `long_text` is "refuse".
        """
        prompted = self._prompted(text)
        longest = max(prompted, key=self._token_count)
        if (count := self._token_count(longest)) > self._context_length:
            shown = longest if len(longest) <= 80 else f"{longest[:77]}..."
            problem = (
                f"{shown!r} has {count} tokens, but the context of {self._settings.model} has only"
                f" {self._context_length}"
            )
            if self._settings.long_text == "refuse":
                raise TextTooLongError(
                    f"{problem}; shorten it, or set encoder.long_text to truncate, which cuts it off"
                )
            _log.warning("%s; its end was cut off (encoder.long_text is truncate)", problem)
        return self._tokenizer(prompted, context_length=self._context_length)

    def too_long(self, texts: Sequence[str]) -> tuple[str, ...]:
        """Return the texts that exceed the context with any of the prompts."""
        return tuple(text for text in texts if max(map(self._token_count, self._prompted(text))) > self._context_length)

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Return the words of a text that are not in the declared vocabulary; empty if none is declared."""
        return () if self._vocabulary is None else self._vocabulary.unknown_words(text)

    def _prompted(self, text: str) -> list[str]:
        prompted = [prompt.replace("{}", text) for prompt in self._settings.prompts]
        return prompted if self._vocabulary is None else list(map(self._vocabulary.known_text, prompted))

    def _token_count(self, text: str) -> int:
        """Count the tokens of a text, including its start and end tokens."""
        if hasattr(self._tokenizer, "encode"):
            return len(self._tokenizer.encode(text)) + 2
        # A Hugging Face tokenizer: open_clip's wrapper cleans the text, and in "clips" mode adds a class token.
        clean = getattr(self._tokenizer, "clean_fn", str)
        extra = 1 if getattr(self._tokenizer, "tokenizer_mode", "") == "clips" else 0
        return len(self._tokenizer.tokenizer(clean(text)).input_ids) + extra
