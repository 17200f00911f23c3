"""A library's cache of text embeddings, which avoids embedding a text twice.

For each text, the file `models/texts-<encoder>.npz` contains a SHA-256 of encoder, prompts and text, and the embedding;
the texts themselves are not stored. The cache contains the background texts of the calibration, and the latest
questions unless `library.remember_questions` is off. The file is replaced as a whole: if two processes write at the
same time, the entries of one may be lost, and those texts are embedded again.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pipeline.encode.settings import Encoding
from pipeline.errors import StoreError
from pipeline.store.atomic_folder import AtomicFolder

__all__ = ["RememberedTexts"]

_MAX_TEXTS = 512
_KEY_BYTES = 32
_MAX_DIMENSION = 16_384
_MAX_BYTES = 8 * 2**20
_log = logging.getLogger(__name__)

Vectors = npt.NDArray[np.float32]


class RememberedTexts:
    """Reads and writes the embeddings of texts; errors of the file are only logged.

    Args:
        library: The library's folder or URL.
        fingerprint: Fingerprint of the encoder.
        settings: The encoder's settings, of which prompts and `long_text` change a text's embedding.
        dimension: Length of an embedding.
        lasting: Texts that are always kept: those of the calibration.
        remembers_questions: Whether other texts are kept as well; if not, those in the file are removed.
        is_read_only: Whether the library is read-only.
    """

    def __init__(
        self,
        library: str,
        fingerprint: str,
        settings: Encoding,
        dimension: int,
        *,
        lasting: Sequence[str],
        remembers_questions: bool,
        is_read_only: bool,
    ) -> None:
        self._folder = AtomicFolder(library)
        self._name = f"models/texts-{fingerprint}.npz"
        self._salt = json.dumps([fingerprint, list(settings.prompts), settings.long_text])
        self._dimension = min(dimension, _MAX_DIMENSION)
        # At 2,048 dimensions and more, fewer texts are kept.
        self._capacity = min(_MAX_TEXTS, _MAX_BYTES // 2 // (4 * self._dimension + _KEY_BYTES))
        self._lasting = {self._key(text) for text in lasting}
        self._remembers_questions = remembers_questions
        self._is_read_only = is_read_only
        self._known: dict[bytes, Vectors] | None = None

    def find(self, texts: Sequence[str]) -> dict[str, Vectors]:
        """Return the embeddings float32 (D,) of the texts that are in the cache."""
        if self._known is None:
            self._known = self._read()
            self._drop_questions()
        keys = {text: self._key(text) for text in texts}
        return {text: self._known[key] for text, key in keys.items() if key in self._known}

    def remember(self, vectors: Mapping[str, Vectors]) -> None:
        """Add the embeddings float32 (D,) of texts, and drop the oldest questions."""
        new = {self._key(text): vector for text, vector in vectors.items()}
        if not self._remembers_questions:
            new = {key: vector for key, vector in new.items() if key in self._lasting}
        if new and not self._is_read_only:
            # Another process may have written since this one read the file.
            self._write(self._read() | new)
        self._known = (self._known or {}) | new

    def _drop_questions(self) -> None:
        known = self._known or {}
        kept = {key: vector for key, vector in known.items() if key in self._lasting}
        if not self._remembers_questions and len(kept) < len(known):
            self._known = kept
            if not self._is_read_only:
                self._write(kept)

    def _key(self, text: str) -> bytes:
        return hashlib.sha256(json.dumps([self._salt, text]).encode()).digest()

    def _read(self) -> dict[bytes, Vectors]:
        """Read the file; return nothing if it is missing or damaged."""
        try:
            content = self._folder.read(self._name, _MAX_BYTES)
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                keys, vectors = arrays["keys"], arrays["vectors"]
        except FileNotFoundError:
            return {}
        except Exception as error:  # noqa: BLE001 - NumPy and zipfile raise many kinds for a damaged file
            _log.warning("%s: cannot be read, so texts are embedded again: %s", self._name, error)
            return {}
        is_sound = keys.dtype == np.uint8 and vectors.dtype == np.float32 and keys.ndim == vectors.ndim == 2
        if not is_sound or keys.shape != (len(vectors), _KEY_BYTES) or vectors.shape[1] != self._dimension:
            return {}
        is_unit = np.abs(np.linalg.norm(vectors, axis=1) - 1) < 1e-3
        return {key.tobytes(): vector for key, vector, unit in zip(keys, vectors, is_unit, strict=True) if unit}

    def _write(self, entries: dict[bytes, Vectors]) -> None:
        lasting = [key for key in entries if key in self._lasting]
        others = [key for key in entries if key not in self._lasting]
        kept = [*lasting, *others[max(0, len(others) - self._capacity) :]]
        file = io.BytesIO()
        keys = np.frombuffer(b"".join(kept), np.uint8).reshape(-1, _KEY_BYTES)
        vectors = np.stack([entries[key] for key in kept]) if kept else np.empty((0, self._dimension), np.float32)
        np.savez(file, keys=keys, vectors=vectors)
        try:
            self._folder.write(self._name, file.getvalue())
        except (OSError, StoreError) as error:
            _log.warning("the embeddings of questions cannot be stored: %s", error)
            self._is_read_only = True
