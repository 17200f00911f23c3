"""Decide which outside references of a library this user trusts: servers, files, variables and classes.

A library is data that people pass on. Its `library.yaml` may name a Milvus server, the variable that holds the server's
token, model files, network settings, and classes of other packages: a received library could send a secret to any host,
or run any module. Such settings are therefore used only if the user gave them (in a configuration, with `--set`, or in
an environment variable) or trusts them: either momentseek saved them for this user, or the user ran `momentseek trust
DIR`.

Trusted settings are stored in the user's configuration folder, one file for each set of settings, named after its
digest. A library may therefore be moved without losing trust, but if its settings change, it must be trusted again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.analyze.settings import lasting_name
from pipeline.bundled import PACKAGES_FOLDER
from pipeline.config_files import bundled_files, bundled_names
from pipeline.encode import EncoderSettings
from pipeline.encode.architecture import resolved
from pipeline.errors import ConfigError, UntrustedLibraryError
from pipeline.plugins import Plugin
from pipeline.run_config import RunConfig, load_run_config, plugins_of
from pipeline.uris import is_remote, local_path, public_name

__all__ = [
    "TrustedSettings",
    "check_trusted",
    "forget",
    "loose_mode",
    "outside_settings",
    "remember",
    "trust_folder",
    "trusted_settings",
]

_FORMAT = 1
_MODEL_FILES = ("checkpoint", "architecture")
# A file of this folder holds a few settings; a larger one was not written by momentseek.
_MAX_BYTES = 64 * 1024
_MAX_SHOWN_LENGTH = 120


@dataclass(frozen=True)
class TrustedSettings:
    """Outside references that this user trusts.

    Attributes:
        digest: SHA-256 of the settings, in hex.
        settings: The dotted names and values of the settings.
        library: The library for which they were first trusted.
        since: The time when they were first trusted, in ISO 8601.
    """

    digest: str
    settings: Mapping[str, Any]
    library: str
    since: str


def outside_settings(config: RunConfig) -> dict[str, Any]:
    """List the settings of a library that refer to something outside its folder, by dotted name.

    These are the place of the index, the variable of its token and its collection; model files and a cache that lie
    elsewhere; a label file, unless it comes with momentseek, or it and its examples are in the folder; classes of other
    packages with all their settings; and every setting of `fetching` that is not the default. Paths are absolute, with
    links resolved. Model files that come with momentseek are not listed. No class is imported.
    """
    folder = None if is_remote(config.library) else Path(local_path(config.library)).expanduser().resolve()
    found: dict[str, Any] = {}
    index, default = config.index, type(config.index)()
    if index.uri is not None and ("://" in index.uri or not _is_inside(_real(index.uri), folder)):
        found["index.uri"] = index.uri if "://" in index.uri else str(_real(index.uri))
    for name in ("token_variable", "collection"):
        if getattr(index, name) != getattr(default, name):
            found[f"index.{name}"] = getattr(index, name)
    found |= _outside_model(config.encoder, folder) | _plugins(config)
    labels = config.analyze.labels
    if labels is not None and not _is_harmless_label_file(labels, folder):
        found["analyze.labels"] = lasting_name(labels)
    for name, value in config.fetching.model_dump(mode="json").items():
        if value != type(config.fetching)().model_dump(mode="json")[name]:
            found[f"fetching.{name}"] = value
    return found


def _is_harmless_label_file(labels: str, folder: Path | None) -> bool:
    """Whether a label file comes with momentseek, or is in the library and names no example on another disk or host."""
    if labels.removesuffix(".yaml") in bundled_names("labels"):
        return True
    path = _real(labels)
    if folder is None or not path.is_relative_to(folder):
        return False
    from pipeline.analyze.labels.portable_label_file import is_self_contained

    return is_self_contained(folder, str(path.relative_to(folder)))


def _outside_model(encoder: EncoderSettings, folder: Path | None) -> dict[str, Any]:
    if isinstance(encoder, Plugin):
        return {}
    found: dict[str, Any] = {}
    for name in _MODEL_FILES:
        path = getattr(encoder, name)
        if path is not None and not _is_inside(_model_file(path), folder) and _model_file(path) not in _bundled_files():
            found[f"encoder.{name}"] = str(_model_file(path))
    cache = encoder.cache_dir
    if cache is not None and not _is_inside(_real(cache), folder):
        found["encoder.cache_dir"] = str(_real(cache))
    return found


def _plugins(config: RunConfig) -> dict[str, Any]:
    """List the classes of other packages with all their settings, since trust covers the settings of a class, too."""
    found: dict[str, Any] = {}
    for plugin in plugins_of(config):
        if plugin in (config.sampling, config.encoder):
            found[plugin.seam.setting] = plugin.reference
            found |= {f"{plugin.seam.section}.{name}": value for name, value in plugin.own_settings.items()}
        else:
            found["sampling.parts"] = config.sampling.model_dump(mode="json")["parts"]
    return found


def check_trusted(saved: RunConfig, effective: RunConfig, given: Mapping[str, Any]) -> None:
    """Refuse a library whose own settings refer outside it, unless the user gave or trusts them.

    Args:
        saved: The configuration in the library's file.
        effective: The configuration that is about to be used.
        given: The settings that the user gave, as nested mappings; they need no trust.

    Raises:
        UntrustedLibraryError: A setting is neither given nor trusted.
    """
    needed = {name: value for name, value in outside_settings(effective).items() if not _is_given(name, given)}
    if effective.index.backend == "memory":
        needed = {name: value for name, value in needed.items() if not name.startswith("index.")}
    if needed and not _is_trusted(outside_settings(saved)):
        raise UntrustedLibraryError(_refusal(saved.library, needed))


def remember(config: RunConfig) -> TrustedSettings | None:
    """Trust the outside references of a library from now on; None if it has none.

    Raises:
        ConfigError: The user's configuration folder cannot be written, or others may write to it.
    """
    settings = outside_settings(config)
    if not settings:
        return None
    if (problem := loose_mode()) is not None:
        raise ConfigError(f"the trusted settings cannot be saved: {problem}")
    known = _read(_digest(settings))
    if known is not None:
        return known
    since = datetime.now(UTC).isoformat(timespec="seconds")
    trust = TrustedSettings(_digest(settings), settings, public_name(_absolute(config.library)), since)
    content = {"format": _FORMAT, "library": trust.library, "since": since, "settings": settings}
    _write(trust.digest, json.dumps(content, indent=2, ensure_ascii=True).encode())
    return trust


def forget(trust: TrustedSettings) -> None:
    """Revoke the trust in these settings.

    Raises:
        ConfigError: The file cannot be removed.
    """
    try:
        (trust_folder() / f"{trust.digest}.json").unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{trust_folder()}: cannot be written ({error.strerror}); change its permissions") from error


def trusted_settings() -> Iterator[TrustedSettings]:
    """List all settings that this user trusts, oldest first."""
    folder = trust_folder()
    digests = [path.stem for path in folder.glob("*.json")] if folder.is_dir() else []
    found = [trust for trust in map(_read, digests) if trust is not None]
    yield from sorted(found, key=lambda trust: (trust.since, trust.digest))


def trust_folder() -> Path:
    """Return the folder of trusted settings: `momentseek/trusted` in XDG_CONFIG_HOME, by default `~/.config`."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    # The XDG Base Directory Specification ignores relative paths.
    return (Path(base) if base.startswith("/") else Path("~/.config").expanduser()) / "momentseek" / "trusted"


def loose_mode() -> str | None:
    """Why others can change the trusted settings, with the remedy; None if they cannot, or there are none yet."""
    for folder in (trust_folder(), trust_folder().parent):
        try:
            status = folder.stat()
        except OSError:
            continue
        if status.st_uid not in (os.geteuid(), 0):
            return f"{folder} belongs to uid {status.st_uid}; remove it, or set XDG_CONFIG_HOME to a folder of yours"
        if stat.S_IMODE(status.st_mode) & (stat.S_IWGRP | stat.S_IWOTH):
            return f"other users may write to {folder}; run: chmod 700 {folder}"
    return None


def _is_trusted(settings: Mapping[str, Any]) -> bool:
    return loose_mode() is None and _read(_digest(settings)) is not None


def _digest(settings: Mapping[str, Any]) -> str:
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _read(digest: str) -> TrustedSettings | None:
    """Read a set of trusted settings; None if there is no such file, or its content does not match its digest."""
    try:
        with (trust_folder() / f"{digest}.json").open("rb") as file:
            content = json.loads(file.read(_MAX_BYTES))
        trust = TrustedSettings(digest, content["settings"], str(content["library"]), str(content["since"]))
        return trust if _digest(trust.settings) == digest else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _write(digest: str, content: bytes) -> None:
    folder = trust_folder()
    try:
        # The mode given to `mkdir` does not apply to parent folders that it creates.
        folder.parent.parent.mkdir(parents=True, exist_ok=True)
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        partial = folder / f".{digest}.{os.getpid()}"
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        partial.replace(folder / f"{digest}.json")
    except OSError as error:
        raise ConfigError(
            f"the trusted settings cannot be saved in {str(folder)!r} ({error.strerror}); set XDG_CONFIG_HOME to a"
            " folder that you can write to"
        ) from error


def _is_given(name: str, given: Mapping[str, Any]) -> bool:
    value: Any = given
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return False
        value = value[part]
    return True


def _is_inside(path: Path, folder: Path | None) -> bool:
    return folder is not None and path.is_relative_to(folder)


def _real(path: str) -> Path:
    return Path(path).expanduser().resolve()


def _model_file(path: str) -> Path:
    return resolved(path).resolve()


@lru_cache(maxsize=1)
def _bundled_files() -> frozenset[Path]:
    """The model files of momentseek's own configurations."""
    found = set()
    for file in bundled_files():
        encoder = load_run_config(file).encoder
        # Their paths are relative to the installed packages, whatever the working directory.
        paths = () if isinstance(encoder, Plugin) else (encoder.checkpoint, encoder.architecture)
        found |= {(PACKAGES_FOLDER / path).resolve() for path in paths if path}
    return frozenset(found)


def _absolute(library: str) -> str:
    return library if is_remote(library) else str(Path(local_path(library)).expanduser().absolute())


def _refusal(library: str, needed: Mapping[str, Any]) -> str:
    shown = []
    for name, value in needed.items():
        text = public_name(value) if isinstance(value, str) else json.dumps(value)
        shown.append(f"{name} = {text if len(text) <= _MAX_SHOWN_LENGTH else text[:_MAX_SHOWN_LENGTH] + '...'}")
    pronoun = "it" if len(shown) == 1 else "them"
    return (
        f"the library {library!r} refers to {'; '.join(shown)}, which you have neither set nor trusted; if you know"
        f" {pronoun}, run: momentseek trust {shlex.quote(library)}"
    )
