"""`momentseek config`: show, check and describe configurations."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from pipeline.cli.common_options import configured, run_config

__all__ = ["config"]


@click.group()
def config() -> None:
    """Show, check or describe configurations."""


@config.command()
@click.argument("file", required=False, metavar="[NAME_OR_PATH]")
@configured
def show(*, file: str | None, config: str | None, overrides: Sequence[str]) -> None:
    """Print the whole configuration with every default, as YAML that can be used as a configuration file."""
    from pipeline.run_config import to_yaml

    click.echo(to_yaml(run_config(_one_of(file, config), overrides)), nl=False)


@config.command()
@click.argument("file", required=False, metavar="[NAME_OR_PATH]")
@configured
def check(*, file: str | None, config: str | None, overrides: Sequence[str]) -> None:
    """Check a configuration.

    This includes the names of the model and its weights, which open_clip must know, and samplers and encoders of
    other packages, which are imported. No video and none of the files that the configuration names is opened;
    `momentseek doctor` checks those.
    """
    from pipeline.encode import Encoding
    from pipeline.encode.architecture import check_model

    name = _one_of(file, config)
    encoder = run_config(name, overrides).encoder
    if isinstance(encoder, Encoding):
        check_model(encoder)
    click.echo(f"{name or 'the default configuration'}: valid", err=True)


def _one_of(file: str | None, config: str | None) -> str | None:
    if file is not None and config is not None:
        raise click.UsageError(f"give one configuration only: {file!r} or --config {config!r}")
    return config if file is None else file


@config.command()
def schema() -> None:
    """Print the JSON Schema of configuration files, for editors."""
    from pipeline.run_config import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
