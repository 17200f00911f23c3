"""Protocol of frame scorers."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["FrameScorer"]


class FrameScorer(Protocol):
    """Scores frames for a phrase, a label or a concept.

    All scorers return log-odds that a frame shows the subject, so the same threshold applies to all of them.
    """

    def log_odds(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Compute float64 (N,) log-odds that frames with these float32 (N, D) unit vectors show the subject."""
