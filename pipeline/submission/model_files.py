"""Collect the model files named by a configuration: small ones are sent with a batch and stored in the library.

The job's processes find them by relative paths, since Ray copies the job's working directory to every machine. That
folder is removed with the job, but searches need the model, too; so before anything else, the files are also stored in
the library, under the same names.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.encode.architecture import content_hash, resolved
from pipeline.encode.plugin import PluginEncoder
from pipeline.encode.settings import Encoding
from pipeline.errors import ConfigError, ExecutionError
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.uris import is_remote

__all__ = ["MAX_BYTES", "JobModel", "check_model", "job_model", "store_files", "store_model"]

MAX_BYTES = 64 * 2**20
"""Maximum total size of the files of a model that is sent with each batch."""

_SETTINGS = ("checkpoint", "architecture")
_FOLDER = "models"


@dataclass(frozen=True)
class JobModel:
    """The model files of a job, and where the job finds them.

    Attributes:
        encoder: The encoder's settings for the cluster.
        sent: Paths on this machine of the files that are sent, by their names in the job's working directory, which
            are also their names in the library.
        needed: Files that must exist on the cluster, by their paths in the settings.
    """

    encoder: Encoding | PluginEncoder
    sent: Mapping[str, Path] = field(default_factory=dict)
    needed: tuple[str, ...] = ()


def job_model(encoder: Encoding | PluginEncoder, library: str) -> JobModel:
    """Decide which files of a model are sent: all, if all are on this machine and small, and the library is a folder.

    For an encoder of another package, none: its package must be installed on the cluster.

    Args:
        encoder: The encoder's settings, with absolute paths.
        library: The library's folder or URL on the cluster.

    Raises:
        ExecutionError: An existing file cannot be read.
    """
    if isinstance(encoder, PluginEncoder):
        return JobModel(encoder)
    named = {name: path for name in _SETTINGS if (path := getattr(encoder, name)) is not None}
    try:
        is_small = sum(Path(path).stat().st_size for path in named.values()) <= MAX_BYTES
        if not is_small or is_remote(library) or not all(Path(path).is_file() for path in named.values()):
            return JobModel(encoder, needed=tuple(named.values()))
        names = {name: f"{_FOLDER}/{content_hash(Path(path))[:12]}/{Path(path).name}" for name, path in named.items()}
    except FileNotFoundError:
        return JobModel(encoder, needed=tuple(named.values()))
    except OSError as error:
        raise ExecutionError(f"a model file cannot be read: {error}") from error
    return JobModel(encoder.model_copy(update=names), {names[name]: Path(path) for name, path in named.items()})


def store_model(folder: Path, library: str) -> None:
    """Store the model files sent with a batch in the library, unless it has them already.

    Args:
        folder: The batch's folder.
        library: The library's folder.

    Raises:
        StoreError: They cannot be written.
    """
    store_files(folder, library, [str(path.relative_to(folder)) for path in sorted((folder / _FOLDER).glob("*/*"))])


def store_files(folder: Path, library: str, names: Iterable[str]) -> None:
    """Store files sent with a batch in the library, under the same names and in this order; existing files are kept.

    Args:
        folder: The batch's folder.
        library: The library's folder.
        names: The files' paths relative to the batch's folder.

    Raises:
        StoreError: The files cannot be written.
    """
    target = AtomicFolder(library)
    for name in names:
        if not target.exists(name):
            with (folder / name).open("rb") as sent, target.writing(name) as stored:
                shutil.copyfileobj(sent, stored)


def check_model(encoder: Encoding | PluginEncoder) -> None:
    """Check that all files of a model are on this machine.

    Raises:
        ConfigError: A file is missing.
    """
    if isinstance(encoder, PluginEncoder):
        return
    for name in _SETTINGS:
        path = getattr(encoder, name)
        if path is not None and not resolved(path).is_file():
            raise ConfigError(
                f"encoder.{name}: {path!r} is not on {socket.gethostname()}, where the job runs; put it at the same"
                " path on every machine of the cluster, or change the setting (model files of at most"
                f" {MAX_BYTES // 2**20} MiB are sent with a batch if they exist where it is submitted)"
            )
