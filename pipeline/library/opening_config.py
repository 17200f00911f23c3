"""The configuration that a library is opened with."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pipeline.config import merged, validate, with_overrides
from pipeline.library.index_handle import index_folder
from pipeline.library.saved_config import read_library_file
from pipeline.library.trust import check_trusted
from pipeline.run_config import RunConfig, check_classes, with_plugins

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
        UntrustedLibraryError: The library's own settings reach outside it, and the user neither set nor trusts them.
            Then nothing that they name was imported.
    """
    given = with_overrides({}, overrides := list(overrides))
    kept = None
    if location is None or isinstance(location, RunConfig):
        config = check_classes(location or RunConfig())
    else:
        kept = read_library_file(str(location))
        config = kept.config if kept is not None else RunConfig(library=str(location))
    effective = validate(RunConfig, merged(config.model_dump(mode="json"), given), "configuration")
    if kept is not None:
        check_trusted(kept.config, effective, given)
    # From here on it is known that the user named or trusts what is imported.
    return _with_server(with_plugins(effective))


def _with_server(config: RunConfig) -> RunConfig:
    """The configuration with the server that the environment names, unless it says a place or has its own index."""
    uri, folder = os.environ.get(_URI_VARIABLE), index_folder(config.library)
    if not uri or config.index.uri is not None or (folder is not None and folder.exists()):
        return config
    return config.model_copy(update={"index": config.index.model_copy(update={"uri": uri})})
