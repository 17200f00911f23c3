"""Settings of a label: its description, and the conversion of frame scores to intervals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from pipeline.config import Settings
from pipeline.search.query import Term

__all__ = ["Label", "LabelDefaults", "TextTuple"]

_CONCEPT = re.compile(r"concept:\S+")
_LONGEST_NAME = 80


def _listed(value: Any) -> Any:
    """Accept a single text or mapping in place of a list."""
    if isinstance(value, list):
        return tuple(value)
    return (value,) if isinstance(value, str | Mapping | Term) else value


def _mode(value: Any) -> Any:
    """Accept booleans, since YAML reads `on` and `off` as true and false."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


def _text(value: str) -> str:
    if not value.strip():
        raise ValueError("it is empty; describe the frame, such as 'a person in a hard hat'")
    return value.strip()


def _template(value: str) -> str:
    if value.count("{}") != 1:
        raise ValueError("a template has `{}` once, in place of the prompt, as in 'a photo of {}'")
    return value.strip()


_Texts = Annotated[tuple[Annotated[str, AfterValidator(_text)], ...], BeforeValidator(_listed)]
_Templates = Annotated[
    tuple[Annotated[str, AfterValidator(_template)], ...], BeforeValidator(_listed), Field(min_length=1)
]
TextTuple = Annotated[tuple[str, ...], BeforeValidator(_listed)]
"""Texts; a single one need not be a list."""
_Examples = Annotated[tuple[Term, ...], BeforeValidator(_listed)]


class LabelDefaults(Settings):
    """Settings shared by the labels of a file; each label may override them.

    The defaults of `exit`, `min_seconds` and `merge_gap_seconds` were chosen on the sample films of the seeds 101, 102,
    211 and 223 with the demo model: the mean F1 of events over its 67 concepts is 0.94, compared with 0.91 for an exit
    score equal to `enter` and both times 0.
    """

    templates: _Templates = ("{}",)
    """Sentences with `{}`, which is replaced by each prompt; the vectors of all of them are averaged."""

    mode: Annotated[Literal["off", "score_only", "on"], BeforeValidator(_mode)] = "on"
    """`on`: frames are scored and intervals are found. `score_only`: frames are scored. `off`: the label is not used,
    and does not compete in its group."""

    enter: float = Field(default=0.5, gt=0, lt=1)
    """Minimum score of at least one frame of an interval."""

    exit: float | None = Field(default=None, gt=0, lt=1)
    """Score below which an interval ends; None for half of `enter`."""

    min_seconds: float = Field(default=1.0, ge=0)
    """Minimum length of an interval; shorter ones are left out."""

    merge_gap_seconds: float = Field(default=1.0, ge=0)
    """Maximum gap between two intervals that are merged."""

    aggregate: Literal["max", "mean", "share"] = "mean"
    """Aggregation of the frames' scores to the confidence of an interval or segment: the maximum; the mean, weighted by
    the time that each frame represents; or the share of the time whose frames score `enter` or more."""


class Label(LabelDefaults):
    """A label: something that a frame may show."""

    name: str
    """Name in files and tables."""

    prompts: _Texts = ()
    """Texts that describe it; the vectors of all texts in all templates are averaged. A text "concept:NAME" refers to a
    concept of the library, which counts like an example."""

    contrast: _Texts = ()
    """Texts that describe what is most easily confused with it: a frame must match the prompts better."""

    examples: _Examples = ()
    """Pictures, clips or parts of the library's videos that show it."""

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not (name.isprintable() and name == name.strip() and 1 <= len(name) <= _LONGEST_NAME):
            raise ValueError(f"a label's name has 1 to {_LONGEST_NAME} printable characters, no space at its ends")
        return name

    @model_validator(mode="before")
    @classmethod
    def _with_exit(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and data.get("exit") is None:
            enter = data.get("enter", cls.model_fields["enter"].default)
            if isinstance(enter, float | int) and not isinstance(enter, bool):
                return {**data, "exit": enter / 2}
        return data

    @model_validator(mode="after")
    def _check(self) -> Label:
        if not self.prompts and not self.examples:
            raise ValueError(f"the label {self.name!r} has neither `prompts` nor `examples`; it needs one of them")
        if self.contrast and not self.texts:
            raise ValueError(f"the label {self.name!r} has `contrast` and no `prompts` that it could be compared with")
        if texts := [term.text for term in self.examples if term.text is not None]:
            raise ValueError(f"examples of {self.name!r}: {texts[0]!r} is a text; write it under `prompts`")
        if self.exit is not None and self.exit > self.enter:
            raise ValueError(f"the label {self.name!r} has exit {self.exit:g}, above enter {self.enter:g}")
        return self

    @property
    def texts(self) -> tuple[str, ...]:
        """Its distinct prompts in all templates, without the concepts."""
        return self._in_templates(text for text in self.prompts if text not in self.concepts)

    @property
    def concepts(self) -> tuple[str, ...]:
        """The prompts that name concepts, as "concept:NAME"."""
        return tuple(dict.fromkeys(text for text in self.prompts if _CONCEPT.fullmatch(text)))

    @property
    def contrast_texts(self) -> tuple[str, ...]:
        """Its distinct contrast prompts in all templates."""
        return self._in_templates(self.contrast)

    def _in_templates(self, texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(form.replace("{}", text) for text in texts for form in self.templates))
