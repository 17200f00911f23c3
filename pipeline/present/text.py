"""Names as they can be shown."""

from __future__ import annotations

from pathlib import PurePosixPath

__all__ = ["file_name", "printable"]


def printable(text: str) -> str:
    r"""Text without what could break a line or command a terminal: such characters as escapes, "\\n" or "\\x1b".

    Bytes of a file name that are no UTF-8 are written as "\\udc80".
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def file_name(uri: str) -> str:
    """The last part of a path or URI, printable."""
    return printable(PurePosixPath(uri).name or uri)
