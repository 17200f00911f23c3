"""What several commands ask for, and the library that it means."""

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
    help="The library's folder; else MOMENTSEEK_LIBRARY, else the configuration's.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, an object a line.")


def configured(command: F) -> F:
    """The options that say a configuration."""
    overrides = click.option(
        "--set", "overrides", metavar="NAME=VALUE", multiple=True, help="Override a setting, as sampling.fps=2."
    )
    config = click.option(
        "--config", "-c", metavar="NAME_OR_PATH", help="A YAML file, or the name of one that comes with momentseek."
    )
    return config(overrides(command))


def run_config(config: str | None, overrides: Sequence[str], library: str | None = None) -> RunConfig:
    """The configuration that the options say."""
    from pipeline.run_config import check_stages, load_run_config

    return check_stages(load_run_config(config, [*overrides, *_placed(library)]), config or "configuration")


def library_config(library: str | None, config: str | None, overrides: Sequence[str]) -> RunConfig:
    """The configuration that the options say: a library's own holds unless another one is named."""
    return _library_settings(library, config, overrides)[0]


def _library_settings(
    library: str | None, config: str | None, overrides: Sequence[str]
) -> tuple[RunConfig, SavedConfig | None]:
    """The configuration that the options say, and the library's saved one if it was read for that."""
    from pipeline.library.saved_config import SavedConfig, config_of
    from pipeline.run_config import RunConfig, check_stages

    if config is not None or library == "":
        return run_config(config, overrides, library), None
    place = library or RunConfig().library
    saved = SavedConfig(place)
    return check_stages(config_of(place, overrides, saved=saved), f"the library {place!r}"), saved


def open_library(library: str | None, config: str | None = None, overrides: Sequence[str] = ()) -> Library:
    """The library that the options say."""
    from pipeline.library import Library

    settings, saved = _library_settings(library, config, overrides)
    return Library.open(settings, saved=saved)


def library_for(library: str | None, config: str | None, overrides: Sequence[str], sources: Sequence[str]) -> Library:
    """The library that the options say, for sources that were typed: it may ask their hosts, private ones included."""
    from pipeline.io.named_hosts import with_named_hosts
    from pipeline.library import Library

    settings, saved = _library_settings(library, config, overrides)
    fetching = with_named_hosts(settings.fetching, sources)
    return Library.open(settings.model_copy(update={"fetching": fetching}), saved=saved)


def require_library(library: str | None, config: str | None = None, overrides: Sequence[str] = ()) -> Library:
    """The same, where it must be there already: asking must not leave an empty one behind.

    Raises:
        QueryError: There is none.
    """
    from pipeline.errors import QueryError

    opened = open_library(library, config, overrides)
    if opened.saved_config() is None:
        place = opened.config.library
        opened.close()
        raise QueryError(f"there is no library {place!r}; make one with: momentseek index VIDEOS --library {place}")
    return opened


def _placed(library: str | None) -> list[str]:
    # Overrides are YAML, of which JSON is a part: quotes keep a name like "1" or "yes" a name.
    return [] if library is None else [f"library={json.dumps(library)}"]
