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
    """Say whether a configuration is right, or what is wrong in it.

    That includes the names of the model and its weights, for which open_clip is asked (some seconds), and samplers and
    encoders of other packages, which are imported. No video is
    touched, and no file that is named: what is there and what is not, `momentseek doctor` says.
    """
    from pipeline.encode import Encoding
    from pipeline.encode.architecture import check_model

    encoder = run_config(config, overrides).encoder
    if isinstance(encoder, Encoding):
        check_model(encoder)
    click.echo(f"{config or 'the default configuration'}: right", err=True)


@config.command()
def schema() -> None:
    """Print the JSON Schema of configuration files, for editors."""
    from pipeline.run_config import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
