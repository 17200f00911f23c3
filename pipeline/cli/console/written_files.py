"""Write pages and pictures that a command was asked for, and say where they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.console.tables import echo

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["write_page", "write_picture"]


def write_page(path: Path, html: str, what: str = "report") -> None:
    """Write an HTML page and report its path on standard error.

    Args:
        path: The file.
        html: The page.
        what: What it is, for the error.

    Raises:
        ClickException: It cannot be written.
    """
    try:
        path.write_text(html, encoding="utf-8")
    except OSError as error:
        raise _refusal(what, path, error) from error
    echo(f"wrote {path}", err=True)


def write_picture(path: Path, picture: Image.Image) -> None:
    """Write a picture as PNG and report its path on standard error.

    Raises:
        ClickException: It cannot be written.
    """
    try:
        picture.save(path, format="PNG")
    except OSError as error:
        raise _refusal("sheet", path, error) from error
    echo(f"wrote {path}", err=True)


def _refusal(what: str, path: Path, error: OSError) -> click.ClickException:
    return click.ClickException(f"the {what} cannot be written to {str(path)!r} ({error.strerror or error})")
