"""Policy files: rules over phrases, labels and concepts, and what to do with what they flag."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, field_validator, model_validator

from pipeline.analyze.policies.condition import Condition, _Condition
from pipeline.analyze.policies.destination import Destination
from pipeline.config import LEAST_LIKENESS, Settings, validate
from pipeline.config_files import bundled_names, bundled_path, load_mapping
from pipeline.errors import ConfigError
from pipeline.fingerprints import fingerprint
from pipeline.search.filters.recording_time import TimeOfDay
from pipeline.types import Scalar

__all__ = ["Action", "Policy", "Rule", "Severity", "as_policy", "read_policy"]

FOLDER = "policies"
"""Of the bundled policies, in configs."""

_REVISION = "1"
"""Of the way in which rules are evaluated; part of every fingerprint."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_NAME_RULE = "has up to 80 letters, digits, dots, dashes and underscores, and begins with a letter or digit"


class Severity(StrEnum):
    """How bad it is, for people and for `--fail-on`."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Its place among the severities: 0 for the least."""
        return list(Severity).index(self)


class Action(StrEnum):
    """What a rule does with the intervals that it flags."""

    TAG = "tag"
    QUEUE = "queue"
    ROUTE = "route"
    ALERT = "alert"


def _time_of_day(text: str) -> str:
    TimeOfDay.parse(text)
    return text


def _names(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return (value,) if isinstance(value, str) else value


class RuleDefaults(Settings):
    """Settings that the rules of a policy have in common; each rule may set its own."""

    enter: float = Field(default=0.5, gt=0, lt=1)
    """Score of a frame from which an interval counts; it has one such frame at least."""

    exit: float | None = Field(default=None, gt=0, lt=1)
    """Score below which an interval ends; None for `enter`."""

    min_seconds: float = Field(default=0.0, ge=0)
    """Shorter intervals are left out, after gaps are closed."""

    merge_gap_seconds: float = Field(default=0.0, ge=0)
    """Intervals this far apart or less become one."""

    share: float = Field(default=0.0, ge=0, le=1)
    """Least share of an interval's time whose frames score `enter` or more, so that one bad frame does not decide."""

    aggregate: Literal["max", "mean", "share"] = "mean"
    """How the scores of an interval's frames become its confidence: the greatest score; the mean, weighted by the time
    that each frame stands for; or the share of the time whose frames score `enter` or more."""

    severity: Severity = Severity.MEDIUM
    """How bad it is: low, medium, high or critical."""

    action: Action = Action.TAG
    """`tag`: the interval is logged. `queue`: it waits for review as well. `route`: `momentseek route` sends its video
    to the rule's destinations. `alert`: it is an alarm, which other programs take from the output."""

    to: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    """With the action `route`: the names of its destinations."""

    cooldown_seconds: float = Field(default=0.0, ge=0)
    """For so long after a reported interval, further ones of the same rule and camera are logged, but not reported."""

    time_of_day: Annotated[str, AfterValidator(_time_of_day)] | None = None
    """Only at these hours, as "22:00-6:00", by the clock of the place."""

    where: dict[str, Scalar] = Field(default_factory=dict)
    """Only videos whose metadata has these entries."""


class Rule(RuleDefaults):
    """One rule."""

    when: _Condition
    """What a frame must show: a phrase, `label: NAME`, `concept: NAME`, or all, any or not of these."""

    description: str = ""
    """What the rule is for."""

    @model_validator(mode="after")
    def _check(self) -> Rule:
        if self.exit is not None and self.exit > self.enter:
            raise ValueError(f"exit {self.exit:g} is above enter {self.enter:g}; an interval would end as it begins")
        if self.action is Action.ROUTE and not self.to:
            raise ValueError("the action route names no destination; add `to: NAME`, of one under `destinations`")
        return self

    @property
    def least(self) -> float:
        """Score below which an interval ends."""
        return self.enter if self.exit is None else self.exit


class Policy(Settings):
    """A policy: its rules, the labels that they name, and the destinations of videos."""

    fingerprint_name: ClassVar[str] = "Policy"

    name: str
    """Its name in logs and messages; the file's name where it says none."""

    description: str = ""
    """What the policy is for."""

    labels: str | None = Field(default=None, min_length=1)
    """The label file whose labels conditions name: a path, relative to the policy, or the name of one that comes with
    momentseek."""

    camera: str = Field(default="camera", min_length=1)
    """The entry of a video's metadata that names its camera, for cooldowns."""

    rules: dict[str, Rule] = Field(min_length=1)
    """By name."""

    destinations: dict[str, Destination] = Field(default_factory=dict)
    """By name."""

    match: Literal["first", "all"] = "first"
    """`first`: the first rule of the file that flags a video decides where it goes. `all`: each that flags it does."""

    otherwise: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    """The destinations of videos that were checked whole and that no rule with the action route flags."""

    unchecked: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    """The destinations of videos that could not be checked, or not whole, and that no rule with the action route
    flags."""

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError(f"the name of a policy {_NAME_RULE}")
        return name

    @model_validator(mode="after")
    def _check(self) -> Policy:
        for name in (*self.rules, *self.destinations):
            if not _NAME.fullmatch(name):
                raise ValueError(f"the name of a rule or destination {_NAME_RULE}; {name!r} does not")
        counts = Counter(name.casefold() for name in self.rules)
        if twice := [name for name in self.rules if counts[name.casefold()] > 1]:
            raise ValueError(f"the rule {twice[0]!r} is given twice (upper and lower case do not differ)")
        named = {f"rule {name!r}": rule.to for name, rule in self.rules.items()}
        for who, names in {**named, "`otherwise`": self.otherwise, "`unchecked`": self.unchecked}.items():
            _check_destinations(who, names, self.destinations)
        if self.labels is None and (labels := [part.name for part in self.parts if part.label is not None]):
            raise ValueError(f"{labels[0]} is named, and the policy has no label file; add `labels: NAME_OR_PATH`")
        return self

    @property
    def parts(self) -> tuple[Condition, ...]:
        """The phrases, labels and concepts of all rules, each once."""
        found = {part.name: part for rule in self.rules.values() for part in rule.when.parts}
        return tuple(found.values())

    @property
    def fingerprint(self) -> str:
        """Identity of its rules and destinations, without the contents of labels and concepts: 12 hex digits."""
        fields = self.model_dump(mode="json", exclude={"labels", "description"})
        return fingerprint({self.fingerprint_name: fields}, _REVISION)


def _check_destinations(who: str, names: Iterable[str], known: Mapping[str, Destination]) -> None:
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=LEAST_LIKENESS)
            hint = f"did you mean {near[0]!r}? " if near else ""
            listed = ", ".join(known) or "none"
            raise ValueError(f"{who} names the destination {name!r}, which is not there; {hint}there are: {listed}")


class _PolicyFile(Policy):
    """A policy as it is written, with the defaults laid under each rule."""

    defaults: RuleDefaults = RuleDefaults()
    """What the rules have in common."""

    @model_validator(mode="before")
    @classmethod
    def _with_defaults(cls, data: Any) -> Any:
        rules = data.get("rules") if isinstance(data, Mapping) else None
        if not isinstance(rules, Mapping):
            return data
        common = data.get("defaults", {})
        try:
            RuleDefaults.model_validate_json(json.dumps(common))
        except ValidationError:
            # They are reported once, and not with each rule.
            common = {}
        return {**data, "rules": {str(name): _rule(rule, common) for name, rule in rules.items()}}


def _rule(rule: Any, common: Mapping[str, Any]) -> Any:
    """A rule's fields; a phrase may be written for a rule that is nothing more."""
    if isinstance(rule, str):
        rule = {"when": rule}
    return {**common, **rule} if isinstance(rule, Mapping) else rule


def read_policy(path_or_name: str | Path) -> Policy:
    """Read a policy.

    Args:
        path_or_name: YAML, or the bare name of a policy that comes with momentseek, as "protective-equipment".

    Raises:
        ConfigError: There is no such file; a key is unknown, or a value of the wrong kind or out of range; a rule is
            given twice; or a rule names a destination that is not there. The message names the dotted path.
    """
    path = bundled_path(path_or_name, FOLDER)
    if not path.exists():
        names = bundled_names(FOLDER)
        near = difflib.get_close_matches(path.name.removesuffix(".yaml"), names, n=1, cutoff=LEAST_LIKENESS)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"no policy {str(path)!r}; {hint}give a path, or one of: {', '.join(names)}")
    return as_policy(load_mapping(path), origin=str(path), name=path.stem, folder=path.resolve().parent)


def as_policy(
    data: Mapping[str, Any], *, origin: str = "policy", name: str = "policy", folder: str | Path = "."
) -> Policy:
    """Make a policy of the contents of a policy file.

    Args:
        data: As YAML has them.
        origin: What to call it in errors.
        name: The policy's name where it says none.
        folder: The path of the label file is relative to it.

    Raises:
        ConfigError: As `read_policy` does.
    """
    file = validate(_PolicyFile, {"name": name, **data}, origin)
    fields = file.model_dump(mode="json", exclude={"defaults"})
    if file.labels is not None and (beside := Path(folder) / file.labels).is_file():
        fields["labels"] = str(beside)
    return validate(Policy, fields, origin)
