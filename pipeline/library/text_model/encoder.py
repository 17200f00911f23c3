"""A library's encoder, identified without reading its weights."""

from __future__ import annotations

from pipeline.encode import Encoder, EncoderSettings, OpenEncoder, Preprocessing
from pipeline.encode.settings import Encoding
from pipeline.errors import FingerprintMismatchError
from pipeline.library.config_checks import holds_videos
from pipeline.library.saved_config import SavedConfig

__all__ = ["LibraryEncoder"]


class LibraryEncoder:
    """An encoder that takes its fingerprint from the library's saved configuration, if it has the settings saved there.

    A library can therefore be listed, and searched by text, on a machine without the model's weights. Before the
    weights are used, their fingerprint is compared with the library's.

    Args:
        encoder: The encoder.
        settings: Its settings.
        saved: The library's saved configuration.
    """

    def __init__(self, encoder: Encoder, settings: EncoderSettings, saved: SavedConfig) -> None:
        self._encoder = encoder
        self._settings = settings
        self._saved = saved
        self._fingerprint: str | None = None

    @property
    def fingerprint(self) -> str:
        """Identity of the embedding space.

        Raises:
            WeightsUnavailableError: The library has no file yet, and the checkpoint or the architecture file cannot be
                read.
        """
        if self._fingerprint is None:
            self._fingerprint = self._saved_fingerprint() or self._encoder.fingerprint
        return self._fingerprint

    @property
    def description(self) -> str:
        """Readable name of the model."""
        return self._encoder.description

    def is_of_library(self) -> bool:
        """Whether the library has a saved configuration, with this encoder."""
        saved = self._saved.read()
        return saved is not None and saved.encoder_fingerprint == self.fingerprint

    def preprocessing(self) -> Preprocessing:
        """Make the model's preprocessing."""
        return self._encoder.preprocessing()

    def open(self) -> OpenEncoder:
        """Load the weights.

        Raises:
            WeightsUnavailableError: The weights are unavailable or broken.
            FingerprintMismatchError: The library was made with other weights.
        """
        return self.verified().open()

    def verified(self) -> Encoder:
        """Compare the fingerprint of the encoder with the library's, and return the encoder.

        A library without videos takes over the fingerprint of the encoder.

        Raises:
            WeightsUnavailableError: The checkpoint or the architecture file cannot be read.
            FingerprintMismatchError: The library was made with other weights.
        """
        found = self._encoder.fingerprint
        if found == self.fingerprint:
            return self._encoder
        saved = self._saved.read()
        if saved is not None and holds_videos(saved):
            raise FingerprintMismatchError(
                f"the library {self._saved.library!r} was made with encoder [{self.fingerprint}], but"
                f" {self.description} is by now encoder [{found}]: its checkpoint or architecture file has changed;"
                " restore that file, or choose another library for this model"
            )
        self._fingerprint = found
        return self._encoder

    def _saved_fingerprint(self) -> str | None:
        if not isinstance(self._settings, Encoding):
            return None
        saved = self._saved.read()
        return saved.encoder_fingerprint if saved is not None and saved.config.encoder == self._settings else None
