"""Highlight metrics as QVHighlights defines them (Lei et al. 2021, arXiv:2107.09609), from saliency labels.

A video is cut into clips of two seconds. Annotators rated each relevant clip with a saliency from 0 (very bad) to 4
(very good); all other clips have 0. A clip is relevant at one of three thresholds (Fair: 2 or more, Good: 3, VeryGood:
4):

- HL-mAP: mean over queries and annotators of the average precision of the ranking of clips by predicted saliency; 0 if
  no clip is relevant. Clips with equal predictions share one rank. Precision is interpolated: at each recall, it is the
  maximum precision at that or any higher recall. The mean is taken over the recalls that are reached.
- HL-Hit1: share of queries whose clip with the highest prediction (the first of ties) is relevant to any annotator.
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
"""Predicts the saliency of clips for a text. Arguments: text, video id, number of clips from the video's start."""

_LEAST = {"Fair": 2, "Good": 3, "VeryGood": 4}


class FrameSaliency:
    """Predicts the saliency of a clip as the highest cosine of the text and a frame of the clip.

    For a clip without a sampled frame, the frame nearest to its middle is used.

    Args:
        encoder: The encoder of the frame embeddings, opened.
        store: The store of the frame embeddings.
    """

    def __init__(self, encoder: OpenEncoder, store: EmbeddingStore) -> None:
        self._encoder = encoder
        self._store = store

    def __call__(self, text: str, video_id: str, clips: int) -> list[float]:
        """Predict the saliency of a video's clips, from its start.

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
    """Score one query. Returns "HL-min-Fair-mAP", "HL-min-Fair-Hit1" and so on, 0 to 1.

    Args:
        predicted: One saliency per clip, on any scale. Missing predictions count as 0, surplus ones are ignored.
        labels: The annotators' ratings.
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
    """Compute the interpolated average precision of a ranking of clips; equal scores share one rank."""
    if is_good.all() or not is_good.any():
        return float(is_good.any())
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    right = np.cumsum(is_good[order])[ends]
    best_later = np.maximum.accumulate((right / (ends + 1))[::-1])[::-1]
    return float(best_later[np.diff(right, prepend=0) > 0].mean())
