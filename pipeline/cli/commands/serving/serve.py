"""`momentseek serve`: serve a library over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.common_options import configured, in_library, require_library

if TYPE_CHECKING:
    from pipeline.serve.http.access_tokens import Role

__all__ = ["serve"]


@click.command()
@configured
@in_library
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8737, show_default=True, help="Port to listen on.")
@click.option(
    "--host-name",
    "host_names",
    metavar="NAME",
    multiple=True,
    help="A further name by which browsers reach the server.",
)
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of the tokens that requests must carry. Without it, only an address other than loopback needs one.",
)
@click.option(
    "--allow-sources",
    "source_folders",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    multiple=True,
    help="Let clients with the role admin index videos of this folder. By default, clients cannot index anything.",
)
@click.option("--new-token", metavar="NAME", help="Make a token of this name, show it, and end.")
@click.option(
    "--role",
    type=click.Choice(["search", "review", "admin"]),
    default="search",
    show_default=True,
    help="What the new token allows.",
)
@click.option("--remove-token", metavar="NAME", help="Remove the token of this name, and end.")
@click.option(
    "--audit-log",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to which questions are logged. Default: one in ~/.local/state/momentseek/audit.",
)
@click.option("--no-audit", is_flag=True, help="Do not log questions.")
@click.option(
    "--certificate",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificate for TLS, with its chain (PEM).",
)
@click.option(
    "--private-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The certificate's key, if it is not in the same file.",
)
def serve(
    *,
    config: str | None,
    overrides: Sequence[str],
    library: str | None,
    host: str,
    port: int,
    host_names: Sequence[str],
    token_file: Path | None,
    source_folders: Sequence[Path],
    new_token: str | None,
    role: Role,
    remove_token: str | None,
    audit_log: Path | None,
    no_audit: bool,
    certificate: Path | None,
    private_key: Path | None,
) -> None:
    """Serve a library: a page for people, and an HTTP API for programs.

    By default, only this machine can reach the server, without a token. Any other address demands a token, which is
    made at the first start and shown once. Every question is logged, unless --no-audit is given or the library does not
    remember questions (library.remember_questions).

    \b
    momentseek serve --host 0.0.0.0 --certificate server.pem
    momentseek serve --new-token anna --role review
    momentseek serve --remove-token anna

    SIGINT (Ctrl-C) and SIGTERM end the server when the requests under way are answered; the exit code is 0.
    See docs/how-to/serve.md.
    """  # noqa: D301 - click expects the character itself, not a backslash and a b
    if private_key is not None and certificate is None:
        raise click.UsageError("--private-key belongs to a --certificate")
    from pipeline.serve import ServeSettings
    from pipeline.serve.server import audit_file, run_server, token_file_of, tokens_for

    opened = require_library(library, config, overrides)
    folder = opened.config.library
    if new_token is not None or remove_token is not None:
        opened.close()
        _change_tokens(token_file or token_file_of(folder), new_token, role, remove_token)
        return
    tokens = tokens_for(folder, host, token_file, tell=_tell)
    is_audited = not no_audit and (audit_log is not None or opened.config.library_remember_questions)
    settings = ServeSettings(
        host=host,
        port=port,
        host_names=tuple(host_names),
        tokens=tokens,
        audit_log=(audit_log or audit_file(folder)) if is_audited else None,
        certificate=certificate,
        private_key=private_key,
        source_folders=tuple(source_folders),
    )
    run_server(opened, settings, tell=_tell)


def _tell(line: str) -> None:
    click.echo(line, err=True)


def _change_tokens(path: Path, new: str | None, role: Role, removed: str | None) -> None:
    from pipeline.serve.http.access_tokens import AccessTokens

    tokens = AccessTokens(path)
    if removed is not None:
        tokens.remove(removed)
        _tell(f"The token of {removed} is removed; a running server refuses it from now on.")
    if new is not None:
        click.echo(tokens.add(new, role))
        _tell(f"This is the token of {new} ({role}); it is shown only now, and only its digest is kept, in {path}.")
