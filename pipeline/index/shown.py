"""Text of others in an error message."""

from __future__ import annotations

__all__ = ["shown"]


def shown(text: object, most: int = 200) -> str:
    """What a value or an error says, on one line, without control characters, and not longer than `most`."""
    line = " ".join(str(text).split())[: most + 1]
    said = "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in line)
    return said if len(said) <= most else f"{said[: most - 3]}..."
