"""What a score means: how far a picture stands out from pictures that have nothing to do with the question.

Cosines of CLIP cannot be compared between questions: one gives 0.2 to whatever it meets, another 0.1, and what answers
them is about as far above. But CLIP was trained to pick, for a text, the one picture of a batch that belongs to it by a
softmax over `logit_scale` times the cosines (Radford et al. 2021, arXiv:2103.00020), which a level that is common to
all pictures leaves as it is. So the same is asked here. To a frame with cosine s, beside so many pictures (`odds`, 1000
say) at the question's level, the softmax gives

    p = exp(k s) / (exp(k s) + odds exp(k level)),   so that   log(p / (1 - p)) = k (s - level) - log(odds),

and that p is the score. The level is the median cosine of the question with a sample of the library's own frames, since
of most questions most frames show nothing. Two things are known of it beside, from what things that hardly any video
shows (`Searching.background`) score on the same frames:

- Levels of questions differ so much and no more. One that is above theirs by more than their standard deviation is
  taken for that much: the question is about what most frames show, as "a person" at a gate, and not one that scores
  high on anything.
- A library of few videos may show little else than the question. So the level is drawn towards theirs as if they were
  `PRIOR_VIDEOS` more videos: shrinkage to the mean of a group (James and Stein 1961; Efron and Morris 1975,
  doi:10.2307/2285814).

Cosines of pictures with pictures are wider spread than those with texts, and were not trained to any scale. For these k
is such that the library's frames are as far apart, in its units, as those things are from them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pipeline.store import FrameSample

__all__ = ["PRIOR_VIDEOS", "Background", "Judge", "probability"]

Floats = npt.NDArray[np.float64]

PRIOR_VIDEOS = 3
_PAIRS = 512
"""Frames that are compared with each other for the spread of pictures' cosines."""


@dataclass(frozen=True)
class Judge:
    """What cosines with one thing mean.

    Attributes:
        level: Cosine of what has nothing to do with it.
        scale: Log-odds a cosine.
        log_odds: Of one picture against it at the level.
    """

    level: float
    scale: float
    log_odds: float

    def __call__(self, cosines: npt.NDArray[np.floating]) -> Floats:
        """Log-odds float64 (N,) that frames show it, of their cosines (N,)."""
        return self.scale * (cosines.astype(np.float64) - self.level) - self.log_odds


class Background:
    """A library's own frames, and things that they don't show.

    Args:
        sample: Frames of the library.
        encode_texts: Texts in, float32 (N, D) unit vectors out.
        texts: Things that hardly any video shows.
        logit_scale: The model's.
        odds: Pictures that a frame is compared with.
    """

    def __init__(
        self,
        sample: FrameSample,
        encode_texts: Callable[[Sequence[str]], npt.NDArray[np.float32]],
        *,
        texts: Sequence[str],
        logit_scale: float,
        odds: float,
    ) -> None:
        self._sample = sample
        self._encode_texts = encode_texts
        self._texts = tuple(texts)
        self._logit_scale = logit_scale
        self._log_odds = math.log(odds)

    def judge(self, vector: npt.NDArray[np.float32], *, is_picture: bool = False) -> Judge:
        """What cosines with a float32 (D,) unit vector mean; of a text, or of a picture."""
        frames = self._sample.vectors
        if not len(frames):
            return Judge(0.0, self._logit_scale, self._log_odds)
        median = float(np.median(frames @ vector))
        if is_picture:
            level = min(median, sum(_typical(self._picture_cosines)))
            return Judge(level, self._logit_scale * self._picture_scale, self._log_odds)
        if self._texts:
            typical, spread = _typical(self._text_cosines)
            weight = PRIOR_VIDEOS / (len(self._sample.video_ids) + PRIOR_VIDEOS)
            median = (1 - weight) * min(median, typical + spread) + weight * typical
        return Judge(median, self._logit_scale, self._log_odds)

    @cached_property
    def _text_cosines(self) -> Floats:
        """Of the things that hardly any video shows with the frames: float64 (T, N)."""
        return (self._encode_texts(self._texts) @ self._sample.vectors.T).astype(np.float64)

    @cached_property
    def _picture_cosines(self) -> Floats:
        """Of frames with each other, but not with themselves: float64 (M, M - 1)."""
        frames = self._sample.vectors[:: max(1, len(self._sample.vectors) // _PAIRS)]
        return (frames @ frames.T)[~np.eye(len(frames), dtype=np.bool_)].reshape(len(frames), -1).astype(np.float64)

    @cached_property
    def _picture_scale(self) -> float:
        """Spread of cosines with texts over that of cosines with pictures, around their medians; at most 1."""
        if not self._picture_cosines.size or not self._texts:
            return 1.0
        spread = _spread(self._picture_cosines)
        return min(1.0, _spread(self._text_cosines) / spread) if spread > 0 else 1.0


def _typical(cosines: Floats) -> tuple[float, float]:
    """The middle of the levels of several things, and their standard deviation; without any, all levels are typical."""
    if not cosines.size:
        return 0.0, math.inf
    levels = np.median(cosines, axis=1)
    return float(np.median(levels)), float(levels.std())


def probability(log_odds: float) -> float:
    """The probability of log-odds, 0 to 1."""
    # exp overflows only at a probability that is 0 to the last bit.
    return 1 / (1 + math.exp(-log_odds)) if log_odds > -700 else 0.0


def _spread(cosines: npt.NDArray[np.floating]) -> float:
    """Root mean square distance from each row's median."""
    return float(np.sqrt(np.mean((cosines - np.median(cosines, axis=1, keepdims=True)) ** 2)))
