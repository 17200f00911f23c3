"""Formats commands for messages, quoted so that they work as printed."""

from __future__ import annotations

import os
import shlex

__all__ = ["DEFAULT_LIBRARY", "command_for"]

DEFAULT_LIBRARY = "momentseek-library"
"""The library of commands that name none."""


def command_for(library: str, *words: str) -> str:
    """Format a command for a library, quoted for a shell: "momentseek index rebuild --library DIR".

    Args:
        library: The library's folder or URL; omitted from the command if it is the default.
        words: The command and its arguments, without `momentseek`.
    """
    default = os.environ.get("MOMENTSEEK_LIBRARY") or DEFAULT_LIBRARY
    option = () if library == default else ("--library", library)
    return shlex.join(("momentseek", *words, *option))
