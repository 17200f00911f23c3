"""Scores of frames for all labels of a label set, in one matrix product.

A label has at most one vector of its prompts, one of its contrast prompts, and one for each example. With p the
calibrated log-odds (`pipeline.search.calibration`) of a frame for the prompts, c those for the contrast prompts, and
e1, e2, ... those for the examples, the log-odds that the frame shows the label are

    max(min(p, p - c), e1, e2, ...)

so the prompts must fit, and fit better than the contrast prompts do; or the frame looks like an example. "And" is the
least and "or" the greatest, as for fuzzy sets (Zadeh 1965, doi:10.1016/S0019-9958(65)90241-X). p - c is the difference
of the cosines times the model's scale, as in the softmax over the two that zero-shot classifiers use (Radford et al.
2021, arXiv:2103.00020), less the difference of the levels: one text may be nearer to all pictures than another.

Labels of a group exclude one another: their log-odds compete in a softmax, in which "none of these" has log-odds 0.
With z the log-odds of the members, those of member i become

    z_i - log(1 + sum of exp(z_j) over the other members)

and without the 1 where the group is `exhaustive`, as each frame then shows one of them.
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

__all__ = ["Evidence", "EvidenceKind", "LabelScorer"]

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]
EvidenceKind = Literal["prompts", "contrast", "example"]

_ROWS_AT_ONCE = 4096
"""Frames scored together: their scores for a hundred labels stay in a processor's cache, and memory is flat."""
_FORMAT = 1


@dataclass(frozen=True)
class Evidence:
    """One vector that speaks for or against a label, with its calibration.

    Attributes:
        label: Position of the label.
        kind: What the vector is of. An "example" is a picture, part of a video or concept that suffices by itself.
        vector: float32 (D,), of unit length.
        scale: Log-odds per unit of cosine.
        offset: Log-odds of a frame with cosine 0.

    Raises:
        ValueError: The vector is not float32 of unit length, or a number is not finite.
    """

    label: int
    kind: EvidenceKind
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
        names: Of the labels.
        evidence: Vectors of all labels. Each label has prompts or an example, and contrast only beside prompts.
        groups: For each group the positions of its labels, and whether each frame shows one of them.

    Raises:
        ValueError: A label has no evidence, several of one kind that it may have once, or is in several groups; or a
            position is out of range, or the vectors differ in length.
    """

    def __init__(
        self, names: Sequence[str], evidence: Sequence[Evidence], groups: Sequence[tuple[tuple[int, ...], bool]] = ()
    ) -> None:
        self._names = tuple(names)
        self._evidence = tuple(evidence)
        self._groups = tuple((tuple(members), bool(is_exhaustive)) for members, is_exhaustive in groups)
        _check(self._names, self._evidence, self._groups)
        dimension = len(self._evidence[0].vector)
        prompts = {one.label: one for one in evidence if one.kind == "prompts"}
        # A column a label, so that most label sets are scored by one product; a label without prompts never fits them.
        self._weights = np.zeros((dimension, len(names)), np.float32)
        self._offsets = np.full(len(names), -np.inf)
        for label, one in prompts.items():
            self._weights[:, label] = one.vector * np.float32(one.scale)
            self._offsets[label] = one.offset
        self._further = [one for one in evidence if one.kind != "prompts"]
        further = [one.vector * np.float32(one.scale) for one in self._further]
        self._further_weights = np.stack(further, axis=1) if further else np.empty((dimension, 0), np.float32)
        self._further_offsets = np.asarray([one.offset for one in self._further], np.float64)

    def __repr__(self) -> str:
        return f"LabelScorer({len(self._names)} labels, {len(self._evidence)} vectors of {len(self._weights)})"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the labels, in the order of the columns."""
        return self._names

    @property
    def dimension(self) -> int:
        """Length D of the vectors."""
        return len(self._weights)

    def log_odds(self, vectors: Vectors) -> Floats:
        """Log-odds that frames with these float32 (N, D) unit vectors show each label: float64 (N, L).

        Raises:
            ValueError: The vectors are of another length.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.dimension:
            raise ValueError(f"vectors of shape {vectors.shape}; the labels' vectors have {self.dimension} numbers")
        found = np.empty((len(vectors), len(self._names)))
        for first in range(0, len(vectors), _ROWS_AT_ONCE):
            part = slice(first, first + _ROWS_AT_ONCE)
            np.add(vectors[part] @ self._weights, self._offsets, out=found[part])
            self._combine(vectors[part], found[part])
        return found

    def _combine(self, vectors: Vectors, found: Floats) -> None:
        """Bring contrast prompts, examples and groups into the log-odds (N, L) of the prompts, in place."""
        if self._further:
            logits = vectors @ self._further_weights + self._further_offsets
        # Contrast comes before examples: an example suffices whatever the contrast prompts say.
        for kind in ("contrast", "example"):
            for number, one in enumerate(self._further):
                column = found[:, one.label]
                if one.kind == kind == "contrast":
                    column -= np.maximum(logits[:, number], 0)
                elif one.kind == kind:
                    np.maximum(column, logits[:, number], out=column)
        for members, is_exhaustive in self._groups:
            found[:, members] = _competing(found[:, members], is_exhaustive=is_exhaustive)

    def as_json(self) -> dict[str, Any]:
        """The whole scorer as JSON values; one that is read again scores later videos alike, to the bit."""
        evidence = [
            {
                "label": one.label,
                "kind": one.kind,
                "scale": one.scale,
                "offset": one.offset,
                "vector": base64.b64encode(one.vector.astype("<f4").tobytes()).decode(),
            }
            for one in self._evidence
        ]
        groups = [{"labels": list(members), "exhaustive": is_exhaustive} for members, is_exhaustive in self._groups]
        return {"format": _FORMAT, "names": list(self._names), "evidence": evidence, "groups": groups}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LabelScorer:
        """Rebuild a scorer from `as_json`.

        Args:
            data: Parsed JSON, which may come from elsewhere: everything is checked.

        Raises:
            ValueError: It is no scorer, or one of a later version.
        """
        if not isinstance(data, Mapping) or data.get("format") != _FORMAT:
            raise ValueError(f"expected a label scorer of format {_FORMAT}, got {shown(data)}")
        try:
            evidence = [_evidence_in(one) for one in data["evidence"]]
            groups = [(tuple(group["labels"]), group["exhaustive"]) for group in data["groups"]]
            names = data["names"]
            if not all(isinstance(name, str) for name in names):
                raise ValueError("a label's name is a text")
            return cls(names, evidence, groups)
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"not a label scorer: {type(error).__name__} {error}") from error


def _evidence_in(data: Mapping[str, Any]) -> Evidence:
    if data["kind"] not in get_args(EvidenceKind):
        raise ValueError(f"evidence of the kind {shown(data['kind'])}")
    vector = np.frombuffer(base64.b64decode(data["vector"], validate=True), "<f4").astype(np.float32)
    return Evidence(data["label"], data["kind"], vector, float(data["scale"]), float(data["offset"]))


def _check(
    names: tuple[str, ...], evidence: tuple[Evidence, ...], groups: tuple[tuple[tuple[int, ...], bool], ...]
) -> None:
    positions = [one.label for one in evidence] + [member for members, _ in groups for member in members]
    if not all(type(position) is int and 0 <= position < len(names) for position in positions):
        raise ValueError(f"a label's position is not one of {len(names)}: {shown(positions)}")
    if not names or len(set(names)) < len(names):
        raise ValueError(f"labels without names, or of one name: {shown(names)}")
    if len({len(one.vector) for one in evidence}) != 1:
        raise ValueError("the vectors differ in length, or there are none")
    of_kind = {kind: [one.label for one in evidence if one.kind == kind] for kind in get_args(EvidenceKind)}
    prompts, contrast = of_kind["prompts"], of_kind["contrast"]
    if len(set(prompts)) < len(prompts) or len(set(contrast)) < len(contrast) or not set(contrast) <= set(prompts):
        raise ValueError("a label has one vector of prompts at most, and at most one of contrast prompts beside it")
    if set(prompts) | set(of_kind["example"]) != set(range(len(names))):
        raise ValueError("a label has neither prompts nor an example")
    members = [member for group, _ in groups for member in group]
    if len(set(members)) < len(members) or any(len(group) < 2 for group, _ in groups):
        raise ValueError("a group has two labels or more, and a label is in one group at most")


def _competing(log_odds: Floats, *, is_exhaustive: bool) -> Floats:
    """Log-odds (N, M) of labels that exclude one another, by a softmax with "none of these" as a further member."""
    found = np.empty_like(log_odds)
    for member in range(log_odds.shape[1]):
        others = np.delete(log_odds, member, axis=1)
        if not is_exhaustive:
            others = np.concatenate([others, np.zeros((len(others), 1))], axis=1)
        found[:, member] = log_odds[:, member] - np.logaddexp.reduce(others, axis=1)
    return found
