"""Selects the greatest values without sorting all of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["greatest"]


def greatest(values: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.int64]:
    """Return the indices of the `count` greatest values, float64 (N,): greatest first, equal ones in order."""
    if len(values) > count:
        rows = np.flatnonzero(values >= np.partition(values, -count)[-count])
    else:
        rows = np.arange(len(values))
    return rows[np.argsort(-values[rows], kind="stable")][:count]
