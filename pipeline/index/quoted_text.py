"""Quoting of text from other programs in error messages."""

from __future__ import annotations

import errno
import os

__all__ = ["no_space", "shown"]

_FULL = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))


def shown(text: object, limit: int = 200) -> str:
    """Quote a value or an error on one line, without control characters, with at most `limit` characters."""
    line = " ".join(str(text).split())[: limit + 1]
    quoted = "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in line)
    return quoted if len(quoted) <= limit else f"{quoted[: limit - 3]}..."


def no_space(error: BaseException) -> str:
    """Describe the problem and its remedy if an error's text states that a disk is full; else empty.

    Every command that writes to an index can be run again and then continues.
    """
    for reason in _FULL:
        if reason in str(getattr(error, "message", "") or error):
            return (
                f"there is no space left on the device ({reason}); free some space and run the same command again: it"
                " continues, since everything written so far is kept"
            )
    return ""
