"""One label: what it is described by, and how the scores of its frames become intervals."""

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
    """One text or mapping may be written for a list of one."""
    if isinstance(value, list):
        return tuple(value)
    return (value,) if isinstance(value, str | Mapping | Term) else value


def _mode(value: Any) -> Any:
    """YAML reads `on` and `off` as true and false."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


def _text(value: str) -> str:
    if not value.strip():
        raise ValueError("it is empty; describe what the frame shows, as 'a person in a hard hat'")
    return value.strip()


def _template(value: str) -> str:
    if value.count("{}") != 1:
        raise ValueError("a template has `{}` once, where the prompt goes, as 'a photo of {}'")
    return value.strip()


_Texts = Annotated[tuple[Annotated[str, AfterValidator(_text)], ...], BeforeValidator(_listed)]
_Templates = Annotated[
    tuple[Annotated[str, AfterValidator(_template)], ...], BeforeValidator(_listed), Field(min_length=1)
]
TextTuple = Annotated[tuple[str, ...], BeforeValidator(_listed)]
"""Texts, of which a lone one need not be written as a list."""
_Examples = Annotated[tuple[Term, ...], BeforeValidator(_listed)]


class LabelDefaults(Settings):
    """Settings that labels have in common; each label may set its own.

    The defaults of `exit`, `min_seconds` and `merge_gap_seconds` were chosen on the sample films of the seeds 101, 102,
    211 and 223 with the demo model: of events, the mean F1 of its 67 concepts is 0.94, and 0.91 with an exit score
    equal to `enter` and both times 0.
    """

    templates: _Templates = ("{}",)
    """Sentences that each prompt is put into, in place of `{}`; the vectors of all of them are averaged."""

    mode: Annotated[Literal["off", "score_only", "on"], BeforeValidator(_mode)] = "on"
    """`on`: frames are scored and intervals are found. `score_only`: frames are scored. `off`: the label is left out,
    and does not compete in its group."""

    enter: float = Field(default=0.5, gt=0, lt=1)
    """Score of a frame from which an interval counts; it has one such frame at least."""

    exit: float | None = Field(default=None, gt=0, lt=1)
    """Score below which an interval ends; None for half of `enter`."""

    min_seconds: float = Field(default=1.0, ge=0)
    """Shorter intervals are left out."""

    merge_gap_seconds: float = Field(default=1.0, ge=0)
    """Intervals this far apart or less become one."""

    aggregate: Literal["max", "mean", "share"] = "mean"
    """How the scores of the frames of an interval or segment become its confidence: the greatest score; the mean,
    weighted by the time that each frame stands for; or the share of the time whose frames score `enter` or more."""


class Label(LabelDefaults):
    """Something that a frame may show."""

    name: str
    """Its name in files and tables."""

    prompts: _Texts = ()
    """Texts that describe it; the vectors of all of them, in all templates, are averaged. A text "concept:NAME" stands
    for a concept of the library, which is one more way to show the label, as an example is."""

    contrast: _Texts = ()
    """Texts that describe what is most easily taken for it: the frame must resemble the prompts more."""

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
        """Its prompts in all templates, each once, without the concepts."""
        return self._in_templates(text for text in self.prompts if text not in self.concepts)

    @property
    def concepts(self) -> tuple[str, ...]:
        """The prompts that name concepts, as "concept:NAME"."""
        return tuple(dict.fromkeys(text for text in self.prompts if _CONCEPT.fullmatch(text)))

    @property
    def contrast_texts(self) -> tuple[str, ...]:
        """Its contrast prompts in all templates, each once."""
        return self._in_templates(self.contrast)

    def _in_templates(self, texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(form.replace("{}", text) for text in texts for form in self.templates))
