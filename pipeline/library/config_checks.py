"""Check that a configuration fits the library that it names."""

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

__all__ = ["check_dates", "check_encoder", "check_encoder_object", "check_sampling", "check_weights"]


def check_encoder(config: RunConfig, saved: LibraryFile | None, encoder: Encoder, *, has_own: bool) -> None:
    """Refuse another encoder than the library's videos were made with, and frames that this version would not choose.

    Args:
        config: Names the library.
        saved: The library's saved configuration; None if it has none yet.
        encoder: The one that is to be used.
        has_own: Whether the configuration says it.

    Raises:
        ConfigError: The library holds videos whose frames were chosen otherwise than this version would.
        FingerprintMismatchError: The library holds another encoder's vectors; both are named.
    """
    if saved is None:
        return
    _check_version(saved)
    if has_own and saved.config.encoder == config.encoder and isinstance(config.encoder, Encoding):
        return
    if saved.encoder_fingerprint != encoder.fingerprint and _holds_videos(saved):
        raise FingerprintMismatchError(
            f"the library {config.library!r} was made with encoder {saved.encoder_description}"
            f" [{saved.encoder_fingerprint}], and this is encoder {encoder.description}"
            f" [{encoder.fingerprint}]; their vectors cannot be compared. Open it without a configuration to"
            " use its own encoder, or choose another library for this one"
        )


def check_encoder_object(encoder: Encoder) -> None:
    """Refuse an encoder that a caller made and that cannot encode pictures; its weights are not loaded.

    Raises:
        ConfigError: It, or its preprocessing, lacks members; the message names them.
    """
    faults = []
    # What its own code raises here, it raises again when the batch begins, and is reported then.
    with suppress(Exception):
        faults = list(encoder_faults(encoder))
    if faults:
        raise ConfigError(f"{type(encoder).__name__} is no encoder: {'; '.join(faults)}")


def check_weights(config: RunConfig, saved: LibraryFile | None, encoder: Encoder) -> None:
    """Refuse to begin a library whose model cannot be had, before anything of it is written.

    A library that holds videos is not looked at: a batch may be about videos that it knows, which needs no model. Nor
    is one that is made on a cluster, whose machines have their own files.

    Raises:
        ConfigError: There is no such model.
        WeightsUnavailableError: The weights are out of reach, or broken.
    """
    is_elsewhere = config.execution.executor == "ray" and is_on_cluster(config.execution)
    if is_elsewhere or not isinstance(encoder, OpenClipEncoder):
        return
    if saved is None or not _holds_videos(saved):
        encoder.find_weights()


def check_sampling(config: RunConfig, saved: LibraryFile | None) -> None:
    """Refuse another sampling than the library's videos were made with.

    Raises:
        ConfigError: The library holds videos that were sampled otherwise, or by a version that chose frames otherwise.
    """
    if saved is None:
        return
    _check_version(saved)
    if _sampled_by(saved) != config.sampling_fingerprint and _holds_videos(saved):
        raise ConfigError(
            f"the library {config.library!r} was sampled otherwise ({_sampling(saved.config)}) than this"
            f" configuration says ({_sampling(config)}); open it without a configuration, or choose another"
            " library for this one"
        )


def _sampled_by(saved: LibraryFile) -> str:
    """The sampling's identity; that of a sampler that this process does not use is as the library's file has it."""
    is_usable = all(sampler.is_loaded for sampler in _plugin_samplers(saved.config))
    return saved.config.sampling_fingerprint if is_usable else saved.sampling_fingerprint


def _plugin_samplers(config: RunConfig) -> list[Plugin]:
    return [plugin for plugin in plugins_of(config) if plugin.seam is SAMPLERS]


def check_dates(sources: Iterable[Source], recorded_at: str) -> None:
    """Refuse sources whose metadata has a time of recording that is none.

    Args:
        sources: A batch.
        recorded_at: The entry of metadata that says when a video begins.

    Raises:
        SourceError: There is such a source; the message names it and the accepted form.
    """
    for source in sources:
        try:
            check_date(source.metadata, recorded_at)
        except ValueError as error:
            raise SourceError(f"{public_name(source.uri)}: metadata {error}") from error


def _check_version(saved: LibraryFile) -> None:
    if saved.sampling_fingerprint == _sampled_by(saved) or not _holds_videos(saved):
        return
    samplers = [f"{sampler.class_path} ({sampler.version})" for sampler in _plugin_samplers(saved.config)]
    if samplers:
        raise ConfigError(
            f"the library {saved.config.library!r} was sampled by another version than the present one of"
            f" {' and '.join(samplers)}, or by an earlier momentseek; install that version, or index the videos again"
            " into another library"
        )
    raise ConfigError(
        f"the library {saved.config.library!r} was made by a version of momentseek that chose frames otherwise than"
        " this one does; go on with that version, or index the videos again into another library"
    )


def _holds_videos(saved: LibraryFile) -> bool:
    """Whether the library holds videos: until the first is indexed, as without weights, its model may still change."""
    store = ParquetStore(saved.config.library, saved.sampling_fingerprint, saved.encoder_fingerprint)
    with suppress(StoreError):
        return next(store.records(), None) is not None
    return True


def _sampling(config: RunConfig) -> str:
    return f"{config.sampling!r}, decoded by {config.decoding.backend}"
