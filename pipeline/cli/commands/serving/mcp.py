"""`momentseek mcp`: tools for agents over the Model Context Protocol."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from pipeline.cli.common_options import configured, in_library, require_library
from pipeline.cli.console.tables import echo

__all__ = ["mcp"]


@click.command()
@click.option("--http", "port", type=click.IntRange(0, 65535), metavar="PORT", help="Serve HTTP at this port.")
@click.option("--host", default="127.0.0.1", show_default=True, help="With --http: address to listen on.")
@click.option("--name", "names", multiple=True, help="With --http: a host name by which clients reach this machine.")
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --http: file of the token that clients send; created if missing. Needed unless --host is loopback.",
)
@click.option(
    "--clips",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for exported clips. Default: clips/ in the library.",
)
@configured
@in_library
def mcp(
    *,
    port: int | None,
    host: str,
    names: Sequence[str],
    token_file: Path | None,
    clips: Path | None,
    config: str | None,
    overrides: Sequence[str],
    library: str | None,
) -> None:
    """Offer a library to agents as eight tools, over the Model Context Protocol (MCP).

    \b
    momentseek mcp --library L                       on stdio: an agent starts this command itself
    momentseek mcp --library L --http 8766           at http://127.0.0.1:8766/mcp, for this machine only
    momentseek mcp --library L --http 8766 --host 0.0.0.0 --name videos.example --token-file mcp.token

    The model is loaded once. Needs: pip install 'momentseek[mcp]'. See docs/how-to/agents.md.
    """  # noqa: D301 - click expects the character itself, not a backslash and a b
    from pipeline.optional_packages import require

    require("momentseek mcp", "mcp")
    if port is None and (names or token_file is not None):
        raise click.UsageError("--name and --token-file are for --http PORT")
    from pipeline.serve.mcp.agent_library import AgentLibrary
    from pipeline.serve.mcp.tools import make_server

    with require_library(library, config, overrides) as opened:
        server = make_server(AgentLibrary(opened, clips))
        if port is None:
            server.run("stdio")
            return
        from pipeline.serve.listener import address_of, listening
        from pipeline.serve.mcp.http import MCP_PATH, http_app, read_token, serve_http

        token, is_new = (None, False) if token_file is None else read_token(token_file)
        app = http_app(server, host, names=names, token=token)
        if is_new:
            echo(f"token, shown once (kept in {token_file}): {token}", err=True)
        with listening(host, port, options="--host, --http") as listener:
            echo(f"serving at http://{address_of(listener, host)}{MCP_PATH}", err=True)
            serve_http(app, listener)
