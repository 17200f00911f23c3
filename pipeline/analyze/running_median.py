"""Smooths the scores of frames over time by a running median, which removes single frames and keeps edges in place."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["running_median"]

Floats = npt.NDArray[np.float64]

# Sampled times are rounded; a frame at the very edge of a window belongs to it.
_ROUNDING_SECONDS = 1e-6
_MOST_VALUES = 2**22


def running_median(scores: Floats, times_seconds: Floats, width_seconds: float) -> Floats:
    """Replace each score by the median of the scores around it.

    Args:
        scores: float64 (N,) scores of frames.
        times_seconds: float64 (N,) times of the frames, increasing; their distances may differ.
        width_seconds: Width of the window, which is centred on a frame and includes its edges; near the first and the
            last frame it holds fewer frames. 0 for no smoothing.

    Returns:
        float64 (N,). In a window with an even number of frames, its own score counts twice.
    """
    if width_seconds <= 0 or not len(scores):
        return scores
    reach = width_seconds / 2 + _ROUNDING_SECONDS
    firsts = np.searchsorted(times_seconds, times_seconds - reach, side="left")
    counts = np.searchsorted(times_seconds, times_seconds + reach, side="right") - firsts
    smoothed = np.empty_like(scores)
    # Windows of equal numbers of frames are computed at once: at a fixed rate these are nearly all.
    for count in np.unique(counts).tolist():
        rows = np.flatnonzero(counts == count)
        step = max(1, _MOST_VALUES // count)
        for begin in range(0, len(rows), step):
            part = rows[begin : begin + step]
            within = scores[firsts[part, None] + np.arange(count)]
            own = scores[part, None][:, : 1 - count % 2]
            smoothed[part] = np.median(np.concatenate([within, own], axis=1), axis=1)
    return smoothed
