"""Compare the place of a library's index with the configured one, and move the index."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.config import validate
from pipeline.encode import Encoder
from pipeline.errors import ConfigError, IndexDamagedError
from pipeline.index import MomentIndex
from pipeline.library.index_handle import LibraryIndex, index_folder
from pipeline.library.maintenance import OnVideo, Rebuilt, fill
from pipeline.library.saved_config import LibraryFile
from pipeline.quoted_commands import command_for
from pipeline.run_config import RunConfig
from pipeline.segment.row_recipe import RowRecipe
from pipeline.store import ParquetStore

__all__ = [
    "IndexPlace",
    "check_index_place",
    "fill_elsewhere",
    "index_place",
    "move_command",
    "set_elsewhere",
    "target_of",
]

_URI_VARIABLE = "MOMENTSEEK_MILVUS_URI"


@dataclass(frozen=True)
class IndexPlace:
    """The place of an index; two places compare equal if they hold the same index.

    Attributes:
        backend: "milvus" or "memory".
        uri: URI of a Milvus server, or an absolute folder; None for the library's own folder.
        collection: Name of the collection, if the configuration sets one.
    """

    backend: str
    uri: str | None
    collection: str | None

    def __str__(self) -> str:
        if self.backend == "memory":
            return "memory"
        place = "the library's own folder" if self.uri is None else repr(self.uri)
        return place if self.collection is None else f"{place} (collection {self.collection!r})"


def index_place(config: RunConfig) -> IndexPlace:
    """Return the place of the index that a configuration names."""
    index = config.index
    if index.backend == "memory":
        return IndexPlace("memory", None, None)
    return IndexPlace("milvus", _normal(index.uri), index.collection)


def check_index_place(config: RunConfig, saved: LibraryFile | None) -> None:
    """Refuse to write to another index than the one that holds the library's videos.

    Args:
        config: The configuration, which names the library and the place of its index.
        saved: The library's saved configuration; None if it has none yet.

    Raises:
        ConfigError: The library holds videos, and its index is elsewhere; the message has the command that moves it.
        StoreError: The library's videos cannot be listed.
    """
    if saved is None or index_place(saved.config) == index_place(config):
        return
    store = ParquetStore(saved.config.library, saved.sampling_fingerprint, saved.encoder_fingerprint)
    if not store.video_ids():
        return
    raise ConfigError(
        f"the index of the library {config.library!r} is in {index_place(saved.config)}, but the settings name"
        f" {index_place(config)}; {set_elsewhere(saved.config, config)}, or move the index there first:"
        f" {move_command(config)}"
    )


def set_elsewhere(saved: RunConfig, config: RunConfig) -> str:
    """Describe, for a message, the setting that makes the library use its own index."""
    here, there = index_place(saved), index_place(config)
    if saved.index.uri is None and config.index.uri is not None and os.environ.get(_URI_VARIABLE) == config.index.uri:
        return f"unset {_URI_VARIABLE}"
    names = [name for name in ("backend", "uri", "collection") if getattr(here, name) != getattr(there, name)]
    if here.backend != there.backend:
        names = ["backend"]
    values = {name: getattr(saved.index, name) for name in names}
    settings = " and ".join(f"index.{name}={'null' if value is None else value}" for name, value in values.items())
    return f"set {settings}"


def move_command(config: RunConfig) -> str:
    """Return the command that moves a library's index to the configured place."""
    place = index_place(config)
    if place.backend == "memory":
        return command_for(config.library, "index", "rebuild", "--set", "index.backend=memory")
    collection = () if place.collection is None else ("--set", f"index.collection={place.collection}")
    return command_for(config.library, "index", "migrate", place.uri or "--own", *collection)


def target_of(config: RunConfig, uri: str | None) -> RunConfig:
    """Return the configuration with its index at another place.

    Args:
        config: The library's configuration.
        uri: A Milvus server or a folder for Milvus Lite; None for the library's own folder.

    Raises:
        ConfigError: The URI is neither, or the library is not a local folder and cannot hold an index.
    """
    own = index_folder(config.library)
    if uri is not None and own is not None and "://" not in uri and Path(uri).expanduser().absolute() == own.absolute():
        uri = None
    if uri is None and own is None:
        raise ConfigError(
            f"the library {config.library!r} is not a folder on this machine, so it cannot hold its index; name"
            " a Milvus server, or a folder for Milvus Lite"
        )
    settings = config.model_dump(mode="json")
    settings["index"] |= {"backend": "milvus", "uri": uri}
    return validate(RunConfig, settings)


def fill_elsewhere(
    target: RunConfig,
    encoder: Encoder,
    store: ParquetStore,
    recipe: RowRecipe,
    *,
    switch: Callable[[], None],
    on_video: OnVideo | None = None,
) -> Rebuilt:
    """Fill the index at the configured place, and then switch to it.

    Args:
        target: The configuration, with the index at the new place.
        encoder: The library's encoder.
        store: The store of the frame embeddings.
        recipe: Makes rows of frame embeddings.
        switch: Makes the library use the new place; called once all rows are there.
        on_video: Called with the number of videos done and their total.

    Raises:
        ConfigError: `index.kind` is not supported by Milvus Lite, or the segmentation needs cuts that a video lacks.
        IndexLockedError: Another process has the index at the new place open, and does not share it.
        FingerprintMismatchError: The index there holds another encoder's vectors.
        MomentIndexError: The index there cannot be used.
        StoreError: Frame embeddings are broken.
    """
    handle = LibraryIndex(target, encoder)
    handle.claim()
    try:
        index = _opened(handle)
        return fill(index, store, recipe, switch=switch, on_video=on_video)
    finally:
        handle.close()


def _opened(handle: LibraryIndex) -> MomentIndex:
    """Open the index at the new place; a damaged index in the library's own folder is removed first."""
    try:
        return handle.open(lambda _: None)
    except IndexDamagedError as error:
        handle.discard(error)
        return handle.open(lambda _: None)


def _normal(uri: str | None) -> str | None:
    if uri is None:
        return None
    if "://" in uri:
        parts = urlsplit(uri)
        return parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower()).geturl().rstrip("/")
    return str(Path(uri).expanduser().absolute())
