"""Runs an exported text tower with ONNX Runtime."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.encode.prompts import PromptedTexts
from pipeline.encode.settings import Encoding
from pipeline.encode.text_tower.onnx_contents import check_onnx
from pipeline.encode.text_tower.tower_file import TextTowerFile
from pipeline.errors import EncoderError

__all__ = ["TextTower", "onnx_session", "run_tower"]

_FATAL = 4


class TextTower:
    """Embeds texts with an exported tower; the ONNX file is read and checked when the first text is embedded.

    Args:
        settings: The encoder's settings, for prompts, long texts and the size of batches.
        file: The tower's description.
        read_onnx: Returns the content of the ONNX file.

    Raises:
        EncoderError: The description is invalid.
    """

    def __init__(self, settings: Encoding, file: TextTowerFile, read_onnx: Callable[[], bytes]) -> None:
        self.file = file
        self._settings = settings
        self._read_onnx = read_onnx
        self._texts = PromptedTexts(settings, file.tokenizer.tokenizer(), file.context_length, file.known_words())
        self._session: Any = None

    def open(self) -> None:
        """Load the ONNX file if it is not loaded yet.

        Raises:
            EncoderError: The file is missing, damaged or not the exported one, or ONNX Runtime is not installed.
        """
        if self._session is None:
            content = self._read_onnx()
            if hashlib.sha256(content).hexdigest() != self.file.sha256:
                raise EncoderError("its content differs from the exported file")
            self._session = onnx_session(content, self._settings.threads)

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Embed texts as float32 (N, D), one row of unit length per text; prompts are applied and averaged.

        Raises:
            TextTooLongError: A text exceeds the context, and `long_text` is "refuse".
            EncoderError: The file cannot be used, or an embedding cannot be normalised.
        """
        if not texts:
            return np.empty((0, self.file.dimension), np.float32)
        tokens = np.concatenate([self._texts.tokens(text) for text in texts])
        self.open()
        size = self._settings.batch_size
        parts = [run_tower(self._session, tokens[first : first + size]) for first in range(0, len(tokens), size)]
        prompted = _normalised(np.concatenate(parts), self.file.dimension)
        averages = prompted.reshape(len(texts), -1, self.file.dimension).mean(axis=1)
        return _normalised(averages, self.file.dimension)

    def too_long(self, texts: Sequence[str]) -> tuple[str, ...]:
        """Return the texts that exceed the context."""
        return self._texts.too_long(texts)

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Return the words of a text that are not in the declared vocabulary; empty if none is declared."""
        return self._texts.unknown_words(text)


def onnx_session(content: bytes, threads: int | None = None) -> Any:
    """Load a tower into ONNX Runtime.

    Raises:
        EncoderError: ONNX Runtime is not installed, or the file is not a tower that it can run.
    """
    check_onnx(content)
    try:
        import onnxruntime
    except ImportError as error:
        raise EncoderError(f"ONNX Runtime cannot be imported ({error})") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL
    options.intra_op_num_threads = threads or 0
    # Spinning threads take processor time from other processes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions have no public base class
        raise EncoderError(f"ONNX Runtime cannot load it ({' '.join(str(error).split())[:200]})") from error
    if len(session.get_inputs()) != 1 or len(session.get_outputs()) != 1:
        raise EncoderError("it is not a text tower")
    return session


def run_tower(session: Any, tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Run a tower once.

    Args:
        session: The tower in ONNX Runtime.
        tokens: int64 (N, context_length).

    Returns:
        float32 (N, D).

    Raises:
        EncoderError: The tower fails, or its output has another shape.
    """
    try:
        (features,) = session.run(None, {session.get_inputs()[0].name: tokens})
    except Exception as error:  # as above
        raise EncoderError(f"the text tower fails ({' '.join(str(error).split())[:200]})") from error
    if not isinstance(features, np.ndarray) or features.ndim != 2 or len(features) != len(tokens):
        raise EncoderError("it is not a text tower")
    return features.astype(np.float32, copy=False)


def _normalised(features: npt.NDArray[np.float32], dimension: int) -> npt.NDArray[np.float32]:
    """Normalise rows.

    Raises:
        EncoderError: A row is zero or not finite, or has another length.
    """
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    if features.shape[1] != dimension or not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise EncoderError("its embeddings cannot be used")
    return np.asarray(features / lengths, np.float32)
