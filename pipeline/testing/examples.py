"""Number of random examples of a test, scaled by the environment variable MOMENTSEEK_EXAMPLES.

It is a percentage: 20 for a quick run, 1000 for a long one, 100 if unset.
"""

from __future__ import annotations

import os

__all__ = ["examples"]


def examples(usual: int) -> int:
    """Scale a number of examples by MOMENTSEEK_EXAMPLES, to at least 1."""
    return max(1, usual * int(os.environ.get("MOMENTSEEK_EXAMPLES", "100")) // 100)
