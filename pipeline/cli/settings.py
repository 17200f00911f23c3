"""`momentseek config`."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from pipeline.cli.options import configured, run_config

__all__ = ["config"]


@click.group()
def config() -> None:
    """Show, check or describe configurations."""


@config.command()
@configured
def show(*, config: str | None, overrides: Sequence[str]) -> None:
    """Print the whole configuration with every default, as YAML that can be used again."""
    from pipeline.run_config import to_yaml

    click.echo(to_yaml(run_config(config, overrides)), nl=False)


@config.command()
@configured
def check(*, config: str | None, overrides: Sequence[str]) -> None:
    """Say whether a configuration is right, or what is wrong in it; no video is touched."""
    run_config(config, overrides)
    click.echo(f"{config or 'the default configuration'}: right", err=True)


@config.command()
def schema() -> None:
    """Print the JSON Schema of configuration files, for editors."""
    from pipeline.run_config import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
