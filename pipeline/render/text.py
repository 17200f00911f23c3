"""Formatting of names, counts, scores and times for display."""

from __future__ import annotations

import math
from pathlib import PurePosixPath

from pipeline.timecode import format_seconds

__all__ = ["counted", "file_name", "printable", "score_text", "time_text"]

_WORTH_SAYING = 0.5
"""Maximum uncertainty, in seconds, that is not shown: half the distance of frames at one per second."""


def printable(text: str) -> str:
    r"""Escape line breaks and control characters, for example as "\\n" or "\\x1b".

    Bytes of a file name that are not UTF-8 are written as "\\udc80".
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Format a count with its noun, for example "1 clip" or "2 clips".

    Args:
        count: The count.
        noun: Singular of the noun.
        plural: Plural of the noun; None to append an s.
    """
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"


def file_name(uri: str) -> str:
    """Return the last part of a path or URI, printable."""
    return printable(PurePosixPath(uri).name or uri)


def score_text(score: float) -> str:
    """Format a score from 0 to 1 as "0.97", rounded down, so that a displayed 0.50 reaches a threshold of 0.5."""
    # As a binary number, a score with two decimals may be slightly too low or too high.
    return f"{math.floor(round(score * 100, 6)) / 100:.2f}"


def time_text(seconds: float, uncertainty_seconds: float = 0.0) -> str:
    """Format a time as "1:15.500", or as "1:15.500 ±2.0" if it is uncertain by more than half a second."""
    shown = format_seconds(max(0.0, seconds))
    return f"{shown} ±{uncertainty_seconds:.1f}" if uncertainty_seconds > _WORTH_SAYING else shown
