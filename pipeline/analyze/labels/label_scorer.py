"""Scores of frames for all labels of a label set, in one matrix product.

A label has at most one vector of its prompts, one of its contrast prompts, and one for each example. With p the
calibrated log-odds (`pipeline.search.calibration`) of a frame for the prompts, c those for the contrast prompts, and
e1, e2, ... those for the examples, the log-odds that the frame shows the label are

    max(min(p, p - c), e1, e2, ...)

so a frame must match the prompts, and match them better than the contrast prompts; or it must resemble an example.
"And" is the minimum and "or" the maximum, as for fuzzy sets (Zadeh 1965, doi:10.1016/S0019-9958(65)90241-X). p - c is
the difference of the cosines times the model's scale, as in the softmax over the two that zero-shot classifiers use
(Radford et al. 2021, arXiv:2103.00020), minus the difference of the levels, since one text may be nearer to all
pictures than another.

The labels of a group are mutually exclusive: their log-odds compete in a softmax, in which "none of these" has log-odds
0. If z are the log-odds of the members, those of member i become

    z_i - log(1 + sum of exp(z_j) over the other members)

and without the 1 if the group is `exhaustive`, since each frame then shows one of them.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from pipeline.parsing import shown
from pipeline.store.checks import check_unit_length

__all__ = ["LabelScorer", "LabelVector", "VectorKind"]

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]
VectorKind = Literal["prompts", "contrast", "example"]

_ROWS_AT_ONCE = 4096
"""Number of frames scored together: their scores for a hundred labels fit into a processor's cache."""
_LEAST = np.finfo(np.float64).tiny
_FORMAT = 1


@dataclass(frozen=True)
class LabelVector:
    """A vector of a label's prompts, contrast prompts or one example, with its calibration.

    Attributes:
        label: Position of the label.
        kind: What was embedded. An "example" is a picture, part of a video or concept; one match is sufficient.
        vector: float32 (D,), of unit length.
        scale: Log-odds per unit of cosine.
        offset: Log-odds of a frame with cosine 0.

    Raises:
        ValueError: The vector is not float32 of unit length, or a number is not finite.
    """

    label: int
    kind: VectorKind
    vector: Vectors
    scale: float
    offset: float

    def __post_init__(self) -> None:
        if self.vector.ndim != 1 or self.vector.dtype != np.float32:
            raise ValueError(f"a vector of {self.vector.dtype}, shape {self.vector.shape}")
        check_unit_length(self.vector[None])
        if not (math.isfinite(self.scale) and math.isfinite(self.offset)):
            raise ValueError(f"scale {self.scale}, offset {self.offset}; both must be finite")


class LabelScorer:
    """Scores frames for several labels at once; picklable.

    Args:
        names: Names of the labels.
        vectors: The vectors of all labels. Each label has prompts or an example, and contrast only beside prompts.
        groups: For each group, the positions of its labels and whether each frame shows exactly one of them.

    Raises:
        ValueError: A label has no vector, or several of a kind that it may have only once, or is in several groups; or
            a position is out of range, or the vectors differ in length.
    """

    def __init__(
        self, names: Sequence[str], vectors: Sequence[LabelVector], groups: Sequence[tuple[tuple[int, ...], bool]] = ()
    ) -> None:
        self._names = tuple(names)
        self._vectors = tuple(vectors)
        self._groups = tuple((tuple(members), bool(is_exhaustive)) for members, is_exhaustive in groups)
        _check(self._names, self._vectors, self._groups)
        dimension = len(self._vectors[0].vector)
        prompts = {one.label: one for one in vectors if one.kind == "prompts"}
        # One column per label, then one per further vector, for a single product. A label without prompts never
        # matches them.
        weights = np.zeros((dimension, len(names)), np.float32)
        self._offsets = np.full(len(names), -np.inf)
        for label, one in prompts.items():
            weights[:, label] = one.vector * np.float32(one.scale)
            self._offsets[label] = one.offset
        self._further = [one for one in vectors if one.kind != "prompts"]
        further = [one.vector * np.float32(one.scale) for one in self._further]
        self._weights = np.concatenate([weights, *(each[:, None] for each in further)], axis=1)

    def __repr__(self) -> str:
        return f"LabelScorer({len(self._names)} labels, {len(self._vectors)} vectors of {len(self._weights)})"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the labels, in the order of the columns."""
        return self._names

    @property
    def vectors(self) -> tuple[LabelVector, ...]:
        """The vectors of all labels, as given."""
        return self._vectors

    def with_vectors(self, changed: Mapping[int, LabelVector]) -> LabelScorer:
        """Return a scorer with other vectors at some positions.

        Raises:
            ValueError: As for the constructor.
        """
        vectors = [changed.get(place, one) for place, one in enumerate(self._vectors)]
        return LabelScorer(self._names, vectors, self._groups)

    @property
    def dimension(self) -> int:
        """Length D of the vectors."""
        return len(self._weights)

    def log_odds(self, vectors: Vectors) -> Floats:
        """Compute float64 (N, L) log-odds that frames with these float32 (N, D) unit vectors show each label.

        Raises:
            ValueError: The vectors have another length.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.dimension:
            raise ValueError(f"vectors of shape {vectors.shape}; the labels' vectors have {self.dimension} numbers")
        # The scores of a label are contiguous because they are processed label by label.
        found = np.empty((len(self._names), len(vectors)))
        for first in range(0, len(vectors), _ROWS_AT_ONCE):
            part = slice(first, first + _ROWS_AT_ONCE)
            # This order is faster than the product of the transposed matrices.
            logits = (vectors[part] @ self._weights).T
            np.add(logits[: len(found)], self._offsets[:, None], out=found[:, part])
            self._combine(logits[len(found) :], found[:, part])
        return found.T

    def _combine(self, logits: Vectors, found: Floats) -> None:
        """Apply contrast prompts, examples and groups to the log-odds (L, N) of the prompts, in place.

        Args:
            logits: float32 (F, N), logits of the vectors of examples and contrast prompts, without their offsets.
            found: float64 (L, N) log-odds, changed in place.
        """
        # Contrast comes before examples, because an example is sufficient regardless of the contrast prompts.
        for kind in ("contrast", "example"):
            for number, one in enumerate(self._further):
                row = found[one.label]
                if one.kind == kind == "contrast":
                    row -= np.maximum(logits[number] + one.offset, 0)
                elif one.kind == kind:
                    np.maximum(row, logits[number] + one.offset, out=row)
        for members, is_exhaustive in self._groups:
            found[list(members)] = _competing(found[list(members)], is_exhaustive=is_exhaustive)

    def as_json(self) -> dict[str, Any]:
        """Return the scorer as JSON values, from which `from_json` rebuilds one with bit-equal scores."""
        vectors = [
            {
                "label": one.label,
                "kind": one.kind,
                "scale": one.scale,
                "offset": one.offset,
                "vector": base64.b64encode(one.vector.astype("<f4").tobytes()).decode(),
            }
            for one in self._vectors
        ]
        groups = [{"labels": list(members), "exhaustive": is_exhaustive} for members, is_exhaustive in self._groups]
        return {"format": _FORMAT, "names": list(self._names), "evidence": vectors, "groups": groups}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LabelScorer:
        """Rebuild a scorer from `as_json`.

        Args:
            data: Parsed JSON. It may be untrusted: everything is checked.

        Raises:
            ValueError: It is not a scorer, or one of a later version.
        """
        if not isinstance(data, Mapping) or data.get("format") != _FORMAT:
            raise ValueError(f"expected a label scorer of format {_FORMAT}, got {shown(data)}")
        try:
            vectors = [_vector_in(one) for one in data["evidence"]]
            groups = [(tuple(group["labels"]), group["exhaustive"]) for group in data["groups"]]
            names = data["names"]
            if not all(isinstance(name, str) for name in names):
                raise ValueError("a label's name is a text")
            return cls(names, vectors, groups)
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"not a label scorer: {type(error).__name__} {error}") from error


def _vector_in(data: Mapping[str, Any]) -> LabelVector:
    if data["kind"] not in get_args(VectorKind):
        raise ValueError(f"a vector of the kind {shown(data['kind'])}")
    vector = np.frombuffer(base64.b64decode(data["vector"], validate=True), "<f4").astype(np.float32)
    return LabelVector(data["label"], data["kind"], vector, float(data["scale"]), float(data["offset"]))


def _check(
    names: tuple[str, ...], vectors: tuple[LabelVector, ...], groups: tuple[tuple[tuple[int, ...], bool], ...]
) -> None:
    positions = [one.label for one in vectors] + [member for members, _ in groups for member in members]
    if not all(type(position) is int and 0 <= position < len(names) for position in positions):
        raise ValueError(f"a label's position is not one of {len(names)}: {shown(positions)}")
    if not names or len(set(names)) < len(names):
        raise ValueError(f"labels without names, or with equal names: {shown(names)}")
    if len({len(one.vector) for one in vectors}) != 1:
        raise ValueError("the vectors differ in length, or there are none")
    of_kind = {kind: [one.label for one in vectors if one.kind == kind] for kind in get_args(VectorKind)}
    prompts, contrast = of_kind["prompts"], of_kind["contrast"]
    if len(set(prompts)) < len(prompts) or len(set(contrast)) < len(contrast) or not set(contrast) <= set(prompts):
        raise ValueError("a label has one vector of prompts at most, and at most one of contrast prompts beside it")
    if set(prompts) | set(of_kind["example"]) != set(range(len(names))):
        raise ValueError("a label has neither prompts nor an example")
    members = [member for group, _ in groups for member in group]
    if len(set(members)) < len(members) or any(len(group) < 2 for group, _ in groups):
        raise ValueError("a group has two labels or more, and a label is in one group at most")


def _competing(log_odds: Floats, *, is_exhaustive: bool) -> Floats:
    """Compute log-odds (M, N) of mutually exclusive labels by a softmax with "none of these" as another member."""
    none = np.full((1, log_odds.shape[1]), -np.inf if is_exhaustive else 0.0)
    members = np.concatenate([log_odds, none])
    members -= members.max(axis=0)
    odds = np.exp(members)
    # The sums of the members before and after each. Subtracting from the total would lose small members.
    others = np.zeros_like(odds)
    others[1:] = np.cumsum(odds[:-1], axis=0)
    others[:-1] += np.cumsum(odds[:0:-1], axis=0)[::-1]
    return np.asarray((members - np.log(np.maximum(others, _LEAST)))[:-1])
