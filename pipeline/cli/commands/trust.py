"""`momentseek trust`: trust the external references of a library received from somebody else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.common_options import as_json
from pipeline.cli.console.tables import print_json

if TYPE_CHECKING:
    from pipeline.run_config import RunConfig

__all__ = ["trust"]


@click.command()
@click.argument("library", metavar="[DIR]", required=False)
@click.option("--list", "lists", is_flag=True, help="List all settings that you trust.")
@click.option("--revoke", is_flag=True, help="Revoke the trust in this library's settings.")
@as_json
def trust(*, library: str | None, lists: bool, revoke: bool, as_json: bool) -> None:
    """Trust the outside references of a library's configuration.

    A library from somebody else may refer to a Milvus server, the environment variable that holds its token, model
    files, network settings, or samplers and encoders of other packages, which are programs: importing them runs them.
    momentseek uses such settings only if you set them yourself or trust them. This command prints the settings and
    trusts them, on this machine and for you alone; if they change, you have to trust the library again.

    Libraries that you index yourself need no such step.
    """
    if lists == (library is not None) or (lists and revoke):
        raise click.UsageError("give one library, or use --list")
    if library is None:
        _list(as_json=as_json)
    elif revoke:
        _revoke(library, as_json=as_json)
    else:
        _trust(library, as_json=as_json)


def _trust(library: str, *, as_json: bool) -> None:
    from pipeline.library.trust import remember
    from pipeline.render.text import printable

    trusted = remember(_configuration(library))
    settings = {} if trusted is None else trusted.settings
    if as_json:
        print_json({"library": library, "settings": settings})
        return
    _show(settings)
    if settings:
        click.echo(f"the library {printable(library)} is trusted with these settings", err=True)
    else:
        click.echo(f"the library {printable(library)} refers to nothing outside itself; it needs no trust", err=True)


def _revoke(library: str, *, as_json: bool) -> None:
    from pipeline.library.trust import forget, outside_settings, trusted_settings
    from pipeline.render.text import printable

    settings = outside_settings(_configuration(library))
    found = [trust for trust in trusted_settings() if trust.settings == settings]
    for trusted in found:
        forget(trusted)
    if as_json:
        print_json({"library": library, "revoked": bool(found)})
        return
    state = "is no longer trusted" if found else "was not trusted"
    click.echo(f"the library {printable(library)} {state}", err=True)


def _list(*, as_json: bool) -> None:
    from pipeline.library.trust import trusted_settings
    from pipeline.render.text import printable

    trusted = list(trusted_settings())
    for one in trusted:
        if as_json:
            print_json(asdict(one))
            continue
        click.echo(f"{printable(one.library)}, since {printable(one.since)}")
        _show(one.settings, indent="  ")
    if not trusted and not as_json:
        click.echo("you trust no library's settings", err=True)


def _show(settings: Mapping[str, Any], indent: str = "") -> None:
    from pipeline.render.text import printable
    from pipeline.uris import public_name

    for name, value in settings.items():
        text = public_name(value) if isinstance(value, str) else json.dumps(value)
        click.echo(f"{indent}{name} = {printable(text)}")


def _configuration(library: str) -> RunConfig:
    from pipeline.errors import QueryError
    from pipeline.library.saved_config import read_library_file

    saved = read_library_file(library)
    if saved is None:
        raise QueryError(f"there is no library {library!r}; give a folder that contains a library.yaml")
    return saved.config
