"""Moving a library's index to another place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.config import validate
from pipeline.encode import Encoder
from pipeline.errors import ConfigError, IndexDamagedError
from pipeline.index import MomentIndex
from pipeline.library.index_handle import LibraryIndex, index_folder
from pipeline.library.maintenance import OnVideo, Rebuilt, fill
from pipeline.run_config import RunConfig
from pipeline.store import ParquetStore

__all__ = ["fill_elsewhere", "target_of"]


def target_of(config: RunConfig, uri: str | None) -> RunConfig:
    """The configuration with its index at another place.

    Args:
        config: Of the library.
        uri: A Milvus server or a folder for Milvus Lite; None for the library's own folder.

    Raises:
        ConfigError: The URI is neither, or the library is no local folder and cannot hold an index.
    """
    own = index_folder(config.library)
    if uri is not None and own is not None and "://" not in uri and Path(uri).expanduser().absolute() == own.absolute():
        uri = None
    if uri is None and own is None:
        raise ConfigError(
            f"the library {config.library!r} is no folder on this machine and cannot hold its own index; name a Milvus"
            " server, or a folder for Milvus Lite"
        )
    settings = config.model_dump(mode="json")
    settings["index"] |= {"backend": "milvus", "uri": uri}
    return validate(RunConfig, settings)


def fill_elsewhere(
    target: RunConfig,
    encoder: Encoder,
    store: ParquetStore,
    *,
    switch: Callable[[], None],
    on_video: OnVideo | None = None,
) -> Rebuilt:
    """Fill the index that a configuration names, and then switch to it.

    Args:
        target: Has the index at the new place.
        encoder: Of the library.
        store: Where the frame embeddings are.
        switch: Makes the library use the new place; called once all rows are there.
        on_video: Told how many videos are done, of how many.

    Raises:
        ConfigError: `index.kind` is not for Milvus Lite, or the segmentation needs cuts that a video lacks.
        IndexLockedError: Another process holds the new place.
        FingerprintMismatchError: It holds another encoder's vectors.
        MomentIndexError: It cannot be used.
        StoreError: Frame embeddings are broken.
    """
    place = LibraryIndex(target, encoder)
    place.claim()
    try:
        index = _opened(place)
        return fill(index, store, target.row_recipe, switch=switch, on_video=on_video)
    finally:
        place.close()


def _opened(place: LibraryIndex) -> MomentIndex:
    """The index at the new place; a damaged one in the library's own folder is removed first."""
    try:
        return place.open(lambda _: None)
    except IndexDamagedError as error:
        place.discard(error)
        return place.open(lambda _: None)
