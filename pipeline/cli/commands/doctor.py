"""`momentseek doctor`: check whether everything that momentseek needs works on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from pipeline.cli.common_options import as_json, configured, in_library, library_config
from pipeline.cli.console.tables import print_json

__all__ = ["doctor"]

_COLOURS = {"ok": "green", "note": "yellow", "broken": "red"}


@click.command()
@configured
@in_library
@as_json
@click.pass_context
def doctor(
    ctx: click.Context, *, config: str | None, overrides: Sequence[str], library: str | None, as_json: bool
) -> None:
    """Check whether everything that momentseek needs works here, and print how to fix what does not.

    The exit code is 1 if something required is broken.
    """
    from pipeline.errors import UntrustedLibraryError
    from pipeline.library.doctor import examine
    from pipeline.render.text import printable
    from pipeline.run_config import RunConfig

    refused = None
    try:
        settings = library_config(library, config, overrides)
    except UntrustedLibraryError as error:
        settings, refused = RunConfig(library=library or RunConfig().library), error
    is_well = True
    for finding in examine(settings, refused):
        is_well = is_well and finding.state != "broken"
        if as_json:
            print_json(asdict(finding))
            continue
        click.echo(f"{click.style(f'{finding.state:<8}', fg=_COLOURS[finding.state])}{finding.what:<16}", nl=False)
        click.echo(printable(finding.said))
        if finding.remedy:
            click.echo(f"{'':<24}{printable(finding.remedy)}")
    ctx.exit(0 if is_well else 1)
