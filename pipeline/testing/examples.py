"""How many examples a test draws at random: as many as it says, or a share of them that the environment names.

MOMENTSEEK_EXAMPLES is a percentage: 20 for a quick look (`make unit`), 1000 for a long one.
"""

from __future__ import annotations

import os

__all__ = ["examples"]


def examples(usual: int) -> int:
    """So many of the usual number as MOMENTSEEK_EXAMPLES says, at least one."""
    return max(1, usual * int(os.environ.get("MOMENTSEEK_EXAMPLES", "100")) // 100)
