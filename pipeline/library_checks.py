"""Whether a configuration fits the library that it names."""

from __future__ import annotations

from contextlib import suppress

from pipeline.encode import Encoder, OpenClipEncoder
from pipeline.errors import ConfigError, FingerprintMismatchError, StoreError
from pipeline.execution import is_on_cluster
from pipeline.library_file import LibraryFile, read_library_file
from pipeline.run_config import RunConfig
from pipeline.store import ParquetStore

__all__ = ["check_encoder", "check_sampling", "check_weights"]


def check_encoder(config: RunConfig, encoder: Encoder, *, has_own: bool) -> None:
    """Refuse another encoder than the library's videos were made with, and frames that this version would not choose.

    Args:
        config: Names the library.
        encoder: The one that is to be used.
        has_own: Whether the configuration says it.

    Raises:
        ConfigError: The library holds videos whose frames were chosen otherwise than this version would.
        FingerprintMismatchError: The library holds another encoder's vectors; both are named.
    """
    kept = read_library_file(config.library)
    if kept is None:
        return
    _check_version(kept)
    if has_own and kept.config.encoder == config.encoder:
        return
    if kept.encoder_fingerprint != encoder.fingerprint and _holds_videos(kept):
        raise FingerprintMismatchError(
            f"the library {config.library!r} was made with encoder {kept.encoder_description}"
            f" [{kept.encoder_fingerprint}], and this is encoder {encoder.description}"
            f" [{encoder.fingerprint}]; their vectors cannot be compared. Open it without a configuration to"
            " use its own encoder, or choose another library for this one"
        )


def check_weights(config: RunConfig, encoder: Encoder) -> None:
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
    kept = read_library_file(config.library)
    if kept is None or not _holds_videos(kept):
        encoder.find_weights()


def check_sampling(config: RunConfig) -> None:
    """Refuse another sampling than the library's videos were made with.

    Raises:
        ConfigError: The library holds videos that were sampled otherwise, or by a version that chose frames otherwise.
    """
    kept = read_library_file(config.library)
    if kept is None:
        return
    _check_version(kept)
    if kept.config.sampling_fingerprint != config.sampling_fingerprint and _holds_videos(kept):
        raise ConfigError(
            f"the library {config.library!r} was sampled otherwise ({_sampling(kept.config)}) than this"
            f" configuration says ({_sampling(config)}); open it without a configuration, or choose another"
            " library for this one"
        )


def _check_version(kept: LibraryFile) -> None:
    if kept.sampling_fingerprint != kept.config.sampling_fingerprint and _holds_videos(kept):
        raise ConfigError(
            f"the library {kept.config.library!r} was made by a version of momentseek that chose frames otherwise than"
            " this one does; go on with that version, or index the videos again into another library"
        )


def _holds_videos(kept: LibraryFile) -> bool:
    """Whether there are any: a library whose first batch failed, as for want of weights, may still change its model."""
    store = ParquetStore(kept.config.library, kept.sampling_fingerprint, kept.encoder_fingerprint)
    with suppress(StoreError):
        return next(store.records(), None) is not None
    return True


def _sampling(config: RunConfig) -> str:
    return f"{config.sampling!r}, decoded by {config.decoding.backend}"
