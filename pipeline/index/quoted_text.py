"""Quoting of text from other programs in error messages."""

from __future__ import annotations

import errno
import os

__all__ = ["no_space", "shown"]

_FULL = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))


def shown(text: object, most: int = 200) -> str:
    """Quote a value or an error on one line, without control characters, at most `most` characters long."""
    line = " ".join(str(text).split())[: most + 1]
    said = "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in line)
    return said if len(said) <= most else f"{said[: most - 3]}..."


def no_space(error: BaseException) -> str:
    """Advice where an error's text says that a disk is full; else empty.

    Every command that writes to an index goes on from what is there when it is run again.
    """
    for said in _FULL:
        if said in str(getattr(error, "message", "") or error):
            return (
                f"there is no space left for it ({said}); free some and run the same command again, which goes on from"
                " what is there: what was written before is kept"
            )
    return ""
