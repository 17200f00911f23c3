"""`library.private`: when a library's folder is kept to its owner."""

from __future__ import annotations

import logging
from pathlib import Path

from pipeline.errors import ConfigError, StoreError
from pipeline.library.identity import local_folder
from pipeline.run_config import RunConfig
from pipeline.store.local_folder import LocalFolder
from pipeline.store.privacy import is_private, make_private, make_public, tighten

__all__ = ["apply_privacy", "keep_privacy", "make_index_folder", "remembered_privacy", "tighten_index"]

_log = logging.getLogger(__name__)


def keep_privacy(config: RunConfig) -> None:
    """Take from others what they may at an existing library that says it is private, as after a copy of its folder.

    Where that fails, as on a read-only mount, a warning is logged: reading goes on.
    """
    folder = local_folder(config.library)
    if config.library_private and folder is not None and folder.is_dir():
        try:
            make_private(folder)
        except StoreError as error:
            _log.warning("%s", error)


def apply_privacy(config: RunConfig) -> None:
    """Do what `library.private` says before anything is written; where it says nothing, the library stays as it is.

    Raises:
        ConfigError: The library is no local folder.
        StoreError: Modes cannot be changed.
    """
    folder = local_folder(config.library)
    if config.library_private is None:
        return
    if folder is None:
        if config.library_private:
            raise ConfigError(
                f"library.private: {config.library!r} is no folder on this machine, and has no modes of files; leave it"
                " out, and restrict who may read by the store's own means"
            )
        return
    if config.library_private:
        make_private(folder)
    else:
        make_public(folder)


def remembered_privacy(config: RunConfig) -> RunConfig:
    """The configuration with what its library keeps to, for its file."""
    folder = local_folder(config.library)
    if config.library_private is None and folder is not None and is_private(folder):
        return config.model_copy(update={"library_private": True})
    return config


def make_index_folder(library: str, folder: Path) -> None:
    """Make the folder of a private library's index, which Milvus Lite would make by the umask.

    Raises:
        StoreError: It cannot be made, or is a link.
    """
    root = local_folder(library)
    if root is None or not is_private(root) or folder.exists():
        return
    try:
        LocalFolder(str(root), folder.name).make()
    except OSError as error:
        raise StoreError(f"{folder}: cannot be made: {error.strerror}") from error


def tighten_index(library: str, folder: Path | None) -> None:
    """Take from others what they may of an index's files: Milvus Lite makes them by the umask, in a folder of 0700."""
    root = local_folder(library)
    if folder is None or root is None or not is_private(root):
        return
    try:
        tighten(folder)
    except OSError as error:
        _log.warning("the modes of the files in %s cannot be changed: %s", folder, error)
