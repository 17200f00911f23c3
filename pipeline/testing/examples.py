"""Scales the number of examples that a test draws at random, by the environment variable MOMENTSEEK_EXAMPLES.

It is a percentage: 20 for a quick run, 1000 for a long one, 100 if unset.
"""

from __future__ import annotations

import os

__all__ = ["examples"]


def examples(usual: int) -> int:
    """Return the share of `usual` that MOMENTSEEK_EXAMPLES names, at least 1."""
    return max(1, usual * int(os.environ.get("MOMENTSEEK_EXAMPLES", "100")) // 100)
