"""Description of an exported text tower: the tokenizer, sizes and hashes needed with the ONNX file to embed a text."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from pipeline.config import Settings
from pipeline.encode.text_tower.bpe import BpeTokenizer
from pipeline.encode.vocabulary import Vocabulary, vocabulary_from
from pipeline.errors import EncoderError
from pipeline.parsing import ParseError, parse_json

__all__ = ["MAX_DESCRIPTION_BYTES", "BpeTokenizing", "DeclaredVocabulary", "TextTowerFile"]

MAX_DESCRIPTION_BYTES = 16 * 2**20
"""Maximum size of a description: CLIP's merges take 0.5 MiB."""
_MAX_CONTEXT = 4096
_MAX_DIMENSION = 16_384


class BpeTokenizing(Settings):
    """CLIP's byte-pair tokenizer."""

    kind: Literal["clip_bpe"] = "clip_bpe"

    merges: str
    """The merges in order of rank, one per line: "first second"."""

    def tokenizer(self) -> BpeTokenizer:
        """Make the tokenizer."""
        return BpeTokenizer(self.merges.split("\n"))


class DeclaredVocabulary(Settings):
    """The vocabulary that the model declares."""

    unknown: str
    words: tuple[str, ...]


class TextTowerFile(Settings):
    """The description of an exported text tower."""

    format: Literal[1] = 1

    encoder: str
    """Fingerprint of the encoder whose tower this is."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the ONNX file, in hex."""

    size_bytes: int = Field(ge=1)
    """Size of the ONNX file."""

    dimension: int = Field(ge=1, le=_MAX_DIMENSION)
    """Length of an embedding."""

    context_length: int = Field(ge=2, le=_MAX_CONTEXT)
    """Length of the tower's input in tokens."""

    logit_scale: float
    logit_bias: float | None
    tokenizer: BpeTokenizing
    vocabulary: DeclaredVocabulary | None = None

    cosine: float
    """Minimum cosine between the embeddings of this tower and of torch, on the probe texts of the export."""

    exporter: str
    """Versions of the exporter, for information only."""

    def to_json(self) -> bytes:
        """Format as JSON."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False, indent=1).encode()

    @classmethod
    def from_json(cls, content: bytes) -> TextTowerFile:
        """Read a description.

        Raises:
            EncoderError: The description is malformed, or has another format.
        """
        try:
            parse_json(content, most_bytes=MAX_DESCRIPTION_BYTES)
            return cls.model_validate_json(content)
        except (ParseError, ValidationError) as error:
            raise EncoderError(f"not a description of a text tower: {' '.join(str(error).split())[:200]}") from error

    def known_words(self) -> Vocabulary | None:
        """Return the declared vocabulary; None if the model takes any text.

        Raises:
            EncoderError: The declared words are invalid.
        """
        declared = self.vocabulary
        try:
            return vocabulary_from(declared and {"unknown": declared.unknown, "words": list(declared.words)})
        except ValueError as error:
            raise EncoderError(f"not a description of a text tower: {error}") from error
