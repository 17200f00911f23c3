"""Read and write a library's saved configuration, `library.yaml`, and derive the one to open it with."""

from __future__ import annotations

import difflib
import logging
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from pipeline.config import merged, validate, with_overrides
from pipeline.encode import Encoding
from pipeline.errors import ConfigError, StoreError
from pipeline.library.index_handle import index_folder
from pipeline.library.trust import check_trusted, remember
from pipeline.parsing import ParseError, parse_yaml, shown
from pipeline.run_config import RunConfig, check_classes, plugins_of, with_plugins
from pipeline.store.atomic_folder import AtomicFolder
from pipeline.uris import is_remote, local_path

__all__ = ["LibraryFile", "SavedConfig", "config_of", "read_library_file", "write_library_file"]

_NAME = "library.yaml"
_URI_VARIABLE = "MOMENTSEEK_MILVUS_URI"
_FORMAT = 1
_KEYS = ("format", "encoder_description", "encoder_fingerprint", "sampling_fingerprint", "configuration")
_MODEL_FILES = ("checkpoint", "architecture")
_MAX_DESCRIPTION_LENGTH = 1000
_FINGERPRINT = re.compile(r"[0-9A-Za-z_-]{1,64}")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LibraryFile:
    """The saved configuration of a library, and the identities of its encoder and sampling.

    Attributes:
        config: The configuration that the library was last indexed with, with the library's present path.
        encoder_description: Description of its encoder, for people.
        encoder_fingerprint: Fingerprint of the encoder, which identifies the vectors.
        sampling_fingerprint: Fingerprint of the sampling, as computed by the version that wrote the file.
    """

    config: RunConfig
    encoder_description: str
    encoder_fingerprint: str
    sampling_fingerprint: str


class SavedConfig:
    """A library's saved configuration, read on first use and again only after its file changed.

    A command creates one and passes it on, so that all parts use the same configuration without reading it again.

    Args:
        library: The library's folder or URL.
    """

    def __init__(self, library: str) -> None:
        self.library = library
        self._version: str | None = None
        self._file: LibraryFile | None = None

    def read(self) -> LibraryFile | None:
        """The content of the library's file; None if there is none.

        Raises:
            StoreError: The file cannot be read.
            ConfigError: The file is of another version, or its configuration is not valid here.
        """
        version = None
        # If this fails, reading the file below reports the error.
        with suppress(OSError, StoreError):
            version = AtomicFolder(self.library).version(_NAME)
        if version is None or version != self._version:
            self._file = read_library_file(self.library)
            self._version = version
        return self._file


def read_library_file(library: str) -> LibraryFile | None:
    """Read a library's file; None if there is none.

    Args:
        library: The library's folder or URL.

    Raises:
        StoreError: The file cannot be read.
        ConfigError: The file is of another version, or its configuration is not valid here.
    """
    location = f"{library}/{_NAME}"
    try:
        content = parse_yaml(AtomicFolder(library).read(_NAME))
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        raise StoreError(f"the library {library!r} is a file or lies in one; name a folder") from error
    except (OSError, ParseError) as error:
        raise StoreError(f"{location}: cannot be read: {' '.join(str(error).split())}") from error
    _check_format(content, location)
    try:
        _check_values(content, location)
        config: Mapping[str, Any] = merged(
            content["configuration"], {"library": library, **_own_files(content, library)}
        )
        valid = validate(RunConfig, config, location)
        return LibraryFile(
            valid,
            content["encoder_description"],
            content["encoder_fingerprint"],
            # Files of the first versions have none; files that name a class of another package always do.
            content["sampling_fingerprint"]
            if "sampling_fingerprint" in content or plugins_of(valid)
            else valid.sampling_fingerprint,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"{location}: is broken ({type(error).__name__}: {error}); index a video to write it again"
        ) from error


def _check_format(content: Any, location: str) -> None:
    """Refuse a file of another format, or with names that this version does not know.

    Raises:
        ConfigError: The file is of another format, or has an unknown name.
    """
    written = content.get("format") if isinstance(content, dict) else None
    if type(written) is int and written > _FORMAT:
        raise ConfigError(
            f"{location}: has format {shown(written)}, which was written by a newer version of momentseek; this one"
            f" reads format {_FORMAT}: update momentseek"
        )
    if type(written) is not int or written != _FORMAT:
        raise ConfigError(f"{location}: is not of format {_FORMAT}, which this version of momentseek reads")
    unknown = [name for name in content if name not in _KEYS]
    if unknown:
        near = difflib.get_close_matches(str(unknown[0]), _KEYS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(
            f"{location}: unknown name {shown(unknown[0])}; {hint}known here: {', '.join(_KEYS)}; correct or remove it,"
            " or update momentseek if a newer version wrote it"
        )


def _check_values(content: Mapping[str, Any], location: str) -> None:
    """Refuse values that no version of momentseek writes into the file.

    Raises:
        ConfigError: The file sets how batches are run, which is a setting of the user.
        ValueError: The description is not text, or a fingerprint is malformed.
    """
    if not isinstance(content["configuration"].get("encoder", {}), Mapping):
        raise TypeError("configuration.encoder: expected `name: value` lines")
    if "execution" in content["configuration"]:
        raise ConfigError(
            f"{location}: execution: how batches are run is not a library's setting; remove these lines, and set it"
            " with --config or --set"
        )
    description = content["encoder_description"]
    if not isinstance(description, str) or len(description) > _MAX_DESCRIPTION_LENGTH:
        raise ValueError("encoder_description: expected a line of text")
    for name in ("encoder_fingerprint", "sampling_fingerprint"):
        if not _FINGERPRINT.fullmatch(content.get(name, "none")):
            raise ValueError(f"{name}: expected letters and digits")


def write_library_file(file: LibraryFile) -> None:
    """Write a library's file, replacing an existing one.

    Its outside references are trusted from now on, since this user gave them.

    Raises:
        StoreError: The file cannot be written.
    """
    content = {
        "format": _FORMAT,
        "encoder_description": file.encoder_description,
        "encoder_fingerprint": file.encoder_fingerprint,
        "sampling_fingerprint": file.sampling_fingerprint,
        "configuration": _portable(file.config),
    }
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    AtomicFolder(file.config.library).write(_NAME, text.encode())
    try:
        remember(file.config)
    except ConfigError as error:
        _log.warning("%s; the library %r will have to be trusted when it is opened", error, file.config.library)


def _own_files(content: Mapping[str, Any], library: str) -> dict[str, Any]:
    """Settings with the absolute paths of the model files and label file that are stored in the library."""
    folder = _folder(library)
    if folder is None:
        return {}
    names = {"analyze": ("labels",), "encoder": () if "class" in content["configuration"]["encoder"] else _MODEL_FILES}
    own: dict[str, Any] = {}
    for section, settings in names.items():
        for name in settings:
            path = content["configuration"].get(section, {}).get(name)
            if path and _is_own(path, folder):
                own.setdefault(section, {})[name] = str(folder / path)
    return own


def _is_own(path: object, library: Path) -> bool:
    """Whether a path in a library's file leads to a file in the library.

    Raises:
        StoreError: The path is a link, or leads through one.
    """
    if not isinstance(path, str) or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        return False
    AtomicFolder(str(library)).check(path)
    return (library / path).is_file()


def _folder(library: str) -> Path | None:
    """The absolute folder of a library; None for a remote library."""
    return None if is_remote(library) else Path(local_path(library)).expanduser().absolute()


def _portable(config: RunConfig) -> dict[str, Any]:
    """The settings to save: without the library's own path and `execution`, and with absolute local paths.

    Model files and a label file inside the library are saved by relative paths, so that the library can be moved.
    """
    data = config.model_dump(mode="json", exclude={"library", "execution"})
    if data["library_private"] is None:
        # Older versions do not know this setting.
        del data["library_private"]
    if data["library_remember_questions"]:
        # Likewise.
        del data["library_remember_questions"]
    if config.analyze.labels is None:
        # Older versions do not know it.
        del data["analyze"]
    else:
        data["analyze"]["labels"] = _portable_path(config.analyze.labels, _folder(config.library))
    paths = [(data["index"], "uri")]
    if isinstance(config.encoder, Encoding):
        paths.append((data["encoder"], "cache_dir"))
        for name in _MODEL_FILES:
            path = data["encoder"][name]
            data["encoder"][name] = path and _portable_path(path, _folder(config.library))
    for settings, name in paths:
        if settings[name] is not None and "://" not in settings[name]:
            settings[name] = str(Path(settings[name]).expanduser().absolute())
    return data


def _portable_path(path: str, library: Path | None) -> str:
    """Make a path independent of the working directory: relative to the library if it lies inside, else absolute."""
    given = Path(path).expanduser()
    if library is not None and (library / given).is_file():
        if (library / given).is_relative_to(library) and ".." not in given.parts:
            AtomicFolder(str(library)).check(str((library / given).relative_to(library)))
        own = (library / given).resolve()
        return str(own.relative_to(library.resolve()) if own.is_relative_to(library.resolve()) else own)
    return str(given.resolve()) if given.is_file() else path


def config_of(
    location: str | Path | RunConfig | None, overrides: Iterable[str], *, saved: SavedConfig | None = None
) -> RunConfig:
    """Derive the configuration to open a library with: its own or a given one, with overrides and environment applied.

    Args:
        location: A library's folder or URL, or a configuration; None for the default one.
        overrides: Settings of the form `a.b=c` that override the configuration.
        saved: The saved configuration of the library at `location`, if the caller has it.

    Raises:
        ConfigError: A setting is wrong, or the library's file was written by another version.
        StoreError: The library's file cannot be read.
        UntrustedLibraryError: The library's own settings refer outside it, and the user neither gave nor trusts them.
            No class that they name was imported.
    """
    given = with_overrides({}, overrides := list(overrides))
    file = None
    if location is None or isinstance(location, RunConfig):
        config = check_classes(location or RunConfig())
    else:
        file = (saved or SavedConfig(str(location))).read()
        config = file.config if file is not None else RunConfig(library=str(location))
    effective = validate(RunConfig, merged(config.model_dump(mode="json"), given), "configuration")
    if file is not None:
        check_trusted(file.config, effective, given)
    # From here on, the user has given or trusted every class that is imported.
    return _with_server(with_plugins(effective))


def _with_server(config: RunConfig) -> RunConfig:
    """Use the Milvus server of the environment, unless the configuration names a place or the library has an index."""
    uri, folder = os.environ.get(_URI_VARIABLE), index_folder(config.library)
    if not uri or config.index.uri is not None or (folder is not None and folder.exists()):
        return config
    return config.model_copy(update={"index": config.index.model_copy(update={"uri": uri})})
