"""Pictures on a terminal of 24-bit colours: two pixels a character, by the upper half block."""

from __future__ import annotations

import os
import sys

import numpy as np
import numpy.typing as npt

__all__ = ["block_lines", "can_show_blocks"]

_HALF = "\u2580"
_RESET = "\x1b[0m"
_CHARACTER_RATIO = 2
"""A character is about twice as high as wide, so half of it is a square pixel."""


def can_show_blocks() -> bool:
    """Whether standard output is a terminal that says it has 24-bit colours."""
    return sys.stdout.isatty() and os.environ.get("COLORTERM", "").lower() in ("truecolor", "24bit")


def block_lines(picture: npt.NDArray[np.uint8], *, columns: int, rows: int) -> list[str]:
    """Draw a picture with half blocks.

    Args:
        picture: uint8 (H, W, 3) RGB.
        columns: Greatest width in characters.
        rows: Greatest height in characters.

    Returns:
        Lines with escape sequences for colours, which each reset at its end.
    """
    from PIL import Image

    image = Image.fromarray(picture)
    ratio = min(columns / image.width, rows * _CHARACTER_RATIO / image.height)
    width, half_rows = max(1, round(image.width * ratio)), max(1, round(image.height * ratio / _CHARACTER_RATIO))
    small = np.asarray(image.convert("RGB").resize((width, 2 * half_rows), Image.Resampling.BOX))
    return [_line(small[2 * row], small[2 * row + 1]) for row in range(half_rows)]


def _line(upper: npt.NDArray[np.uint8], lower: npt.NDArray[np.uint8]) -> str:
    cells = []
    for above, below in zip(upper.tolist(), lower.tolist(), strict=True):
        cells.append(f"\x1b[38;2;{above[0]};{above[1]};{above[2]}m\x1b[48;2;{below[0]};{below[1]};{below[2]}m{_HALF}")
    return f"{''.join(cells)}{_RESET}"
