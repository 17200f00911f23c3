"""The model of a library: embeds texts with the exported text tower or from the cache, and images with torch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from pipeline.encode import Encoding, OpenEncoder
from pipeline.encode.text_tower import TextTower, TextTowerFile
from pipeline.errors import EncoderError, MomentseekError, StoreError, TextTooLongError
from pipeline.execution.model_task import ModelTask
from pipeline.index import is_writable
from pipeline.library.identity import local_folder
from pipeline.library.text_model.encoder import LibraryEncoder
from pipeline.library.text_model.remembered_texts import RememberedTexts
from pipeline.library.text_model.stored_tower import StoredTower
from pipeline.run_config import RunConfig

__all__ = ["LibraryModel", "TextTowerExport", "open_model", "prepare_text_tower"]

_log = logging.getLogger(__name__)


_Exported = tuple[TextTowerFile, bytes] | EncoderError | OSError | None


@runtime_checkable
class _HasTextTower(Protocol):
    """A model whose text tower can be exported."""

    def export_text_tower(self, fingerprint: str) -> tuple[TextTowerFile, bytes]:
        """Export the text tower; return its description and the content of its ONNX file."""


class LibraryModel:
    """An `OpenEncoder` that embeds texts with an exported tower and loads the model only for images.

    Args:
        tower: The exported text tower.
        texts: The cache of text embeddings.
        load: Loads the model.
        renew: Exports the tower again, from a loaded model.
    """

    def __init__(
        self,
        tower: TextTower,
        texts: RememberedTexts,
        load: Callable[[], OpenEncoder],
        renew: Callable[[OpenEncoder], None],
    ) -> None:
        self._tower = tower
        self._texts = texts
        self._load = load
        self._renew = renew
        self._loaded: OpenEncoder | None = None
        self._is_tower_damaged = False

    @property
    def dimension(self) -> int:
        """Length D of an embedding."""
        return self._tower.file.dimension

    @property
    def device(self) -> str:
        """Device of the image tower; loads the model."""
        return self._model().device

    @property
    def precision(self) -> str:
        """Number format of the image tower; loads the model."""
        return self._model().precision

    @property
    def logit_scale(self) -> float:
        """Factor of cosines that the model was trained with."""
        return self._tower.file.logit_scale

    @property
    def logit_bias(self) -> float | None:
        """Bias that a sigmoid-trained model adds to the scaled cosine; None for other models."""
        return self._tower.file.logit_bias

    def encode_images(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Embed preprocessed images with the model, which is loaded on first use."""
        return self._model().encode_images(images)

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Embed texts; the model is loaded only if the exported tower is damaged.

        Raises:
            TextTooLongError: A text exceeds the context, and the configuration rejects such texts.
        """
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        vectors = self._texts.find(texts)
        missing = [text for text in dict.fromkeys(texts) if text not in vectors]
        if missing:
            new = dict(zip(missing, self._embedded(missing), strict=True))
            self._texts.remember(new)
            vectors |= new
        return np.stack([vectors[text] for text in texts])

    def too_long(self, texts: Sequence[str]) -> tuple[str, ...]:
        """Return the texts that exceed the context."""
        return self._tower.too_long(texts)

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Return the words of a text that are not in the model's vocabulary; empty if the model declares none."""
        return self._tower.unknown_words(text)

    def _embedded(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        if not self._is_tower_damaged:
            try:
                return self._tower.encode_texts(texts)
            except TextTooLongError:
                raise
            except EncoderError as error:
                _log.error("the library's text tower cannot be used (%s); the model is loaded instead", error)
                self._is_tower_damaged = True
                self._renew(self._model())
        return self._model().encode_texts(texts)

    def _model(self) -> OpenEncoder:
        if self._loaded is None:
            self._loaded = self._load()
        return self._loaded


def open_model(config: RunConfig, encoder: LibraryEncoder) -> OpenEncoder:
    """Open a library's model with its exported text tower; if there is none, load the model and export the tower.

    Raises:
        WeightsUnavailableError: The library has no text tower, and the weights are unavailable.
        FingerprintMismatchError: The library has no text tower, and the model is no longer that of the library.
    """
    settings = config.encoder
    if not isinstance(settings, Encoding):
        return encoder.open()
    stored = StoredTower(config.library, encoder.fingerprint)
    is_read_only = _is_read_only(config.library)

    def renew(model: OpenEncoder) -> None:
        if not is_read_only and encoder.is_of_library():
            _export(stored, model, encoder.fingerprint)

    try:
        tower = stored.load(settings)
        # Without a tower there may be the reason why the model cannot be exported.
        is_missing = tower is None and not stored.exists()
    except (EncoderError, OSError, StoreError) as error:
        _log.error("the library's text tower cannot be used (%s); the model is loaded instead", error)
        tower, is_missing = None, True
    if tower is None:
        model = encoder.open()
        if is_missing:
            renew(model)
        return model
    texts = RememberedTexts(
        config.library,
        encoder.fingerprint,
        settings,
        tower.file.dimension,
        lasting=config.search.background,
        remembers_questions=config.library_remember_questions,
        is_read_only=is_read_only,
    )
    return LibraryModel(tower, texts, encoder.open, renew)


class TextTowerExport:
    """The export of a library's text tower by the executor of a batch, which has the model loaded.

    Args:
        library: The library's folder or URL.
        fingerprint: Fingerprint of the encoder.

    Attributes:
        is_done: Whether the executor has tried to export the tower.
    """

    def __init__(self, library: str, fingerprint: str) -> None:
        self._stored = StoredTower(library, fingerprint)
        self._fingerprint = fingerprint
        self.is_done = False

    @classmethod
    def missing(cls, config: RunConfig, encoder: LibraryEncoder) -> TextTowerExport | None:
        """Return the export of a library that has no tower; None if it has one, or if its model has no export."""
        if not isinstance(config.encoder, Encoding):
            return None
        export = cls(config.library, encoder.fingerprint)
        try:
            return None if export._stored.exists() else export
        except (OSError, StoreError):
            return None

    @property
    def task(self) -> ModelTask:
        """The task for the executor."""
        return ModelTask(work=partial(_exported, fingerprint=self._fingerprint), take=self._take)

    def _take(self, exported: _Exported) -> None:
        """Store the exported tower, or the reason why there is none."""
        self.is_done = True
        _store(self._stored, exported)


def prepare_text_tower(config: RunConfig, encoder: LibraryEncoder, load: Callable[[], OpenEncoder]) -> None:
    """Export the text tower of a library that has none yet; errors are only logged.

    Args:
        config: The library's configuration.
        encoder: The library's encoder.
        load: Opens the library's model, as `open_model` does, which exports the tower.
    """
    if not isinstance(config.encoder, Encoding):
        return
    try:
        if not StoredTower(config.library, encoder.fingerprint).exists():
            load()
    except (MomentseekError, OSError) as error:
        _log.warning("the text tower was not exported, so each search loads the model: %s", error)


def _export(stored: StoredTower, model: OpenEncoder, fingerprint: str) -> None:
    """Export a loaded model's text tower; log a failure, and store the reason if a repetition would fail as well."""
    _store(stored, _exported(model, fingerprint=fingerprint))


def _exported(model: OpenEncoder, *, fingerprint: str) -> _Exported:
    """Export a loaded model's text tower; None for a model without one. Errors are returned, as they must pickle."""
    if not isinstance(model, _HasTextTower):
        return None
    try:
        return model.export_text_tower(fingerprint)
    except EncoderError as error:
        return EncoderError(str(error))
    except (ImportError, OSError) as error:
        return OSError(str(error))


def _store(stored: StoredTower, exported: _Exported) -> None:
    try:
        if isinstance(exported, EncoderError):
            _log.warning("the text tower cannot be exported, so each search loads the model: %s", exported)
            stored.note_impossible(str(exported))
        elif isinstance(exported, OSError):
            _log.warning("the text tower was not exported, so each search loads the model: %s", exported)
        elif exported is not None:
            stored.save(*exported)
    except (OSError, StoreError) as error:
        _log.warning("the text tower was not exported, so each search loads the model: %s", error)


def _is_read_only(library: str) -> bool:
    folder: Path | None = local_folder(library)
    return folder is not None and not is_writable(folder)
