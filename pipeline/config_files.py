"""Reads YAML configuration files, the files that they extend, and those that come with momentseek."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from pipeline.bundled import bundled_configs_folder
from pipeline.config import LEAST_LIKENESS, merged
from pipeline.errors import ConfigError
from pipeline.parsing import MOST_YAML_BYTES, ParseError, parse_yaml, read_bytes, shown

__all__ = ["bundled_files", "bundled_names", "bundled_path", "load_mapping"]

# The bundled files extend one another once or twice.
_MAX_FILES = 20


def load_mapping(path: str | Path, folder: str = "") -> dict[str, Any]:
    """Read a YAML file and merge it over the files that it `extends`.

    `extends` names another file, relative to the file that contains it, or a bundled configuration, with or without
    ".yaml"; an existing file takes precedence. Mappings are merged key by key, except that a mapping with another
    `strategy` or `class` replaces the one that it extends. All other values are replaced.

    Args:
        path: A file, or the name of a configuration that comes with momentseek ("demo" or "demo.yaml").
        folder: Of the project's configs, where names are looked for.

    Raises:
        ConfigError: A file is missing, is not YAML, is not a mapping, or extends itself.
    """
    return _load(bundled_path(path, folder), (), folder)


def bundled_path(path: str | Path, folder: str = "") -> Path:
    """Resolve a path or a bare name to a file: an existing one, or a bundled configuration of that name.

    Args:
        path: A path, or a name as "demo" or "demo.yaml".
        folder: Subfolder of the bundled configurations in which names are looked for.
    """
    given = Path(path)
    if given.is_file():
        return given
    return _bundled(str(path), folder) or given


def _bundled(name: str, folder: str = "") -> Path | None:
    """Return the bundled configuration with this name; None if there is none."""
    return {file.stem: file for file in bundled_files(folder)}.get(name.removesuffix(".yaml"))


def bundled_names(folder: str = "") -> list[str]:
    """List the names of the bundled configurations."""
    return [path.stem for path in bundled_files(folder)]


def bundled_files(folder: str = "") -> list[Path]:
    """List the bundled configuration files, ordered by name.

    Args:
        folder: The subfolder of configs to list.
    """
    return sorted((bundled_configs_folder() / folder).glob("*.yaml"))


def _load(path: Path, seen: tuple[Path, ...], folder: str) -> dict[str, Any]:
    resolved = path.resolve()
    if resolved in seen:
        chain = " -> ".join(str(p) for p in (*seen, resolved))
        raise ConfigError(f"{path}: extends itself ({chain}); remove one of these `extends`")
    if len(seen) >= _MAX_FILES:
        raise ConfigError(f"{path}: more than {_MAX_FILES} files extend one another; merge some of them")
    try:
        data = parse_yaml(read_bytes(path, MOST_YAML_BYTES))
    except FileNotFoundError as error:
        names = bundled_names(folder)
        near = difflib.get_close_matches(path.name.removesuffix(".yaml"), names, n=1, cutoff=LEAST_LIKENESS)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(
            f"no configuration file {str(path)!r}; {hint}give a path, or one of: {', '.join(names)}"
        ) from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error
    except ParseError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from error
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected `name: value` lines at the top, got a {type(data).__name__}")
    below = data.pop("extends", None)
    if below is None:
        return data
    if not isinstance(below, str):
        raise ConfigError(f"{path}: extends: expected a file name, got {shown(below)}")
    beside = path.parent / below
    found = beside if beside.is_file() else _bundled(below, folder) or beside
    return merged(_load(found, (*seen, resolved), folder), data)
