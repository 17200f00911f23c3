"""Scores of frames for all labels of a label set, in one matrix product.

Each label has one vector of its prompts, at most one of its contrast prompts, and one for each example. With a the
calibrated log-odds (`pipeline.search.calibration`) of a frame for the prompts, c those for the contrast prompts, and e
those for an example, the log-odds that the frame shows the label are

    max(min(a, a - c), e ...):   the prompts say so, and more than the contrast prompts do; or an example resembles it.

"And" is the least and "or" the greatest, as for fuzzy sets (Zadeh 1965, doi:10.1016/S0019-9958(65)90241-X). In a group
of labels that exclude one another, these log-odds compete in a softmax: with z those of the members, a member has

    z_i - log(1 + sum of exp(z_j) over the others),   or   z_i - log(sum of exp(z_j) over the others)

where "none of these" is an answer (its log-odds are 0) or not (`exhaustive`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = ["Evidence", "LabelScorer"]

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]

_ROWS_AT_ONCE = 4096
"""Frames scored together: their logits for a hundred labels stay in a processor's cache."""


@dataclass(frozen=True)
class Evidence:
    """One vector that speaks for or against a label, with its calibration.

    Attributes:
        label: Position of the label.
        kind: What the vector is of.
        vector: float32 (D,), of unit length.
        scale: Log-odds per unit of cosine.
        offset: Log-odds of a frame with cosine 0.
    """

    label: int
    kind: Literal["prompts", "contrast", "example"]
    vector: Vectors
    scale: float
    offset: float


class LabelScorer:
    """Scores frames for several labels at once; picklable.

    Args:
        names: Of the labels.
        evidence: Vectors of all labels; each label has prompts or an example.
        groups: For each group the positions of its labels, and whether each frame shows one of them.
    """

    def __init__(
        self, names: Sequence[str], evidence: Sequence[Evidence], groups: Sequence[tuple[tuple[int, ...], bool]] = ()
    ) -> None:
        self._names = tuple(names)
        self._evidence = tuple(evidence)
        self._groups = tuple(groups)
        self._weights = np.stack([one.vector * np.float32(one.scale) for one in evidence], axis=1)
        self._offsets = np.asarray([one.offset for one in evidence])
        self._rows = {kind: self._rows_of(kind) for kind in ("prompts", "contrast", "example")}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the labels, in the order of the columns."""
        return self._names

    def log_odds(self, vectors: Vectors) -> Floats:
        """Log-odds that frames with these float32 (N, D) unit vectors show each label: float64 (N, L)."""
        found = np.empty((len(vectors), len(self._names)))
        for first in range(0, len(vectors), _ROWS_AT_ONCE):
            part = slice(first, first + _ROWS_AT_ONCE)
            found[part] = self._log_odds((vectors[part] @ self._weights) + self._offsets)
        return found

    def _log_odds(self, logits: Floats) -> Floats:
        found = np.full((len(logits), len(self._names)), -np.inf)
        labels, columns = self._rows["prompts"]
        found[:, labels] = logits[:, columns]
        for label, column in zip(*self._rows["contrast"], strict=True):
            found[:, label] = np.minimum(found[:, label], found[:, label] - logits[:, column])
        for label, column in zip(*self._rows["example"], strict=True):
            found[:, label] = np.maximum(found[:, label], logits[:, column])
        for members, is_exhaustive in self._groups:
            found[:, members] = _competing(found[:, members], is_exhaustive=is_exhaustive)
        return found

    def _rows_of(self, kind: str) -> tuple[list[int], list[int]]:
        rows = [(one.label, row) for row, one in enumerate(self._evidence) if one.kind == kind]
        return [label for label, _ in rows], [row for _, row in rows]


def _competing(log_odds: Floats, *, is_exhaustive: bool) -> Floats:
    """Log-odds (N, M) of labels that exclude one another, by a softmax with "none of these" as a further member."""
    found = np.empty_like(log_odds)
    for member in range(log_odds.shape[1]):
        others = np.delete(log_odds, member, axis=1)
        if not is_exhaustive:
            others = np.concatenate([others, np.zeros((len(others), 1))], axis=1)
        found[:, member] = log_odds[:, member] - np.logaddexp.reduce(others, axis=1)
    return found
