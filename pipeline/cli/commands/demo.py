"""`momentseek demo`: index the sample films and ask five questions."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from pipeline.cli.commands.index import index
from pipeline.cli.commands.serving.serve import serve
from pipeline.cli.console.json_log import say

__all__ = ["demo"]


@click.command()
@click.option(
    "--output",
    "-o",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("momentseek-demo"),
    show_default=True,
    help="Folder for the library and the pictures.",
)
@click.option("--in-process", is_flag=True, help="Index in this process, without Ray.")
@click.option("--no-serve", is_flag=True, help="End after the answers.")
@click.pass_context
def demo(ctx: click.Context, *, output: Path, in_process: bool, no_serve: bool) -> None:
    """Index the sample films, ask five questions, draw the answers, and serve the library.

    The twelve films, and a small model trained on them, come with momentseek; nothing is downloaded. Each answer is
    printed next to the correct one. Films that are already in the library are skipped. Then the library is served at an
    address that a browser can open, until Ctrl-C; not with --no-serve, without a terminal, or if CI is set.

    The exit code is 1 if a film failed or the folder cannot be written.
    """
    from pipeline.library import Library
    from sample_videos.demo import FILMS_FOLDER, show_answers

    library = output / "library"
    say("Indexing the sample films ..." if in_process else "Indexing the sample films through Ray ...")
    with _writing(output):
        output.mkdir(parents=True, exist_ok=True)
    _index(ctx, FILMS_FOLDER, library, in_process=in_process)
    with Library.open(library) as opened, _writing(output):
        show_answers(opened, output)
    click.echo(f"\nAsk your own:\n  {_program()} search --library {shlex.quote(str(library))} 'a dog in the snow'")
    if not no_serve and not os.environ.get("CI") and sys.stdin.isatty() and sys.stdout.isatty():
        _serve(ctx, library)


@contextmanager
def _writing(output: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise click.ClickException(
            f"the demo cannot write to {str(output)!r} ({error.strerror or error}); name another folder: --output DIR"
        ) from error


def _index(ctx: click.Context, films: Path, library: Path, *, in_process: bool) -> None:
    """Run `momentseek index` on the films; end this command with the same exit code if that is not 0."""
    from pipeline.errors import FingerprintMismatchError

    try:
        # Twelve short films are done sooner in this process, but the demo shows how batches run at scale.
        executor = "execution.executor=in_process" if in_process else "execution.executor=ray"
        ctx.invoke(index, paths=(str(films),), config="demo", library=str(library), overrides=(executor,))
    except click.exceptions.Exit as ended:
        if ended.exit_code:
            raise
    except FingerprintMismatchError as error:
        raise click.ClickException(
            f"{str(library)!r} was made with another model than that of this version's demo; remove"
            f" {str(library.parent)!r}, or name another folder: --output DIR"
        ) from error


def _serve(ctx: click.Context, library: Path) -> None:
    """Run `momentseek serve`, at any free port if the usual one is in use; say so if its packages are missing."""
    from pipeline.errors import ConfigError, MissingPackageError

    click.echo("\nOr ask on a page (momentseek demo --no-serve ends here):")
    try:
        try:
            ctx.invoke(serve, library=str(library), no_audit=True)
        except ConfigError:
            ctx.invoke(serve, library=str(library), no_audit=True, port=0)
    except MissingPackageError as error:
        click.echo(str(error), err=True)


def _program() -> str:
    """The command as the user can type it in this folder: its name if the shell finds it, else its path."""
    if shutil.which("momentseek") or not Path(sys.argv[0]).is_file():
        return "momentseek"
    here = Path(sys.argv[0])
    return shlex.quote(str(here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else here))
