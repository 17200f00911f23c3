"""Collects the model files named by a configuration: small ones are sent with a batch and stored in the library.

The job's processes find them by relative paths: Ray brings the job's working directory to every machine. It ends with
the job, and a search needs the model again, so before anything else is done the library gets them, too, under the same
names.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.encode.architecture import content_hash, resolved
from pipeline.encode.plugin import PluginEncoder
from pipeline.encode.settings import Encoding
from pipeline.errors import ConfigError, ExecutionError
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.uris import is_remote

__all__ = ["MOST_BYTES", "JobModel", "check_model", "job_model", "keep_model"]

MOST_BYTES = 64 * 2**20
"""Larger models are not sent with each batch: all the files of one, together."""

_SETTINGS = ("checkpoint", "architecture")
_FOLDER = "models"


@dataclass(frozen=True)
class JobModel:
    """The model files of a job, and where it finds them.

    Attributes:
        encoder: The settings, for the cluster.
        sent: Files that go along: their names in the job's working directory, which they have in the library, too, and
            where they are here.
        needed: Files that the cluster must have, by the paths of their settings.
    """

    encoder: Encoding | PluginEncoder
    sent: Mapping[str, Path] = field(default_factory=dict)
    needed: tuple[str, ...] = ()


def job_model(encoder: Encoding | PluginEncoder, library: str) -> JobModel:
    """Decide which files of a model go along: all of them, if all are here, small, and the library is a folder.

    Of an encoder of another package, none: its package must be installed on the cluster.

    Args:
        encoder: Its paths are absolute.
        library: The library's folder or URL, on the cluster.

    Raises:
        ExecutionError: A file that is here cannot be read.
    """
    if isinstance(encoder, PluginEncoder):
        return JobModel(encoder)
    named = {name: path for name in _SETTINGS if (path := getattr(encoder, name)) is not None}
    try:
        is_small = sum(Path(path).stat().st_size for path in named.values()) <= MOST_BYTES
        if not is_small or is_remote(library) or not all(Path(path).is_file() for path in named.values()):
            return JobModel(encoder, needed=tuple(named.values()))
        names = {name: f"{_FOLDER}/{content_hash(Path(path))[:12]}/{Path(path).name}" for name, path in named.items()}
    except FileNotFoundError:
        return JobModel(encoder, needed=tuple(named.values()))
    except OSError as error:
        raise ExecutionError(f"a file of the model cannot be read: {error}") from error
    return JobModel(encoder.model_copy(update=names), {names[name]: Path(path) for name, path in named.items()})


def keep_model(folder: Path, library: str) -> None:
    """Store the model files sent with a batch in the library, unless it has them.

    Args:
        folder: The batch's.
        library: The library's folder.

    Raises:
        StoreError: They cannot be written.
    """
    place = AtomicFolder(library)
    for path in sorted((folder / _FOLDER).glob("*/*")):
        name = str(path.relative_to(folder))
        if not place.exists(name):
            with path.open("rb") as sent, place.writing(name) as kept:
                shutil.copyfileobj(sent, kept)


def check_model(encoder: Encoding | PluginEncoder) -> None:
    """Check that all files of a model are on this machine.

    Raises:
        ConfigError: One is not.
    """
    if isinstance(encoder, PluginEncoder):
        return
    for name in _SETTINGS:
        path = getattr(encoder, name)
        if path is not None and not resolved(path).is_file():
            raise ConfigError(
                f"encoder.{name}: {path!r} is not on {socket.gethostname()}, where the job runs; put it there, at the"
                " same path on every machine of the cluster, or set it to where it is (files of a model that come to"
                f" {MOST_BYTES // 2**20} MiB at most are sent along, from a machine that has them)"
            )
