"""A concept: a named linear probe with the marks it was fitted to and its quality."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.analyze.marks.mark import LONGEST_TEXT
from pipeline.parsing import shown
from pipeline.search.calibration import Calibration

__all__ = ["Concept", "check_name", "concept_from"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_LONGEST_VECTOR = 65_536
_NUMBERS = ("level", "scale", "log_odds", "base", "recall")
_TEXTS = ("name", "subject", "encoder_fingerprint", "marks_digest", "fitted_at")
_COUNTS = ("yes", "no")


@dataclass(frozen=True)
class Concept:
    """A linear probe on frame embeddings in the form of a calibrated text.

    Its log-odds are scale * (cosine with `vector` - level) - log_odds, so that a score of 0.5 means the same as for a
    text.

    Attributes:
        name: Name, of letters, digits, _ . and -.
        subject: The subject of its marks.
        text: The text from which fitting started; None if it started from the yes marks.
        vector: float32 (D,), of unit length.
        level: See `Calibration`.
        scale: See `Calibration`.
        log_odds: See `Calibration`.
        base: See `Calibration`.
        encoder_fingerprint: Fingerprint of the encoder of the embeddings.
        yes: Number of yes marks.
        no: Number of no marks.
        precision: Cross-validated precision, 0 to 1; None if no mark was classified as yes.
        recall: Cross-validated recall, 0 to 1.
        marks_digest: Identity of the marks and the text.
        fitted_at: Time of the fit, in UTC.
    """

    name: str
    subject: str
    text: str | None
    vector: npt.NDArray[np.float32]
    level: float
    scale: float
    log_odds: float
    base: float
    encoder_fingerprint: str
    yes: int
    no: int
    precision: float | None
    recall: float
    marks_digest: str
    fitted_at: str

    @property
    def calibration(self) -> Calibration:
        """Calibration of cosines with `vector`."""
        return Calibration(self.level, self.scale, self.log_odds, self.base)

    def as_json(self) -> dict[str, Any]:
        """Return its fields as JSON values."""
        return {**asdict(self), "vector": [float(number) for number in self.vector]}

    def __repr__(self) -> str:
        return f"Concept({self.name!r}, vector{self.vector.shape}, {self.yes} yes, {self.no} no)"


def check_name(name: str) -> str:
    """Check the name of a concept, which becomes a file name.

    Raises:
        ValueError: It is not a valid name.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{shown(name)} cannot be the name of a concept: use up to 64 letters, digits, _ . and -, as in"
            " 'hi-vis-vest'"
        )
    return name


def concept_from(fields: Mapping[str, Any]) -> Concept:
    """Read a concept from JSON values.

    Raises:
        ValueError: A field is missing, unknown, of the wrong type or out of range.
    """
    names = Concept.__dataclass_fields__.keys()
    if names != fields.keys():
        raise ValueError(f"its fields are {shown(sorted(fields))}, expected {', '.join(names)}")
    for name in _TEXTS:
        if not isinstance(fields[name], str) or len(fields[name]) > LONGEST_TEXT:
            raise ValueError(f"{name} cannot be {shown(fields[name])}")
    for name in _NUMBERS:
        _check_number(name, fields[name])
    for name in _COUNTS:
        if isinstance(fields[name], bool) or not isinstance(fields[name], int) or not 0 <= fields[name] < 2**53:
            raise ValueError(f"{name} cannot be {shown(fields[name])}")
    if fields["precision"] is not None:
        _check_number("precision", fields["precision"])
    if fields["text"] is not None and not isinstance(fields["text"], str):
        raise ValueError(f"text cannot be {shown(fields['text'])}")
    check_name(fields["name"])
    return Concept(**{**fields, "vector": _vector(fields["vector"])})


def _check_number(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} cannot be {shown(value)}")


def _vector(values: object) -> npt.NDArray[np.float32]:
    if not isinstance(values, list) or not 0 < len(values) <= _LONGEST_VECTOR:
        raise ValueError("vector is not a list of numbers")
    for value in values:
        _check_number("a number of the vector", value)
    vector = np.asarray(values, np.float64)
    if not abs(float(np.linalg.norm(vector)) - 1) < 1e-3:
        raise ValueError(f"vector is not of unit length but {np.linalg.norm(vector):.4g}")
    found = vector.astype(np.float32)
    found.setflags(write=False)
    return found
