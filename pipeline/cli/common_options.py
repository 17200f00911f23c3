"""Options that several commands share, and functions that open the library they select."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pipeline.library import Library
    from pipeline.library.saved_config import SavedConfig
    from pipeline.run_config import RunConfig

__all__ = [
    "as_json",
    "configured",
    "in_library",
    "library_config",
    "library_for",
    "open_library",
    "require_library",
    "run_config",
]

F = TypeVar("F", bound=Callable[..., Any])

in_library = click.option(
    "--library",
    "-l",
    metavar="DIR",
    envvar="MOMENTSEEK_LIBRARY",
    help="Folder of the library. Default: MOMENTSEEK_LIBRARY, or else the configuration's library.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")


def configured(command: F) -> F:
    """Add the options `--config` and `--set`."""
    overrides = click.option(
        "--set", "overrides", metavar="NAME=VALUE", multiple=True, help="Override a setting, e.g. sampling.fps=2."
    )
    config = click.option(
        "--config", "-c", metavar="NAME_OR_PATH", help="A YAML file, or the name of a built-in configuration."
    )
    return config(overrides(command))


def run_config(config: str | None, overrides: Sequence[str], library: str | None = None) -> RunConfig:
    """Load the configuration that the options select."""
    from pipeline.run_config import check_stages, load_run_config

    return check_stages(load_run_config(config, [*overrides, *_library_override(library)]), config or "configuration")


def library_config(library: str | None, config: str | None, overrides: Sequence[str]) -> RunConfig:
    """Load the configuration that the options select; without `--config`, the library's own."""
    return _library_settings(library, config, overrides)[0]


def _library_settings(
    library: str | None, config: str | None, overrides: Sequence[str]
) -> tuple[RunConfig, SavedConfig | None]:
    """Load the configuration that the options select, and return the library's saved one if that was read."""
    from pipeline.library.saved_config import SavedConfig, config_of
    from pipeline.run_config import RunConfig, check_stages

    if config is not None or library == "":
        return run_config(config, overrides, library), None
    folder = library or RunConfig().library
    saved = SavedConfig(folder)
    return check_stages(config_of(folder, overrides, saved=saved), f"the library {folder!r}"), saved


def open_library(library: str | None, config: str | None = None, overrides: Sequence[str] = ()) -> Library:
    """Open the library that the options select."""
    from pipeline.library import Library

    settings, saved = _library_settings(library, config, overrides)
    return Library.open(settings, saved=saved)


def library_for(library: str | None, config: str | None, overrides: Sequence[str], sources: Sequence[str]) -> Library:
    """Open the library to index sources that the user typed: their hosts may be contacted, private ones included."""
    from pipeline.io.named_hosts import with_named_hosts
    from pipeline.library import Library

    settings, saved = _library_settings(library, config, overrides)
    fetching = with_named_hosts(settings.fetching, sources)
    return Library.open(settings.model_copy(update={"fetching": fetching}), saved=saved)


def require_library(library: str | None, config: str | None = None, overrides: Sequence[str] = ()) -> Library:
    """Open an existing library, so that a search never creates an empty one.

    Raises:
        QueryError: The library does not exist.
    """
    from pipeline.errors import QueryError

    opened = open_library(library, config, overrides)
    if opened.saved_config() is None:
        folder = opened.config.library
        opened.close()
        raise QueryError(f"there is no library {folder!r}; make one with: momentseek index VIDEOS --library {folder}")
    return opened


def _library_override(library: str | None) -> list[str]:
    # Override values are parsed as YAML, a superset of JSON; the JSON quotes keep a name such as "1" or "yes" a string.
    return [] if library is None else [f"library={json.dumps(library)}"]
