"""The result of a check of `momentseek doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding"]


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        what: The part that was checked.
        state: `ok`, `broken`, or `note` for something that does not affect the current configuration.
        said: What the check found.
        remedy: How to fix it; empty if nothing needs fixing.
    """

    what: str
    state: Literal["ok", "note", "broken"]
    said: str
    remedy: str = ""
