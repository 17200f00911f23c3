"""Embeddings that lie as those of films do, and questions about them, for as many rows as are wanted.

All rows are in one cone (Liang et al. 2022, arXiv:2203.02053), around the centres of topics, the hundred rows of a
video near each other, and each row a step from the one before, a longer one at a cut. What they differ by has few
strong directions and many weak ones. A question lies in another cone, that of texts, says something of one row, and
much else; so, as with texts and pictures, its nearest rows are far from it, and nearest by little.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["DIMENSION", "ROWS_A_VIDEO", "MadeRows", "Vectors"]

Vectors = npt.NDArray[np.float32]

DIMENSION, ROWS_A_VIDEO = 512, 100
_TOPICS, _SEED = 300, 2026


class MadeRows:
    """So many rows; see the module's text. The same ones each time, and fewer are the first of more.

    Args:
        count: Rows, a multiple of a hundred.

    Attributes:
        rows: float32 (count, 512) of unit length, video after video.
    """

    def __init__(self, count: int) -> None:
        rng = np.random.default_rng(_SEED)
        strengths = np.arange(1, DIMENSION + 1, dtype=np.float32) ** -0.5
        turned = np.linalg.qr(rng.standard_normal((DIMENSION, DIMENSION)))[0].astype(np.float32)
        self._directions = turned * (strengths / np.linalg.norm(strengths))[:, None]
        self._picture_cone, other = _unit(rng.standard_normal((2, DIMENSION), np.float32))
        self._text_cone = _unit(0.2 * self._picture_cone + other)
        self._topics = self._differences(rng, _TOPICS)
        self.rows = np.empty((count, DIMENSION), np.float32)
        videos = self.rows.reshape(-1, ROWS_A_VIDEO, DIMENSION)
        for number, video in enumerate(videos):
            self._film(np.random.default_rng([_SEED, number]), video)

    def questions(self, count: int, among: int) -> Vectors:
        """float32 (count, 512) of unit length, about some of the first `among` rows."""
        rng = np.random.default_rng([_SEED, among])
        asked = self.rows[np.sort(rng.choice(among, count, replace=False))]
        said = _unit(asked - (asked @ self._picture_cone)[:, None] * self._picture_cone)
        strays, noise = self._differences(rng, count), _unit(rng.standard_normal(said.shape, np.float32))
        return _unit(0.77 * self._text_cone + 0.32 * said + 0.32 * strays + 0.45 * noise)

    def _differences(self, rng: np.random.Generator, count: int) -> Vectors:
        """float32 (count, 512), each of length 1 or so, most of it in few directions."""
        return rng.standard_normal((count, DIMENSION), np.float32) @ self._directions

    def _film(self, rng: np.random.Generator, video: Vectors) -> None:
        steps = self._differences(rng, ROWS_A_VIDEO + 1)
        kept = np.where(rng.random(ROWS_A_VIDEO) < 0.2, 0.3, 0.95).astype(np.float32)
        still = 0.71 * self._picture_cone + 0.45 * self._topics[rng.integers(_TOPICS)] + 0.39 * steps[-1]
        now = steps[0]
        for row in range(ROWS_A_VIDEO):
            now = kept[row] * now + np.sqrt(1 - kept[row] ** 2) * steps[row]
            video[row] = still + 0.39 * now
        video[:] = _unit(video)

    def geometry(self, questions: Vectors, among: int) -> dict[str, float]:
        """Cosines that say how the first `among` rows and the questions lie."""
        rows = self.rows[:among]
        rng = np.random.default_rng(_SEED)
        one, other = rows[rng.integers(among, size=(2, 2000))]
        first = rng.integers(among // ROWS_A_VIDEO, size=2000) * ROWS_A_VIDEO
        asked = np.concatenate([questions[part : part + 20] @ rows.T for part in range(0, len(questions), 20)])
        return {
            "neighbours": float((rows[first] * rows[first + 1]).sum(axis=1).mean()),
            "same_video": float((rows[first] * rows[first + ROWS_A_VIDEO // 2]).sum(axis=1).mean()),
            "any_two_rows": float((one * other).sum(axis=1).mean()),
            "question_and_nearest": float(asked.max(axis=1).mean()),
            "question_and_any": float(asked.mean()),
        }


def _unit(vectors: Vectors) -> Vectors:
    unit: Vectors = (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)
    return unit
