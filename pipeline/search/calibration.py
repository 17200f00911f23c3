"""Score calibration: turn the cosine of a frame into the probability that it answers the question.

CLIP's cosines cannot be compared between questions: unrelated frames may have 0.2 with one question and 0.1 with
another, while the frames that answer are about equally far above. But CLIP was trained to pick the picture of a batch
that belongs to a text, by a softmax over `logit_scale` times the cosines (Radford et al. 2021, arXiv:2103.00020), and a
softmax does not change if the same number is added to all cosines. Calibration therefore asks the training question:
among `odds` pictures (1000, say) at the question's level, the softmax assigns to a frame with cosine s

    p = exp(k s) / (exp(k s) + odds exp(k level)),   so that   log(p / (1 - p)) = k (s - level) - log(odds),

and this p is the score. The level is the median cosine of the question with a sample of the library's frames, since
most frames are unrelated to most questions. The texts in `Searching.background` name things that hardly any video
shows; their cosines with the same frames correct the level in two ways:

- Levels of different questions vary only so much. A level that exceeds the median level of the background texts by more
  than their standard deviation is reduced to that bound: most frames show what the question asks for, as "a person" at
  a gate, and the high level is no property of the text.
- A small library may show little else than the subject of the question. So the level is shrunk towards that of the
  background texts, as if these were `PRIOR_VIDEOS` more videos: shrinkage to the mean of a group (James and Stein 1961;
  Efron and Morris 1975, doi:10.2307/2285814).

A model trained with a sigmoid (SigLIP, Zhai et al. 2023, arXiv:2303.15343) needs none of this. It learned for each pair
of text and picture whether they belong together, with a bias in addition to the scale, so

    log(p / (1 - p)) = k s + bias

is the model's own estimate, the same in every library. In the terms above, the level of every question is the cosine at
which the odds are one to `odds`. The base of its texts (see below) is bounded by that level and shrunk towards it.

Pictures are compared with pictures on another scale, which training does not determine: the same picture again has a
cosine near 1, while unrelated pictures have about 0.2 in one model and 0.6 in another. The score uses the same formula,
with `level` and `k` fitted to two known points:

- The level is the cosine of pictures that resemble the question most without being the same. It is estimated as in
  Lowe's ratio test (2004, doi:10.1023/B:VISI.0000029664.99615.94), which compares the distance of a match with that of
  features known to be unrelated: if D is the median distance (1 - cosine) between two frames of the sample, the
  distance of the level is `_LEVEL_DISTANCE_RATIO` times D.
- The same picture has log-odds of log(odds), as far above 0 as those of the level are below: k = 2 log(odds) / (1 -
  level). So a score of 0.5 lies midway between the level and the picture itself.

D cannot be estimated from a few videos, whose frames may all come from one camera. So log D is shrunk towards the
logarithm of `_PRIOR_DISTANCE`, as if this had been measured in `PRIOR_VIDEOS` more videos. The level is at most
`_MAX_PICTURE_LEVEL`, since compressing a picture again changes its embedding, too. If a question has several pictures,
it is represented by their mean. The pictures' own cosines with it average to the mean's length before normalisation,
which therefore replaces the 1 in the formula.

A moment ends where its scores have fallen halfway to the base, the score of frames that do not show the thing
(`pipeline.search.localization`). For a text, the base is the `Searching.base_quantile` of its cosines with the sample,
bounded and shrunk like the level; for pictures, it is their level. All this depends only on the question and the
collection, so the ends of moments do not depend on which videos are searched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pipeline.store import FrameSample

__all__ = ["PRIOR_VIDEOS", "Calibration", "Calibrator", "probability"]

Floats = npt.NDArray[np.float64]

PRIOR_VIDEOS = 3
_DISTANCE_FRAMES = 512
"""Frames of the sample that are compared pairwise for the median distance."""
_LEVEL_DISTANCE_RATIO = 0.25
"""Chosen on the sample films of seed 611 and the committed ones, and on real footage; the questions were frames between
the sampled ones, and frames of the other sets."""
_PRIOR_DISTANCE = 0.6
"""Median distance between frames of unrelated videos; measured with the demo model: 0.6 on real footage, 0.8 on the
sample films."""
_MAX_PICTURE_LEVEL = 0.98
"""Scaling a frame to half size and saving it as JPEG usually changes its cosine by 0.002, and by 0.007 to 0.009 in a
tenth of the cases."""


@dataclass(frozen=True)
class Calibration:
    """Calibration of one text or picture: maps cosines with it to log-odds.

    Attributes:
        level: Cosine of unrelated frames.
        scale: Log-odds per unit of cosine.
        log_odds: Log-odds against a frame at the level: its own log-odds are the negative of this.
        base: Cosine of frames that do not show the thing, for the ends of moments; None for the level.
    """

    level: float
    scale: float
    log_odds: float
    base: float | None = None

    def __call__(self, cosines: npt.NDArray[np.floating]) -> Floats:
        """Convert cosines (N,) of frames to float64 (N,) log-odds that they show the thing."""
        return self.scale * (cosines.astype(np.float64) - self.level) - self.log_odds

    @property
    def base_log_odds(self) -> float:
        """Log-odds of frames that do not show the thing."""
        base = self.level if self.base is None else self.base
        return self.scale * (base - self.level) - self.log_odds


class Calibrator:
    """Calibrates texts and pictures against a sample of the library's frames, and against background texts.

    Args:
        sample: Frames of the library.
        encode_texts: Embeds texts as float32 (N, D) unit vectors.
        texts: Background texts, which describe things that hardly any video shows.
        logit_scale: The model's logit scale.
        logit_bias: The model's logit bias if it was trained with a sigmoid; None for a softmax.
        odds: Number of unrelated pictures that a frame is compared with.
        base_quantile: Quantile of a text's cosines with the sample that counts as "does not show it".

    Attributes:
        sample: Frames of the library.
        log_odds: Logarithm of `odds`.
        base_quantile: As given.
    """

    def __init__(
        self,
        sample: FrameSample,
        encode_texts: Callable[[Sequence[str]], npt.NDArray[np.float32]],
        *,
        texts: Sequence[str],
        logit_scale: float,
        odds: float,
        base_quantile: float,
        logit_bias: float | None = None,
    ) -> None:
        self.sample = sample
        self._encode_texts = encode_texts
        self._texts = tuple(texts)
        self._logit_scale = logit_scale
        self._logit_bias = logit_bias
        self.log_odds = math.log(odds)
        self.base_quantile = base_quantile

    def calibrate(
        self, vector: npt.NDArray[np.float32], *, is_picture: bool = False, mean_length: float = 1.0
    ) -> Calibration:
        """Calibrate cosines with a float32 (D,) unit vector of a text or of pictures.

        Args:
            vector: The embedding, or the normalised mean of several pictures' embeddings.
            is_picture: Whether the vector is of pictures.
            mean_length: Length of the pictures' mean before normalisation; 1 for one picture.
        """
        if is_picture:
            level = mean_length * self._picture_level
            return Calibration(level, 2 * self.log_odds / (mean_length - level), self.log_odds)
        frames = self.sample.vectors
        if self._logit_bias is not None:
            level = -(self._logit_bias + self.log_odds) / self._logit_scale
            own = float(np.quantile(frames @ vector, self.base_quantile)) if len(frames) else level
            base = self._shrunk_to(min(own, level), level)
            return Calibration(level, self._logit_scale, self.log_odds, min(base, level))
        if not len(frames):
            return Calibration(0.0, self._logit_scale, self.log_odds)
        cosines = frames @ vector
        level = self._bounded_and_shrunk(float(np.median(cosines)), self._text_levels)
        base = self._bounded_and_shrunk(float(np.quantile(cosines, self.base_quantile)), self._text_bases)
        return Calibration(level, self._logit_scale, self.log_odds, min(base, level))

    def _bounded_and_shrunk(self, own: float, others: Floats) -> float:
        """Bound a text's level or base by those of the background texts, and shrink it towards them."""
        if not len(others):
            return own
        typical, spread = float(np.median(others)), float(others.std())
        return self._shrunk_to(min(own, typical + spread), typical)

    def _shrunk_to(self, own: float, typical: float) -> float:
        """Shrink a value measured on the sample towards a typical one; the fewer videos it has, the further."""
        weight = self._prior_weight
        return (1 - weight) * own + weight * typical

    @property
    def _prior_weight(self) -> float:
        """Weight of the prior relative to the videos of the sample, 0 to 1."""
        return PRIOR_VIDEOS / (len(self.sample.video_ids) + PRIOR_VIDEOS)

    @cached_property
    def _text_cosines(self) -> Floats:
        """Cosines of the background texts with the frames of the sample: float64 (T, N)."""
        if not self._texts:
            return np.empty((0, len(self.sample.vectors)))
        return (self._encode_texts(self._texts) @ self.sample.vectors.T).astype(np.float64)

    @cached_property
    def _text_levels(self) -> Floats:
        """Median cosine of each background text with the frames: float64 (T,)."""
        return np.asarray(np.median(self._text_cosines, axis=1), np.float64)

    @cached_property
    def _text_bases(self) -> Floats:
        """Base quantile of the cosines of each background text with the frames: float64 (T,)."""
        return np.asarray(np.quantile(self._text_cosines, self.base_quantile, axis=1), np.float64)

    @cached_property
    def _picture_level(self) -> float:
        """Cosine of a picture with the most similar one that is not the same."""
        distance = self._picture_distance
        if distance is None:
            distance = _PRIOR_DISTANCE
        else:
            weight = self._prior_weight
            distance = _PRIOR_DISTANCE**weight * distance ** (1 - weight)
        return min(1 - _LEVEL_DISTANCE_RATIO * distance, _MAX_PICTURE_LEVEL)

    @cached_property
    def _picture_distance(self) -> float | None:
        """Median distance (1 - cosine) between two frames of the sample; None if it has fewer than two."""
        frames = self.sample.vectors[:: max(1, len(self.sample.vectors) // _DISTANCE_FRAMES)]
        if len(frames) < 2:
            return None
        cosines = (frames @ frames.T)[~np.eye(len(frames), dtype=np.bool_)].astype(np.float64)
        return max(0.0, 1 - float(np.median(cosines)))


def probability(log_odds: float) -> float:
    """Convert log-odds to a probability, 0 to 1."""
    # math.exp would overflow, and the probability is 0 in float64 anyway.
    return 1 / (1 + math.exp(-log_odds)) if log_odds > -700 else 0.0
