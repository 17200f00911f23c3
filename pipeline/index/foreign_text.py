"""Text of others in an error message."""

from __future__ import annotations

import errno
import os

__all__ = ["no_space", "shown"]

_FULL = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))


def shown(text: object, most: int = 200) -> str:
    """What a value or an error says, on one line, without control characters, and not longer than `most`."""
    line = " ".join(str(text).split())[: most + 1]
    said = "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in line)
    return said if len(said) <= most else f"{said[: most - 3]}..."


def no_space(error: BaseException) -> str:
    """What to do where a full disk is the cause of an error, as far as its text says so; else empty.

    Every command that writes to an index goes on from what is there when it is run again.
    """
    for said in _FULL:
        if said in str(getattr(error, "message", "") or error):
            return (
                f"there is no space left for it ({said}); free some and run the same command again, which goes on from"
                " what is there: what was written before is kept"
            )
    return ""
