"""Highlight metrics as QVHighlights defines them (Lei et al. 2021, arXiv:2107.09609), from saliency labels.

A video is cut into clips of two seconds; annotators gave each relevant clip a saliency from 0 (very bad) to 4 (very
good), all other clips have 0. With what is good enough (Fair: 2 or more, Good: 3, VeryGood: 4):

- HL-mAP: mean over queries and annotators of the average precision with which the predicted saliency ranks the clips;
  0 where no clip is good enough. Clips of equal prediction are one step of the ranking; precision at a recall is the
  greatest at that or any higher recall, and the mean is taken over the recalls that are reached.
- HL-Hit1: share of queries whose clip of greatest prediction, the first of equal ones, is good enough to any annotator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from pipeline.encode.protocol import OpenEncoder
from pipeline.evaluate.labels import CLIP_SECONDS, ClipSaliency
from pipeline.store.protocol import EmbeddingStore

__all__ = ["FrameSaliency", "Saliency", "highlight_scores"]

Floats = npt.NDArray[np.float64]
Saliency = Callable[[str, str, int], Sequence[float]]
"""Predicts the saliency of a video's first so many clips for a text: (text, video id, clips)."""

_LEAST = {"Fair": 2, "Good": 3, "VeryGood": 4}


class FrameSaliency:
    """Predicted saliency: a clip is as salient as its best frame, by the cosine of text and frame.

    One without a frame has that of the frame nearest to its middle.

    Args:
        encoder: The open encoder that made the frame embeddings.
        store: Where they are.
    """

    def __init__(self, encoder: OpenEncoder, store: EmbeddingStore) -> None:
        self._encoder = encoder
        self._store = store

    def __call__(self, text: str, video_id: str, clips: int) -> list[float]:
        """The predicted saliency of a video's clips, from its start.

        Raises:
            TextTooLongError: The text does not fit the model's context.
            StoreError: The video's frame embeddings are missing or broken.
        """
        frames = self._store.read(video_id)
        scores = frames.vectors @ self._encoder.encode_texts([text])[0]
        of_clip = np.floor(frames.times_seconds / CLIP_SECONDS).astype(np.int64)
        found = []
        for clip in range(clips):
            within = scores[of_clip == clip]
            nearest = np.abs(frames.times_seconds - (clip + 0.5) * CLIP_SECONDS).argmin()
            found.append(float(within.max() if len(within) else scores[nearest]))
        return found


def highlight_scores(predicted: Sequence[float], labels: ClipSaliency) -> dict[str, float]:
    """Score one query: "HL-min-Fair-mAP", "HL-min-Fair-Hit1" and so on, 0 to 1.

    Args:
        predicted: A saliency a clip, on any scale; clips beyond them count as 0, those beyond the labels not at all.
        labels: What annotators gave.
    """
    truth = labels.by_clip()
    scores = np.zeros(len(truth))
    scores[: len(predicted)] = predicted[: len(truth)]
    first = int(np.argmax(predicted)) if len(predicted) else len(truth)
    found = {}
    for name, least in _LEAST.items():
        is_good = truth >= least
        found[f"HL-min-{name}-mAP"] = float(np.mean([_ranking_precision(scores, of_one) for of_one in is_good.T]))
        found[f"HL-min-{name}-Hit1"] = float(first < len(truth) and bool(is_good[first].any()))
    return found


def _ranking_precision(scores: Floats, is_good: npt.NDArray[np.bool_]) -> float:
    """Interpolated average precision of a ranking of clips, equal scores taken together."""
    if is_good.all() or not is_good.any():
        return float(is_good.any())
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    right = np.cumsum(is_good[order])[ends]
    best_later = np.maximum.accumulate((right / (ends + 1))[::-1])[::-1]
    return float(best_later[np.diff(right, prepend=0) > 0].mean())
