"""Score calibration: turn the cosine of a frame into the probability that it answers the question.

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

A model that was trained with a sigmoid (SigLIP, Zhai et al. 2023, arXiv:2303.15343) needs none of this. For each pair
of text and picture it learned whether they belong together, with a bias beside the scale, so

    log(p / (1 - p)) = k s + bias

is its own estimate, the same in every library. In the terms above, its level for every question is the cosine at which
the odds are one to `odds`. The base of its texts, of which more below, is bounded by that level and drawn towards it.

Pictures are compared with each other on another scale, which no training fixes: the same picture again has a cosine
near 1, and unrelated pictures of one model have 0.2 where those of another have 0.6. Both ends are known, though, and
the score is the same formula with `level` and `k` fitted to them:

- At the level are the pictures that resemble the question most without being the same. How near these come is
  estimated as Lowe's ratio test does (2004, doi:10.1023/B:VISI.0000029664.99615.94), which compares the distance of a
  match with that of features known to be of something else: with D the median distance (1 - cosine) between two frames
  of the sample, it is `_ALIKE` of D.
- The same picture has the log-odds log(odds), as far above 0.5 as the level is below: k = 2 log(odds) / (1 - level).
  So a score of 0.5 lies midway between the level and the picture itself.

A library of few videos does not tell D, since its frames may all be of one camera. So log D is drawn towards the
logarithm of `_USUAL_DISTANCE` as if that had been seen in `PRIOR_VIDEOS` more videos; and the level is `_MOST_ALIKE` at
most, since compressing a picture again moves it, too. Of several pictures the question is their mean. Their own cosines
with it average to its length before it was normalised, and that length takes the place of the 1.

A moment ends where its frames fall halfway to what does not show the thing (`pipeline.search.localization`). For a
text, the base that stands for "does not show it" is the `Searching.base_quantile` of its cosines with the sample,
bounded and drawn towards other texts as the level is; for pictures, it is their level. All this depends on the question
and on the collection alone: whichever videos are asked about, the ends of their moments are the same.
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
_PAIRS = 512
"""Frames of the sample that are compared with each other for their median distance."""
_ALIKE = 0.25
"""Chosen on the sample films of seed 611 and the committed ones, and on real footage: frames between the sampled ones,
and frames of the other sets, were asked for."""
_USUAL_DISTANCE = 0.6
"""Median distance between frames of unrelated videos: the demo model gives 0.6 on real footage, 0.8 on films."""
_MOST_ALIKE = 0.98
"""Halving a frame and saving it as JPEG moves it by 0.002 as a rule, and by 0.007 to 0.009 in a tenth of the cases."""


@dataclass(frozen=True)
class Calibration:
    """Calibration of one text or picture: maps cosines with it to log-odds.

    Attributes:
        level: Cosine of unrelated frames.
        scale: Log-odds per unit of cosine.
        log_odds: Of one picture against it at the level.
        base: Cosine of frames that do not show it, for the ends of moments; None for the level.
    """

    level: float
    scale: float
    log_odds: float
    base: float | None = None

    def __call__(self, cosines: npt.NDArray[np.floating]) -> Floats:
        """Log-odds float64 (N,) that frames show it, of their cosines (N,)."""
        return self.scale * (cosines.astype(np.float64) - self.level) - self.log_odds

    @property
    def base_log_odds(self) -> float:
        """Log-odds of frames that don't show it."""
        base = self.level if self.base is None else self.base
        return self.scale * (base - self.level) - self.log_odds


class Calibrator:
    """Calibrates texts and pictures against a sample of a library's frames and texts that hardly any shows.

    Args:
        sample: Frames of the library.
        encode_texts: Texts in, float32 (N, D) unit vectors out.
        texts: Texts that hardly any video shows.
        logit_scale: The model's.
        logit_bias: The model's, where it was trained with a sigmoid; None where with a softmax.
        odds: Pictures that a frame is compared with.
        base_quantile: Quantile of a text's cosines with the sample that counts as "does not show it".
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
        self._sample = sample
        self._encode_texts = encode_texts
        self._texts = tuple(texts)
        self._logit_scale = logit_scale
        self._logit_bias = logit_bias
        self._log_odds = math.log(odds)
        self._base_quantile = base_quantile

    def calibrate(
        self, vector: npt.NDArray[np.float32], *, is_picture: bool = False, mean_length: float = 1.0
    ) -> Calibration:
        """Calibrate cosines with a float32 (D,) unit vector of a text or of pictures.

        Args:
            vector: The embedding; of several pictures, their normalised mean.
            is_picture: Whether it is one of pictures.
            mean_length: Length of the pictures' mean before it was normalised; 1 for one picture.
        """
        if is_picture:
            level = mean_length * self._picture_level
            return Calibration(level, 2 * self._log_odds / (mean_length - level), self._log_odds)
        frames = self._sample.vectors
        if self._logit_bias is not None:
            level = -(self._logit_bias + self._log_odds) / self._logit_scale
            own = float(np.quantile(frames @ vector, self._base_quantile)) if len(frames) else level
            base = self._drawn(min(own, level), level)
            return Calibration(level, self._logit_scale, self._log_odds, min(base, level))
        if not len(frames):
            return Calibration(0.0, self._logit_scale, self._log_odds)
        cosines = frames @ vector
        level = self._shrunk(float(np.median(cosines)), self._text_levels)
        base = self._shrunk(float(np.quantile(cosines, self._base_quantile)), self._text_bases)
        return Calibration(level, self._logit_scale, self._log_odds, min(base, level))

    def _shrunk(self, own: float, others: Floats) -> float:
        """A text's level or base, bounded by and drawn towards those of other texts."""
        if not len(others):
            return own
        typical, spread = float(np.median(others)), float(others.std())
        return self._drawn(min(own, typical + spread), typical)

    def _drawn(self, own: float, typical: float) -> float:
        """Shrink a value of the sample towards the typical one, the more the fewer videos the sample is of."""
        weight = self._prior_weight
        return (1 - weight) * own + weight * typical

    @property
    def _prior_weight(self) -> float:
        """Weight of the prior beside the videos of the sample."""
        return PRIOR_VIDEOS / (len(self._sample.video_ids) + PRIOR_VIDEOS)

    @cached_property
    def _text_cosines(self) -> Floats:
        """Cosines of the texts with the frames of the sample: float64 (T, N)."""
        if not self._texts:
            return np.empty((0, len(self._sample.vectors)))
        return (self._encode_texts(self._texts) @ self._sample.vectors.T).astype(np.float64)

    @cached_property
    def _text_levels(self) -> Floats:
        """Median cosine of each text with the frames: float64 (T,)."""
        return np.asarray(np.median(self._text_cosines, axis=1), np.float64)

    @cached_property
    def _text_bases(self) -> Floats:
        """Base quantile of the cosines of each text: float64 (T,)."""
        return np.asarray(np.quantile(self._text_cosines, self._base_quantile, axis=1), np.float64)

    @cached_property
    def _picture_level(self) -> float:
        """The cosine at which another picture resembles a picture most without being the same."""
        distance = self._picture_distance
        if distance is None:
            distance = _USUAL_DISTANCE
        else:
            weight = self._prior_weight
            distance = _USUAL_DISTANCE**weight * distance ** (1 - weight)
        return min(1 - _ALIKE * distance, _MOST_ALIKE)

    @cached_property
    def _picture_distance(self) -> float | None:
        """Median distance (1 - cosine) of frames of the sample from each other; None where there is one at most."""
        frames = self._sample.vectors[:: max(1, len(self._sample.vectors) // _PAIRS)]
        if len(frames) < 2:
            return None
        cosines = (frames @ frames.T)[~np.eye(len(frames), dtype=np.bool_)].astype(np.float64)
        return max(0.0, 1 - float(np.median(cosines)))


def probability(log_odds: float) -> float:
    """Convert log-odds to a probability, 0 to 1."""
    # exp overflows only at a probability that is 0 to the last bit.
    return 1 / (1 + math.exp(-log_odds)) if log_odds > -700 else 0.0
