"""Commands that messages tell the user to run, so that they work as printed."""

from __future__ import annotations

import os
import shlex

__all__ = ["command_for"]

_DEFAULT_LIBRARY = "momentseek-library"


def command_for(library: str, *words: str) -> str:
    """A command on a library, as a shell takes it: "momentseek index rebuild --library DIR".

    Args:
        library: The library's folder or URL; left out of the command if the command would use it anyway.
        words: The command and its arguments, without `momentseek`.
    """
    usual = os.environ.get("MOMENTSEEK_LIBRARY") or _DEFAULT_LIBRARY
    place = () if library == usual else ("--library", library)
    return shlex.join(("momentseek", *words, *place))
