"""Apply `library.private`: restrict a library's folder to its owner, or open it."""

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
    """Restore the owner-only modes of an existing private library, for example after its folder was copied.

    If that fails, for example on a read-only mount, a warning is logged and the library is still read.
    """
    folder = local_folder(config.library)
    if config.library_private and folder is not None and folder.is_dir():
        try:
            make_private(folder)
        except StoreError as error:
            _log.warning("%s", error)


def apply_privacy(config: RunConfig) -> None:
    """Apply `library.private` before anything is written; if it is unset, the library's modes stay as they are.

    Raises:
        ConfigError: The library is not a local folder.
        StoreError: Modes cannot be changed.
    """
    folder = local_folder(config.library)
    if config.library_private is None:
        return
    if folder is None:
        if config.library_private:
            raise ConfigError(
                f"library.private: {config.library!r} is not a folder on this machine, so it has no file modes; leave"
                " the setting out, and restrict access by the means of the storage service"
            )
        return
    if config.library_private:
        make_private(folder)
    else:
        make_public(folder)


def remembered_privacy(config: RunConfig) -> RunConfig:
    """Return the configuration to save; if it sets no privacy, with the privacy that the library has."""
    folder = local_folder(config.library)
    if config.library_private is None and folder is not None and is_private(folder):
        return config.model_copy(update={"library_private": True})
    return config


def make_index_folder(library: str, folder: Path) -> None:
    """Create the index folder of a private library; Milvus Lite would create it with the umask's mode.

    Raises:
        StoreError: The folder cannot be created, or is a link.
    """
    root = local_folder(library)
    if root is None or not is_private(root) or folder.exists():
        return
    try:
        LocalFolder(str(root), folder.name).make()
    except OSError as error:
        raise StoreError(f"{folder}: cannot be created: {error.strerror}") from error


def tighten_index(library: str, folder: Path | None) -> None:
    """Restrict an index's files to their owner: Milvus Lite creates them with the umask's mode."""
    root = local_folder(library)
    if folder is None or root is None or not is_private(root):
        return
    try:
        tighten(folder)
    except OSError as error:
        _log.warning("the modes of the files in %s cannot be changed: %s", folder, error)
