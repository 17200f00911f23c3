"""Conditions of policies: phrases, labels and concepts, combined by all, any and not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from pipeline.config import Settings

__all__ = ["Condition", "condition_log_odds"]

Floats = npt.NDArray[np.float64]

_KINDS = ("text", "label", "concept", "all", "any", "not")
_PREFIXES = ("label:", "concept:")


def _condition(value: Any) -> Any:
    """Accept a phrase, `label:NAME` or `concept:NAME` as a condition."""
    if not isinstance(value, str):
        return value
    for prefix in _PREFIXES:
        if value.startswith(prefix):
            return {prefix[:-1]: value.removeprefix(prefix).strip()}
    return {"text": value}


_Text = Annotated[str, AfterValidator(str.strip)]
_Condition = Annotated["Condition", BeforeValidator(_condition)]


def _conditions(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


_Conditions = Annotated[tuple[_Condition, ...], BeforeValidator(_conditions), Field(min_length=1)]


class Condition(Settings):
    """A condition on frames: one of text, label, concept, all, any and not."""

    fingerprint_name: ClassVar[str] = "Condition"

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    text: _Text | None = None
    """A phrase, such as "a person in a hard hat"."""

    label: _Text | None = None
    """The name of a label of the policy's label file."""

    concept: _Text | None = None
    """The name of a concept of the library."""

    all: _Conditions | None = None
    """Conditions that a frame must meet, all of them."""

    any: _Conditions | None = None
    """Conditions of which a frame must meet at least one."""

    negated: _Condition | None = Field(default=None, alias="not")
    """A condition that a frame must not meet."""

    @model_validator(mode="after")
    def _check_kind(self) -> Condition:
        given = [kind for kind in _KINDS if self._of(kind) is not None]
        if len(given) != 1:
            found = ", ".join(given) or "none"
            raise ValueError(f"a condition is one of {', '.join(_KINDS)}; this one has {found}")
        value = self._of(given[0])
        if isinstance(value, str) and not value:
            raise ValueError(f"{given[0]} is empty; describe the frame, such as 'a person in a hard hat'")
        return self

    def _of(self, kind: str) -> Any:
        return self.negated if kind == "not" else getattr(self, kind)

    @property
    def name(self) -> str:
        """Name of a single part in scores and messages: the phrase itself, `label:NAME` or `concept:NAME`."""
        if self.label is not None:
            return f"label:{self.label}"
        if self.concept is not None:
            return f"concept:{self.concept}"
        return self.text or ""

    @property
    def parts(self) -> tuple[Condition, ...]:
        """Its distinct phrases, labels and concepts, in the order of the file."""
        found: dict[str, Condition] = {}
        for part in self._leaves():
            found.setdefault(part.name, part)
        return tuple(found.values())

    def _leaves(self) -> Iterator[Condition]:
        inner = self.all or self.any or (() if self.negated is None else (self.negated,))
        if not inner:
            yield self
        for condition in inner:
            yield from condition._leaves()

    def __str__(self) -> str:
        if self.negated is not None:
            return f"not {_bracketed(self.negated)}"
        if self.all is not None:
            return " and ".join(map(_bracketed, self.all))
        if self.any is not None:
            return " or ".join(map(_bracketed, self.any))
        return self.name


def _bracketed(condition: Condition) -> str:
    return f"({condition})" if len(condition.all or condition.any or ()) > 1 else str(condition)


def condition_log_odds(condition: Condition, of_parts: Mapping[str, Floats]) -> Floats:
    """Combine the log-odds of a condition's parts for each frame, as a search does.

    "All" is the minimum, "any" the maximum and "not" the negative, as for fuzzy sets (Zadeh 1965,
    doi:10.1016/S0019-9958(65)90241-X).

    Args:
        condition: The condition.
        of_parts: By the name of each part, float64 (N,) log-odds that the frames show it.

    Returns:
        float64 (N,) log-odds that the frames meet the condition.
    """
    if condition.negated is not None:
        return np.negative(condition_log_odds(condition.negated, of_parts))
    if condition.all is not None:
        least: Floats = np.minimum.reduce([condition_log_odds(each, of_parts) for each in condition.all])
        return least
    if condition.any is not None:
        greatest: Floats = np.maximum.reduce([condition_log_odds(each, of_parts) for each in condition.any])
        return greatest
    return of_parts[condition.name]
