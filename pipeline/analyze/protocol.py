"""Protocol of frame scorers."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["FrameScorer"]


class FrameScorer(Protocol):
    """Scores frames for one thing that they may show: a phrase, a label or a concept.

    The scores of all scorers mean the same, the log-odds that a frame shows the thing: one threshold serves them all.
    """

    def log_odds(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Log-odds that frames with these float32 (N, D) unit vectors show it: float64 (N,)."""
