"""Scoring of the phrases, labels and concepts of a policy."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.analyze.labels.label_scorer import LabelScorer
from pipeline.analyze.policies.condition import Condition
from pipeline.search.calibration import Calibration

__all__ = ["CalibratedPart", "PartScorer"]

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]

_LABEL = "label:"


@dataclass(frozen=True)
class CalibratedPart:
    """A phrase or a concept, embedded and calibrated.

    Attributes:
        vector: float32 (D,), of unit length.
        calibration: Maps cosines with the vector to log-odds.
    """

    vector: Vectors
    calibration: Calibration


@dataclass(frozen=True)
class PartScorer:
    """Scores all parts of a policy's conditions at once.

    Attributes:
        parts: Phrases and concepts by name.
        labels: The scorer of the policy's label file; None if it names no label.
        unknown_words: The words that the model does not know in parts that cannot be scored, by the name of the part.
    """

    parts: Mapping[str, CalibratedPart]
    labels: LabelScorer | None = None
    unknown_words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def log_odds(self, conditions: Sequence[Condition], vectors: Vectors) -> dict[str, Floats]:
        """Score frames.

        Args:
            conditions: The parts to score: phrases, labels and concepts.
            vectors: float32 (N, D) unit vectors of the frames.

        Returns:
            By the name of each part, float64 (N,) log-odds that the frames show it.
        """
        found = {}
        wanted = [condition.name for condition in conditions]
        of_labels = None
        if self.labels is not None and any(name.startswith(_LABEL) for name in wanted):
            of_labels = self.labels.log_odds(vectors)
        for condition in conditions:
            name = condition.name
            if condition.label is not None and self.labels is not None and of_labels is not None:
                column = self.labels.names.index(condition.label)
                found[name] = np.asarray(of_labels[:, column], np.float64)
            else:
                part = self.parts[name]
                found[name] = part.calibration(vectors @ part.vector)
        return found

    def lacks(self, conditions: Sequence[Condition]) -> list[str]:
        """Return the names of the parts that cannot be scored."""
        labels = () if self.labels is None else self.labels.names
        return [
            condition.name
            for condition in conditions
            if (condition.label not in labels if condition.label is not None else condition.name not in self.parts)
        ]

    def as_json(self) -> dict[str, Any]:
        """Convert to JSON values, from which `from_json` makes a scorer with equal scores."""
        parts = {
            name: {"vector": _packed(part.vector), **asdict(part.calibration)} for name, part in self.parts.items()
        }
        return {
            "parts": parts,
            "labels": None if self.labels is None else self.labels.as_json(),
            "unknown_words": {name: list(words) for name, words in self.unknown_words.items()},
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> PartScorer:
        """Make a scorer from the result of `as_json`.

        Raises:
            ValueError: A value is missing or has the wrong type.
        """
        try:
            parts = {str(name): _part(part) for name, part in fields["parts"].items()}
            words = {str(name): tuple(map(str, each)) for name, each in fields["unknown_words"].items()}
            labels = None if fields["labels"] is None else LabelScorer.from_json(fields["labels"])
        except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
            raise ValueError(f"the scores of its parts cannot be read ({error!r})") from error
        return cls(parts, labels, words)


def _packed(vector: Vectors) -> str:
    return base64.b64encode(np.ascontiguousarray(vector, "<f4").tobytes()).decode()


def _part(fields: Mapping[str, Any]) -> CalibratedPart:
    try:
        vector = np.frombuffer(base64.b64decode(fields["vector"], validate=True), "<f4").astype(np.float32)
    except binascii.Error as error:
        raise ValueError(f"a vector is not base64 ({error})") from error
    numbers = {name: fields[name] for name in ("level", "scale", "log_odds", "base")}
    if not all(isinstance(value, int | float) or (name == "base" and value is None) for name, value in numbers.items()):
        raise ValueError("a calibration is not of numbers")
    if not np.isfinite(vector).all():
        raise ValueError("a vector has numbers that are not finite")
    return CalibratedPart(vector, Calibration(**numbers))
