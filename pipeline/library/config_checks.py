"""Check that a configuration is compatible with the library that it names."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from pipeline.encode import Encoder, Encoding, OpenClipEncoder, encoder_faults
from pipeline.errors import ConfigError, FingerprintMismatchError, SourceError, StoreError
from pipeline.execution import is_on_cluster
from pipeline.library.saved_config import LibraryFile
from pipeline.plugins import Plugin
from pipeline.run_config import RunConfig, plugins_of
from pipeline.sampling.plugin import SAMPLERS
from pipeline.search.filters.recording_time import check_date
from pipeline.store import ParquetStore
from pipeline.types import Source
from pipeline.uris import public_name

__all__ = ["check_dates", "check_encoder", "check_encoder_object", "check_sampling", "check_weights", "holds_videos"]


def check_encoder(config: RunConfig, saved: LibraryFile | None, encoder: Encoder, *, is_configured: bool) -> None:
    """Refuse another encoder than that of the library's videos, and a sampling that this version cannot continue.

    Args:
        config: The configuration, which names the library.
        saved: The library's saved configuration; None if it has none yet.
        encoder: The encoder that is to be used.
        is_configured: Whether the encoder is the configuration's.

    Raises:
        ConfigError: This version would choose other frames of the library's videos.
        FingerprintMismatchError: The library holds another encoder's vectors; the message names both.
    """
    if saved is None:
        return
    _check_version(saved)
    if is_configured and saved.config.encoder == config.encoder and isinstance(config.encoder, Encoding):
        return
    if saved.encoder_fingerprint != encoder.fingerprint and holds_videos(saved):
        raise FingerprintMismatchError(
            f"the library {config.library!r} was made with encoder {saved.encoder_description}"
            f" [{saved.encoder_fingerprint}], but this is encoder {encoder.description} [{encoder.fingerprint}]; their"
            " vectors cannot be compared. Open the library without a configuration to use its own encoder, or choose"
            " another library for this one"
        )


def check_encoder_object(encoder: Encoder) -> None:
    """Refuse an encoder, given by the caller, that cannot encode pictures; its weights are not loaded.

    Raises:
        ConfigError: The encoder, or its preprocessing, lacks members, which the message names.
    """
    faults = []
    # An exception of the encoder's own code occurs again when the batch begins, and is reported then.
    with suppress(Exception):
        faults = list(encoder_faults(encoder))
    if faults:
        raise ConfigError(f"{type(encoder).__name__} is not an encoder: {'; '.join(faults)}")


def check_weights(config: RunConfig, saved: LibraryFile | None, encoder: Encoder) -> None:
    """Refuse to create a library whose model is not available, before anything of it is written.

    Skipped for a library that holds videos, since a batch of indexed videos needs no model; and for a library that is
    written by a cluster, whose machines have their own model files.

    Raises:
        ConfigError: There is no such model.
        WeightsUnavailableError: The weights are not available, or broken.
    """
    is_elsewhere = config.execution.executor != "in_process" and is_on_cluster(config.execution)
    if is_elsewhere or not isinstance(encoder, OpenClipEncoder):
        return
    if saved is None or not holds_videos(saved):
        encoder.find_weights()


def check_sampling(config: RunConfig, saved: LibraryFile | None) -> None:
    """Refuse another sampling than that of the library's videos.

    Raises:
        ConfigError: The library holds videos that were sampled with other settings, or by an incompatible version.
    """
    if saved is None:
        return
    _check_version(saved)
    if _sampled_by(saved) != config.sampling_fingerprint and holds_videos(saved):
        raise ConfigError(
            f"the library {config.library!r} was sampled differently ({_sampling(saved.config)}) from this"
            f" configuration ({_sampling(config)}); open it without a configuration, or choose another"
            " library for this one"
        )


def _sampled_by(saved: LibraryFile) -> str:
    """The fingerprint of the library's sampling; if it uses a sampler that is not imported, the one in its file."""
    is_usable = all(sampler.is_loaded for sampler in _plugin_samplers(saved.config))
    return saved.config.sampling_fingerprint if is_usable else saved.sampling_fingerprint


def _plugin_samplers(config: RunConfig) -> list[Plugin]:
    return [plugin for plugin in plugins_of(config) if plugin.seam is SAMPLERS]


def check_dates(sources: Iterable[Source], recorded_at: str) -> None:
    """Refuse sources with an invalid recording time in their metadata.

    Args:
        sources: The sources of a batch.
        recorded_at: The metadata entry for the start of a recording.

    Raises:
        SourceError: There is such a source; the message names it and the accepted format.
    """
    for source in sources:
        try:
            check_date(source.metadata, recorded_at)
        except ValueError as error:
            raise SourceError(f"{public_name(source.uri)}: metadata {error}") from error


def _check_version(saved: LibraryFile) -> None:
    if saved.sampling_fingerprint == _sampled_by(saved) or not holds_videos(saved):
        return
    samplers = [f"{sampler.class_path} ({sampler.version})" for sampler in _plugin_samplers(saved.config)]
    if samplers:
        raise ConfigError(
            f"the library {saved.config.library!r} was sampled by a version of {' and '.join(samplers)} other than the"
            " installed one, or by an earlier momentseek; install that version, or index the videos again"
            " into another library"
        )
    raise ConfigError(
        f"the library {saved.config.library!r} was made by a version of momentseek that chooses frames differently"
        " from this one; continue with that version, or index the videos again into another library"
    )


def holds_videos(saved: LibraryFile) -> bool:
    """Whether the library holds videos: until the first is indexed, its model may still change."""
    store = ParquetStore(saved.config.library, saved.sampling_fingerprint, saved.encoder_fingerprint)
    with suppress(StoreError):
        return bool(store.video_ids())
    return True


def _sampling(config: RunConfig) -> str:
    return f"{config.sampling!r}, decoded by {config.decoding.backend}"
