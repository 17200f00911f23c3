"""The configuration that a library is opened with."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pipeline.config import validate, with_overrides
from pipeline.library_file import read_library_file
from pipeline.library_index import index_folder
from pipeline.run_config import RunConfig

__all__ = ["config_of"]

_URI_VARIABLE = "MOMENTSEEK_MILVUS_URI"


def config_of(location: str | Path | RunConfig | None, overrides: Iterable[str]) -> RunConfig:
    """What a library is and does: what it knows of itself or is told, with the server that the environment names.

    Args:
        location: A library's folder or URL, or a configuration; None for the default one.
        overrides: `a.b=c` settings laid over it.

    Raises:
        ConfigError: A setting is wrong, or the library's file was written by another version.
        StoreError: The library's file cannot be read.
    """
    if location is None or isinstance(location, RunConfig):
        config = location or RunConfig()
    else:
        kept = read_library_file(str(location))
        config = kept.config if kept is not None else RunConfig(library=str(location))
    data = with_overrides(config.model_dump(mode="json"), overrides)
    return _with_server(validate(RunConfig, data, "configuration"))


def _with_server(config: RunConfig) -> RunConfig:
    """The configuration with the server that the environment names, unless it says a place or has its own index."""
    uri, folder = os.environ.get(_URI_VARIABLE), index_folder(config.library)
    if not uri or config.index.uri is not None or (folder is not None and folder.exists()):
        return config
    return config.model_copy(update={"index": config.index.model_copy(update={"uri": uri})})
